"""CodeBuild: one build per release, and the words of the phase that failed."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from local import seed
from tests.account import Account
from tests.unit.test_record import PLAN
from viridian.aws import builds
from viridian.image import Making
from viridian.request import ContainerArtifact, PackerSource

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:2.0.0"
SOURCE = PackerSource(project="shop-packer", artifact=ContainerArtifact(uri=URI))


def test_a_build_is_told_of_a_container_image_as_it_is_of_an_object() -> None:
    told = builds.variables(msgspec.structs.replace(PLAN, source=SOURCE))
    assert told["ARTIFACT"] == URI
    assert "ARTIFACT_VERSION" not in told


def test_only_the_build_of_this_release_is_found(account: Account) -> None:
    seed.project(account, "2.0.0")
    plan = msgspec.structs.replace(PLAN, source=SOURCE)
    assert builds.find(plan) is None
    client = account.client("codebuild")
    for release in ("1.0.0-1", plan.release, "3.0.0-1"):
        variables = [{"name": "VIRIDIAN_RELEASE", "value": release}]
        started = client.start_build(projectName="shop-packer", environmentVariablesOverride=variables)
        if release == plan.release:
            ours = started["build"]["id"]
    assert builds.find(plan) == ours


def test_a_build_that_isnt_shown_yet_is_on_its_way(account: Account) -> None:
    assert account
    assert builds.follow("shop-packer:1") == Making(
        id="shop-packer:1", what="build shop-packer:1", status="IN_PROGRESS"
    )


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        ([{"phaseType": "SUBMITTED", "phaseStatus": "SUCCEEDED"}, {"phaseType": "BUILD"}], ""),
        (
            [
                {"phaseType": "DOWNLOAD_SOURCE", "phaseStatus": "CLIENT_ERROR"},
                {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [{"message": "later"}]},
            ],
            "DOWNLOAD_SOURCE: CLIENT_ERROR",
        ),
        (
            [{"phaseType": "BUILD", "phaseStatus": "TIMED_OUT", "contexts": [{"message": "an hour"}]}],
            "BUILD: an hour",
        ),
    ],
)
def test_a_build_that_failed_says_in_which_phase(
    account: Account, phases: list[dict[str, Any]], words: str
) -> None:
    build = {"id": "b:1", "buildStatus": "FAILED", "startTime": account.now(), "phases": phases}
    shown = SimpleNamespace(status_code=200), {"builds": [build]}
    with account.hooked("before-call", "codebuild", "BatchGetBuilds", lambda: shown):
        assert builds.follow("b:1").reason == words
