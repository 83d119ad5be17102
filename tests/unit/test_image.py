"""An image's state: available, on its way, or the end of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import time_machine

from tests.unit.test_record import PLAN
from viridian import image
from viridian.errors import DeadlinePassed, ImageFailed
from viridian.image import Making
from viridian.request import (
    AmiParameterSource,
    AmiSource,
    ContainerArtifact,
    Deadlines,
    ImageBuilderSource,
    InstanceSource,
    PackerSource,
    S3Artifact,
    Source,
)

STARTED = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LATE = STARTED + timedelta(minutes=31)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (InstanceSource(instance_id="i-0abc", patch=True), "instance i-0abc"),
        (ImageBuilderSource(pipeline_arn="arn:aws:imagebuilder:r:1:image-pipeline/shop"), "pipeline shop"),
        (
            PackerSource(project="p", artifact=S3Artifact(bucket="b", key="k/1.zip")),
            "project p of s3://b/k/1.zip",
        ),
        (PackerSource(project="p", artifact=ContainerArtifact(uri="r/shop:2")), "project p of r/shop:2"),
        (AmiSource(image_id="ami-0abc"), ""),
        (AmiParameterSource(parameter="/golden"), ""),
    ],
)
def test_an_image_is_made_of_its_source(source: Source, words: str) -> None:
    assert image.origin(source) == words


def judge(found: dict[str, Any] | None, now: datetime) -> str:
    profile = msgspec.structs.replace(PLAN.profile, deadlines=Deadlines(image_minutes=30))
    plan = msgspec.structs.replace(PLAN, started_at=STARTED, profile=profile)
    with time_machine.travel(now, tick=False):
        return image.judge(plan, "ami-1", found)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ({"State": "available"}, "available"),
        ({"State": "pending"}, "pending"),
        ({"State": "transient"}, "pending"),
        (None, "pending"),
    ],
)
def test_an_image_is_there_or_on_its_way(found: dict[str, Any] | None, state: str) -> None:
    assert judge(found, STARTED + timedelta(minutes=30)) == state


def test_an_image_that_is_there_is_never_late() -> None:
    assert judge({"State": "available"}, LATE) == "available"


@pytest.mark.parametrize("found", [{"State": "pending"}, {"State": "transient"}, None])
def test_an_image_that_is_not_there_in_time_is_too_late(found: dict[str, Any] | None) -> None:
    with pytest.raises(DeadlinePassed, match=r"ami-1 is still .* after 30 minutes"):
        judge(found, LATE)


def follow(status: str, now: datetime = STARTED, reason: str = "") -> str:
    profile = msgspec.structs.replace(PLAN.profile, deadlines=Deadlines(image_minutes=30))
    plan = msgspec.structs.replace(PLAN, started_at=STARTED, profile=profile)
    with time_machine.travel(now, tick=False):
        return image.follow(plan, Making(id="1", what="patch command 1", status=status, reason=reason))


@pytest.mark.parametrize(
    ("status", "state"),
    [
        *((status, "pending") for status in ("Pending", "InProgress", "Delayed", "Cancelling")),
        *((status, "pending") for status in ("PENDING", "CREATING", "BUILDING")),
        *((status, "pending") for status in ("TESTING", "DISTRIBUTING", "INTEGRATING")),
        ("Success", "due"),
        ("AVAILABLE", "due"),
        ("IN_PROGRESS", "pending"),
        ("SUCCEEDED", "due"),
    ],
)
def test_what_comes_before_an_image_is_done_or_under_way(status: str, state: str) -> None:
    assert follow(status) == state


@pytest.mark.parametrize(
    "status",
    [
        "Failed",
        "TimedOut",
        "Cancelled",
        "FAILED",
        "CANCELLED",
        "DELETED",
        "FAULT",
        "STOPPED",
        "of-the-future",
    ],
)
def test_what_failed_before_an_image_is_the_end_of_it(status: str) -> None:
    with pytest.raises(ImageFailed, match=f"patch command 1 is {status}: no mirror"):
        follow(status, reason="no mirror")
    with pytest.raises(ImageFailed, match="no reason given"):
        follow(status)


def test_a_part_that_failed_condemns_the_whole() -> None:
    with pytest.raises(ImageFailed, match="AVAILABLE: TEST: port 80 is closed"):
        follow("AVAILABLE", reason="TEST: port 80 is closed")


def made(**changes: str) -> dict[str, Any]:
    return {
        "ImageId": "ami-1",
        "OwnerId": "123456789012",
        "CreationDate": "2026-01-05T09:10:00.000Z",
        **changes,
    }


@pytest.mark.parametrize(
    ("found", "is_made"),
    [
        (made(), True),
        (made(CreationDate="2026-01-05T09:00:00.001Z"), True),
        (made(CreationDate="2026-01-05T09:00:00.000Z"), False),
        (made(OwnerId="999999999999"), False),
        (None, False),
    ],
)
def test_only_what_was_made_since_it_was_asked_for_is_taken_for_ours(
    found: dict[str, Any] | None, is_made: bool
) -> None:
    making = Making(id="1", what="build 1", status="AVAILABLE", began=STARTED, image="ami-1")
    assert image.is_made(making, found, "123456789012") is is_made
    assert not image.is_made(msgspec.structs.replace(making, began=None), found, "123456789012")
    if is_made:
        assert image.ensure_made(making, found, "123456789012") == found
    else:
        with pytest.raises(ImageFailed, match=r"build 1 is AVAILABLE, .* none of its own: ami-1"):
            image.ensure_made(making, found, "123456789012")


@pytest.mark.parametrize(
    ("text", "is_id"), [("ami-0abc1234", True), ("us-east-1:ami-0abc1234", False), ("", False), (None, False)]
)
def test_the_id_of_an_image_has_one_form(text: str | None, is_id: bool) -> None:
    assert image.is_id(text) is is_id


def test_what_comes_before_an_image_shares_its_deadline() -> None:
    assert follow("Success", LATE) == "due"
    with pytest.raises(DeadlinePassed, match="patch command 1 is still InProgress after 30 minutes"):
        follow("InProgress", LATE)


@pytest.mark.parametrize("state", ["failed", "error", "invalid", "deregistered", "disabled", "of-the-future"])
def test_any_other_state_is_the_end_of_it(state: str) -> None:
    found = {"State": state, "StateReason": {"Message": "no space"}}
    with pytest.raises(ImageFailed, match=f"ami-1 is {state}: no space"):
        judge(found, STARTED)
    with pytest.raises(ImageFailed, match="no reason given"):
        judge({"State": state}, STARTED)
