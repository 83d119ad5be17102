"""A new image starts its release by itself: once, only if it is new, and only where its service wants that."""

import json
import re
import shlex
from typing import Any

import pytest

from local import seed
from tests.stack import ROOT
from tests.workflow.world import MINUTE, ONE_STEP, Release, World, opened


def tags(version: str) -> dict[str, str]:
    return {"viridian:service": "shop", "viridian:version": version}


def image_of(world: World, version: str) -> str:
    """An image that somebody has made, and tagged for the service."""
    return str(world.ami(version, tags=tags(version))["image_id"])


def announced(world: World, image: str) -> None:
    """EC2 says that an image is available, however often it has said so before."""
    detail = {"ImageId": image, "State": "available", "RequestId": "4a0b", "ErrorMessage": ""}
    arn = f"arn:aws:ec2:us-east-1::image/{image}"
    world.cloud.events.emit("aws.ec2", "EC2 AMI State Change", detail, [arn])
    world.pass_minutes(1)


def releases(world: World) -> list[Release]:
    found = world.cloud.executions(world.outputs["ReleaseStateMachineArn"])
    return [Release(world, arn) for arn in found]


def errors(world: World) -> list[Any]:
    """How the function that hears of images has fared."""
    runs = world.cloud.lambda_invocations
    return [run["error"] for run in runs if run["function"] == "StartReleaseFunction"]


@pytest.mark.profile(start_on_image=True, steps=ONE_STEP)
def test_what_a_pipeline_made_is_released_and_promoted_once_and_no_older_image_after_it(world: World) -> None:
    older = world.ami("1.9.0")["image_id"]
    world.pass_minutes(1)
    pipeline = seed.pipeline(world.cloud, "2.0.0", tags=json.dumps(tags("2.0.0")))
    world.cloud.client("imagebuilder").start_image_pipeline_execution(imagePipelineArn=pipeline)
    assert world.cloud.until(lambda: bool(releases(world)), 30 * MINUTE)
    (release,) = releases(world)
    release.until("CreateGreen")
    image = release.record["image"]
    assert release.arn.endswith(f":shop-{image}")
    announced(world, image)
    assert release.wait().end == "Promoted"
    assert world.cloud.plane.by_version()["2.0.0"].requests > 0
    announced(world, image)
    asked = [{"Key": key, "Value": value} for key, value in tags("2.1.0").items()]
    world.cloud.client("ec2").create_tags(Resources=[older], Tags=asked)
    announced(world, older)
    assert [each.arn for each in releases(world)] == [release.arn]
    assert world.paged() == []
    assert set(errors(world)) == {None}


def test_the_examples_of_the_page_release_an_image_that_is_made_as_it_says() -> None:
    page = (ROOT / "docs" / "new-images.md").read_text(encoding="utf-8")
    (profile,), (command,) = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("json", "sh"))
    opted_in = {name: value for name, value in json.loads(profile).items() if name != "route"}
    with opened(**opted_in, steps=ONE_STEP) as world:
        words = shlex.split(command.replace("\\\n", " "))
        asked = re.findall(r"Key=([\w:-]+),Value=([\w.]+)", words[words.index("--tag-specifications") + 1])
        made = world.cloud.client("ec2").create_image(
            InstanceId=world.builder(),
            Name=words[words.index("--name") + 1],
            TagSpecifications=[{"ResourceType": "image", "Tags": [{"Key": k, "Value": v} for k, v in asked]}],
        )
        assert world.cloud.until(lambda: bool(releases(world)), 30 * MINUTE)
        (release,) = releases(world)
        assert release.wait().end == "Promoted", release.cause
        assert release.record["image"] == made["ImageId"]
        assert release.plan["version"] == dict(asked)["viridian:version"]


@pytest.mark.profile(start_on_image=True, steps=ONE_STEP)
def test_an_image_that_comes_while_another_is_released_starts_nothing_and_people_are_told(
    world: World,
) -> None:
    image = image_of(world, "2.0.0")
    world.pass_minutes(1)
    (release,) = releases(world)
    release.until("ShiftTraffic")
    late = image_of(world, "3.0.0")
    world.pass_minutes(1)
    assert [each.arn for each in releases(world)] == [release.arn]
    assert world.paged() == [f"viridian: shop 3.0.0 of {late} was not started"]
    assert release.record["image"] == image
    assert release.wait().end == "Promoted"


@pytest.mark.profile(start_on_image=True)
def test_people_hear_of_a_release_that_an_image_has_started_and_that_was_refused(world: World) -> None:
    world.redden(world.shop.guard_alarm, "checkout is slow")
    image = image_of(world, "2.0.0")
    world.pass_minutes(2)
    (release,) = releases(world)
    assert release.wait().end == "Refused"
    world.pass_minutes(1)
    (page,) = world.pages()
    assert page.subject == f"viridian: shop-{image} was not released"
    assert "guards" in page.message
    assert "checkout is slow" in page.message or world.shop.guard_alarm in page.message


def test_the_images_of_releases_and_of_a_service_that_has_not_opted_in_start_nothing(world: World) -> None:
    image_of(world, "2.0.0")
    world.pass_minutes(1)
    assert releases(world) == []
    seed.registered(world.cloud, "shop", {**world.shop.profile, "start_on_image": True, "steps": ONE_STEP})
    pipeline = seed.pipeline(world.cloud, "3.0.0", tags=json.dumps(tags("3.0.0")))
    release = world.release("3.0.0", source={"type": "image_builder", "pipeline_arn": pipeline})
    assert release.end == "Promoted"
    assert [each.arn for each in releases(world)] == [release.arn]
    assert world.paged() == []
