"""The time as AWS has it: what is left of a step is counted by the clock that began it, not by this machine's."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from viridian.aws import clients


def now() -> datetime:
    """The moment of an answer that AWS gives now: the Date it carries."""
    answer: dict[str, Any] = clients.reader("sts").get_caller_identity()
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(told).astimezone(UTC) if told else datetime.now(UTC)


def caller() -> str:
    """Who these credentials are, as an ARN."""
    return str(clients.reader("sts").get_caller_identity()["Arn"])
