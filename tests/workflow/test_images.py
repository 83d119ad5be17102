"""What a rollback counts on can't be deregistered: the image that serves, and the one that can still be taken back to."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.workflow.test_retirement import retired
from tests.workflow.test_taking_back import took_back
from tests.workflow.world import Release, World


def promoted(world: World, version: str, keep_minutes: int = 5, **asked: Any) -> Release:
    release = world.release(version, keep_minutes=keep_minutes, retain_days=0, **asked)
    assert release.end == "Promoted", release.cause
    return release


def protected(world: World) -> set[str]:
    """The account's images that nobody may deregister."""
    found = world.cloud.client("ec2").describe_images(Owners=["self"])["Images"]
    return {image["ImageId"] for image in found if image["DeregistrationProtection"] != "disabled"}


def test_the_image_that_serves_and_the_one_before_are_protected_until_blue_has_retired(world: World) -> None:
    second = promoted(world, "2.0.0")
    assert protected(world) == {second.record["image"]}, "no release made blue's"
    third = promoted(world, "3.0.0")
    assert protected(world) == {second.record["image"], third.record["image"]}
    for release in (second, third):
        with pytest.raises(ClientError, match="OperationNotPermitted"):
            world.cloud.client("ec2").deregister_image(ImageId=release.record["image"])
    retired(world, third)
    assert protected(world) == {third.record["image"]}
    assert "image" in {left.split()[0] for left in world.leftovers(second)}, "let go, and still there"
    assert world.orphans() == []


def test_a_rollback_leaves_nothing_protected_but_what_serves(world: World) -> None:
    second = promoted(world, "2.0.0", keep_minutes=60)
    bad = world.release("3.0.0", fault="third")
    assert bad.end == "RolledBack"
    assert protected(world) == {second.record["image"]}
    third = promoted(world, "3.0.1")
    took_back(world, third)
    assert protected(world) == {second.record["image"]}
    assert world.leftovers(bad) == world.leftovers(third) == []
    took_back(world, second)
    assert protected(world) == set()
    assert world.leftovers(second) == []


def test_an_image_that_is_released_again_is_protected_as_long_as_a_fleet_of_it_stands(world: World) -> None:
    second = promoted(world, "2.0.0")
    image = second.record["image"]
    again = promoted(world, "2.0.1", source={"type": "ami", "image_id": image})
    took_back(world, again)
    assert protected(world) == {image}, "blue is made of it"
    third = promoted(world, "3.0.0")
    retired(world, third)
    assert protected(world) == {third.record["image"]}
    back = promoted(world, "2.0.2", source={"type": "ami", "image_id": image})
    assert protected(world) == {image, third.record["image"]}
    took_back(world, back)
    assert protected(world) == {third.record["image"]}
    assert world.cloud.client("ec2").describe_images(ImageIds=[image])["Images"], (
        "never deregistered: it was given"
    )
