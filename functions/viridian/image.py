"""What the state of an image, or of what makes it, means for a release."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from viridian.errors import DeadlinePassed, ImageFailed
from viridian.plan import Plan

_ON_THE_WAY = ("pending", "transient")
# The words of Run Command.
_UNDER_WAY = ("Pending", "InProgress", "Delayed", "Cancelling")
_DONE = ("Success",)


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is made by, or after, as its service shows it: what it is, its status, and why it failed."""

    what: str
    status: str
    reason: str = ""


def follow(plan: Plan, making: Making) -> Literal["due", "pending"]:
    """The next step is due once this one is done, and pending until then; any other status is the end of it."""
    if making.status in _DONE:
        return "due"
    if making.status not in _UNDER_WAY:
        raise ImageFailed(f"{making.what} is {making.status}: {making.reason or 'no reason given'}")
    _ensure_in_time(plan, making.what, making.status)
    return "pending"


def judge(plan: Plan, image: str | None, found: Mapping[str, Any] | None) -> Literal["available", "pending"]:
    """Available, or pending until its deadline; any other state is the end of it (aws-facts I2)."""
    state = found["State"] if found else "pending"  # EC2 shows a new image only after a moment
    if state == "available":
        return "available"
    if state not in _ON_THE_WAY:
        reason = (found or {}).get("StateReason", {}).get("Message", "no reason given")
        raise ImageFailed(f"image {image} is {state}: {reason}")
    _ensure_in_time(plan, f"image {image}", state)
    return "pending"


def _ensure_in_time(plan: Plan, what: str, state: str) -> None:
    minutes = plan.profile.deadlines.image_minutes
    if datetime.now(UTC) > plan.started_at + timedelta(minutes=minutes):
        raise DeadlinePassed(f"{what} is still {state} after {minutes} minutes")
