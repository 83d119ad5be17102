"""The time as AWS has it: what is left of a step is counted by the clock that began it, not by this machine's."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from viridian.aws import clients

_ahead = timedelta()  # how far AWS's clock is before this machine's, by the answer that came last


def now() -> datetime:
    """This moment by AWS's clock; by this machine's until AWS has answered anything."""
    return datetime.now(UTC) + _ahead


def hear(date: str | None) -> None:
    """Takes the Date that an answer carries: the moment at which it was given."""
    global _ahead
    if date:
        _ahead = parsedate_to_datetime(date).astimezone(UTC) - datetime.now(UTC)


def caller() -> str:
    """Who these credentials are, as an ARN."""
    return str(clients.reader("sts").get_caller_identity()["Arn"])
