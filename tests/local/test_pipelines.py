"""Image Builder as its API Reference has it: a run builds, tests and ends, and its AMI outlives it."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import seed
from local.fleet.images import Images
from local.fleet.pipelines import Pipelines
from local.reality import Reality
from tests.local import alone
from tests.local.alone import Clock, standing


@pytest.fixture
def cloud() -> Iterator[alone.World]:
    clock = Clock()
    events: list[alone.Event] = []
    images = Images(clock, Reality())
    with standing(images, Pipelines(clock, Reality(), lambda *event: events.append(event))):
        yield alone.World(clock=clock, images=images, events=events)


def start(cloud: alone.World, token: str = "token", **fails: str) -> str:
    pipeline = seed.pipeline(cloud, "2.0.0", fault="third", **fails)
    started = cloud.client("imagebuilder").start_image_pipeline_execution(
        imagePipelineArn=pipeline, clientToken=token, tags={"viridian:release": "1"}
    )
    return str(started["imageBuildVersionArn"])


def shown(cloud: alone.World, image: str, after: float = 0) -> dict[str, Any]:
    cloud.clock.time += after
    return dict(cloud.client("imagebuilder").get_image(imageBuildVersionArn=image)["image"])


def workflows(cloud: alone.World, image: str) -> list[tuple[str, str, str]]:
    found = cloud.client("imagebuilder").list_workflow_executions(imageBuildVersionArn=image)
    return [(each["type"], each["status"], each["message"]) for each in found["workflowExecutions"]]


def test_an_image_is_built_then_tested_then_available_with_what_its_pipeline_puts_on_it(
    cloud: alone.World,
) -> None:
    image = start(cloud)
    states = [shown(cloud, image, after)["state"]["status"] for after in (0, 300, 119, 1)]
    assert states == ["BUILDING", "TESTING", "TESTING", "AVAILABLE"]
    (ami,) = shown(cloud, image)["outputResources"]["amis"]
    assert ami["region"] == "us-east-1"
    found = cloud.client("ec2").describe_images(ImageIds=[ami["image"]])["Images"][0]
    assert {"Key": "Ec2ImageBuilderArn", "Value": image} in found["Tags"]
    assert cloud.images.disk_of(ami["image"])["fault"] == "third"
    assert workflows(cloud, image) == [("BUILD", "COMPLETED", ""), ("TEST", "COMPLETED", "")]


def test_a_build_that_fails_makes_no_ami_and_a_test_that_fails_leaves_one(cloud: alone.World) -> None:
    built = start(cloud, "a", build="no disk")
    assert shown(cloud, built, 500)["state"]["status"] == "FAILED"
    assert shown(cloud, built)["outputResources"] == {"amis": []}
    assert workflows(cloud, built) == [("BUILD", "FAILED", "no disk")]
    tested = start(cloud, "b", test="closed")
    assert shown(cloud, tested, 500)["state"]["status"] == "FAILED"
    assert len(shown(cloud, tested)["outputResources"]["amis"]) == 1
    assert workflows(cloud, tested)[1] == ("TEST", "FAILED", "closed")


def test_the_same_token_starts_nothing_twice(cloud: alone.World) -> None:
    assert start(cloud) == start(cloud)
    assert start(cloud, "another") != start(cloud)


def test_only_what_is_under_way_is_cancelled_and_only_what_is_over_deleted(cloud: alone.World) -> None:
    builder, image = cloud.client("imagebuilder"), start(cloud)
    with pytest.raises(ClientError, match="ResourceDependencyException"):
        builder.delete_image(imageBuildVersionArn=image)
    builder.cancel_image_creation(imageBuildVersionArn=image, clientToken="token")
    assert shown(cloud, image, 900)["state"]["status"] == "CANCELLED"
    with pytest.raises(ClientError, match="InvalidRequestException"):
        builder.cancel_image_creation(imageBuildVersionArn=image, clientToken="token")
    builder.delete_image(imageBuildVersionArn=image)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        shown(cloud, image)


def test_an_image_carries_the_tags_that_its_run_was_started_with(cloud: alone.World) -> None:
    image = start(cloud)
    pipeline = shown(cloud, image)["sourcePipelineArn"]
    (listed,) = cloud.client("imagebuilder").list_image_pipeline_images(imagePipelineArn=pipeline)[
        "imageSummaryList"
    ]
    assert (listed["arn"], listed["tags"]) == (image, {"viridian:release": "1"})


def test_eventbridge_hears_of_each_state(cloud: alone.World) -> None:
    """https://docs.aws.amazon.com/imagebuilder/latest/userguide/integ-eventbridge.html"""
    image = start(cloud)
    for seconds in (0, 300, 60, 60, 60):
        shown(cloud, image, seconds)
    sample = alone.sample("start_release")
    assert {(source, kind) for source, kind, *_ in cloud.events} == {
        (sample["source"], sample["detail-type"])
    }
    assert [detail["state"]["status"] for _, _, detail, _ in cloud.events] == [
        "BUILDING",
        "TESTING",
        "AVAILABLE",
    ]
    assert cloud.events[-1][2:] == (sample["detail"], [image])


def test_an_ami_has_the_tags_of_the_distribution_settings_once_it_has_been_tested(cloud: alone.World) -> None:
    pipeline = seed.pipeline(cloud, "2.0.0", tags='{"team": "shop"}')
    started = cloud.client("imagebuilder").start_image_pipeline_execution(imagePipelineArn=pipeline)
    image = started["imageBuildVersionArn"]
    (ami,) = shown(cloud, image, 300)["outputResources"]["amis"]
    for seconds, is_tagged in ((119, False), (1, True)):
        shown(cloud, image, seconds)
        found = cloud.client("ec2").describe_images(ImageIds=[ami["image"]])["Images"][0]
        assert ({"Key": "team", "Value": "shop"} in found["Tags"]) == is_tagged
