"""What the state of an image, or of what makes it, means for a release."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeGuard

import msgspec

from viridian.errors import DeadlinePassed, ImageFailed
from viridian.plan import Plan
from viridian.request import ImageBuilderSource, InstanceSource, PackerSource, Source

_ON_THE_WAY = ("pending", "transient")
# The words of Run Command, of Image Builder, and of CodeBuild.
_UNDER_WAY = (
    *("Pending", "InProgress", "Delayed", "Cancelling"),
    *("PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING"),
    "IN_PROGRESS",
)
_DONE = ("Success", "AVAILABLE", "SUCCEEDED")


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is made by, or after, as its service shows it.

    `reason` is the first part of it that failed; `image` what it has made since it `began`; `stands` if it is something
    to remove; `tags` are those of what its service keeps of it, not of the image.
    """

    id: str
    what: str
    status: str
    reason: str = ""
    began: datetime | None = None
    image: str | None = None
    stands: bool = False
    tags: dict[str, str] = {}

    @property
    def done(self) -> bool:
        """Whether it has ended well, in every part of it."""
        return self.status in _DONE and not self.reason

    @property
    def under_way(self) -> bool:
        """Whether it has not ended yet, well or badly."""
        return self.status in _UNDER_WAY


def follow(plan: Plan, making: Making) -> Literal["due", "pending"]:
    """The next step is due once this one is done, and pending until then; any other status is the end of it.

    A part that failed condemns the whole, whatever its service makes of it.
    """
    if making.under_way:
        _ensure_in_time(plan, making.what, making.status)
        return "pending"
    if not making.done:
        raise ImageFailed(f"{making.what} is {making.status}: {making.reason or 'no reason given'}")
    return "due"


def origin(source: Source) -> str:
    """What an image is made of, and by what, in words; nothing for one that is ready."""
    match source:
        case InstanceSource():
            return f"instance {source.instance_id}"
        case ImageBuilderSource():
            return f"pipeline {source.pipeline_arn.rpartition('/')[2]}"
        case PackerSource():
            return f"project {source.project} of {source.artifact.uri}"
    return ""


def is_id(text: str | None) -> TypeGuard[str]:
    """Whether this is the id of an image."""
    return text is not None and re.fullmatch(r"ami-[0-9a-f]{8,17}", text) is not None


def is_made(making: Making, found: Mapping[str, Any] | None, account: str) -> bool:
    """Whether an image was made by this, in our account: nothing that stood before is tagged, and so ever deleted."""
    if not found or not making.began or found.get("OwnerId") != account:
        return False
    return datetime.fromisoformat(found["CreationDate"]) > making.began


def ensure_made(making: Making, found: dict[str, Any] | None, account: str) -> dict[str, Any]:
    """The image that was made; raises ImageFailed if what made it names none of its own."""
    if found is None or not is_made(making, found, account):
        named = making.image or "none"
        raise ImageFailed(
            f"{making.what} is {making.status}, and the image that it names is none of its own: {named}"
        )
    return found


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
