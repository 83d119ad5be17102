"""A moment, as it is written for people; it imports nothing of ours, so that everything may write one."""

from datetime import datetime


def at(moment: datetime) -> str:
    """A moment in UTC, as people and AWS write it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
