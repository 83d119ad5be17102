"""What an image's state means for a release."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from viridian.errors import DeadlinePassed, ImageFailed
from viridian.plan import Plan

_ON_THE_WAY = ("pending", "transient")


def judge(plan: Plan, image: str | None, found: Mapping[str, Any] | None) -> Literal["available", "pending"]:
    """Available, or pending until its deadline; any other state is the end of it (aws-facts I2)."""
    state = found["State"] if found else "pending"  # EC2 shows a new image only after a moment
    if state == "available":
        return "available"
    if state not in _ON_THE_WAY:
        reason = (found or {}).get("StateReason", {}).get("Message", "no reason given")
        raise ImageFailed(f"image {image} is {state}: {reason}")
    minutes = plan.profile.deadlines.image_minutes
    if datetime.now(UTC) > plan.started_at + timedelta(minutes=minutes):
        raise DeadlinePassed(f"image {image} is still {state} after {minutes} minutes")
    return "pending"
