"""The time as AWS has it: what is left of a step is counted by the clock that began it, not by this machine's."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from viridian.aws import clients

_ahead = timedelta()  # how far AWS's clock is before this machine's, by the answer that came last


def now() -> datetime:
    """This moment by AWS's clock; by this machine's until AWS has answered anything."""
    return datetime.now(UTC) + _ahead


def hear(date: Any) -> None:
    """Takes the Date that an answer carries: the moment at which it was given."""
    global _ahead
    with suppress(TypeError, ValueError):  # it has none, or one that nobody can read
        _ahead = parsedate_to_datetime(date).astimezone(UTC) - datetime.now(UTC)


def caller() -> str:
    """Who these credentials are, as an ARN."""
    return str(clients.reader("sts").get_caller_identity()["Arn"])
