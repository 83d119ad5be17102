"""CodeBuild as its API Reference has it: a build takes its time, ends once, and its token is forgotten."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import seed
from local.fleet.builds import Builds
from local.fleet.images import Images
from local.reality import Reality
from tests.local import alone
from tests.local.alone import Clock, standing


@pytest.fixture
def cloud() -> Iterator[alone.World]:
    clock = Clock()
    images = Images(clock, Reality())
    with standing(images, Builds(clock, Reality())):
        yield alone.World(clock=clock, images=images)


def start(cloud: alone.World, token: str = "token", **variables: str) -> str:
    told = [{"name": name, "value": value} for name, value in variables.items()]
    started = cloud.client("codebuild").start_build(
        projectName="shop-packer", idempotencyToken=token, environmentVariablesOverride=told
    )
    return str(started["build"]["id"])


def shown(cloud: alone.World, build: str, after: float = 0) -> dict[str, Any]:
    cloud.clock.time += after
    return dict(cloud.client("codebuild").batch_get_builds(ids=[build])["builds"][0])


def test_a_build_ends_in_its_time_and_exports_the_image_that_it_made(cloud: alone.World) -> None:
    seed.project(cloud, "2.0.0", fault="third")
    build = start(cloud, RELEASE="1")
    assert [shown(cloud, build, after)["buildStatus"] for after in (0, 299, 1)] == [
        "IN_PROGRESS",
        "IN_PROGRESS",
        "SUCCEEDED",
    ]
    (exported,) = shown(cloud, build)["exportedEnvironmentVariables"]
    assert exported["name"] == "AMI_ID"
    assert cloud.images.disk_of(exported["value"])["fault"] == "third"
    told = shown(cloud, build)["environment"]["environmentVariables"]
    assert [(each["name"], each["value"]) for each in told] == [("RELEASE", "1")]


def test_a_build_that_fails_says_in_which_phase_and_exports_nothing(cloud: alone.World) -> None:
    seed.project(cloud, "2.0.0", packer="no such AMI")
    found = shown(cloud, start(cloud), 300)
    assert found["buildStatus"] == "FAILED"
    assert found["phases"][-1]["contexts"][0]["message"] == "no such AMI"
    assert found.get("exportedEnvironmentVariables", []) == []


def test_a_build_that_is_stopped_stays_stopped(cloud: alone.World) -> None:
    seed.project(cloud, "2.0.0")
    build = start(cloud)
    cloud.client("codebuild").stop_build(id=build)
    assert shown(cloud, build, 900)["buildStatus"] == "STOPPED"


def test_a_token_is_good_for_five_minutes_and_one_request(cloud: alone.World) -> None:
    seed.project(cloud, "2.0.0")
    build = start(cloud)
    assert start(cloud) == build
    with pytest.raises(ClientError, match="InvalidInputException"):
        start(cloud, RELEASE="2")
    cloud.clock.time += 301
    assert start(cloud) != build


def test_builds_are_listed_newest_first(cloud: alone.World) -> None:
    seed.project(cloud, "2.0.0")
    begun = [start(cloud, token) for token in ("a", "b")]
    listed = cloud.client("codebuild").list_builds_for_project(projectName="shop-packer")["ids"]
    assert listed == begun[::-1]
