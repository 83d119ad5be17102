"""A green that passes its smoke tests and fails under traffic: what is done, in which order, and what is kept of it."""

from collections.abc import Iterator

import pytest

from tests.workflow.test_verdicts import ensure_rolled_back
from tests.workflow.world import Item, Release, opened


@pytest.fixture(scope="module", params=["BrakeFunction", "RestoreBlueFunction"])
def restorer(request: pytest.FixtureRequest) -> str:
    """Who gives blue its traffic back: the brake, or the release's own Catch where the alarm's event is lost."""
    return str(request.param)


@pytest.fixture(scope="module")
def release(restorer: str) -> Iterator[Release]:
    """A release whose green answers every third request with 500, as soon as it has traffic."""
    with opened() as world:
        if restorer == "RestoreBlueFunction":
            world.drop_events("BrakeFunction")
        yield world.release(fault="third")


def test_a_green_that_fails_under_traffic_is_rolled_back(release: Release) -> None:
    ensure_rolled_back(
        release.world, release, f"GreenFailed: alarm viridian-shop-{release.id}-errors is in ALARM"
    )
    assert release.wrote_weights() == [{"shop-1": 50, release.green: 50}, {"shop-1": 100}]


def test_the_end_is_no_success_to_a_pipeline(release: Release) -> None:
    assert release.execution.status == "FAILED"
    assert release.execution.error == "RolledBack"
    assert "Traceback" not in release.cause


def test_what_was_wrong_with_green_is_kept(release: Release) -> None:
    evidence = release.record["evidence"]
    assert f"viridian-shop-{release.id}-errors ALARM" in evidence
    assert '"targets":["i-' in evidence
    assert "Launching a new EC2 instance" in evidence


def test_blue_serves_everything_and_has_settled_before_green_loses_anything(
    release: Release, restorer: str
) -> None:
    restoring = [call for call in changes(release) if call["principal"] == restorer]
    assert [call["call"] for call in restoring] == ["ModifyRule"]
    taking = [call for call in release.mutations() if call["principal"] == "ConvergeFunction"]
    settle = release.plan["profile"]["settle_seconds"]
    assert settle == 120
    assert min(call["at"] for call in taking) >= restoring[0]["at"] + settle


def test_the_group_goes_before_what_it_hangs_on(release: Release) -> None:
    """A group is emptied, then deleted, and the target group last: no request ever met an empty one."""
    calls = [call["call"] for call in release.mutations() if call["principal"] == "ConvergeFunction"]
    order = ["DeleteAutoScalingGroup", "DeleteRule", "DeleteTargetGroup"]
    assert [call for call in calls if call in order] == order
    assert calls.index("UpdateAutoScalingGroup") < calls.index("DeleteAutoScalingGroup")
    assert release.world.cloud.plane.no_target_5xx() == 0


def test_nothing_was_forced(release: Release) -> None:
    deleted = [call["request"] for call in release.mutations() if call["call"] == "DeleteAutoScalingGroup"]
    assert [bool(request.get("ForceDelete")) for request in deleted] == [False]


def test_the_journal_tells_the_way_there_and_the_way_back(release: Release) -> None:
    """The brake writes its entry before it has looked whether the route is a rule or a listener."""
    told = [str(entry["call"]).replace("Restore", "ModifyRule") for entry in release.journal]
    assert sorted(told) == sorted(call["call"] for call in changes(release))
    assert {entry["outcome"] for entry in release.journal} == {"done"}
    assert {int(entry["epoch"]) for entry in release.journal} == {1, 2}


def test_who_restores_blue_says_so_in_the_ledger(release: Release, restorer: str) -> None:
    own, named = release.arn, f"{release.id}-2"
    assert release.world.rollbacks() == ([named] if restorer == "BrakeFunction" else [])
    converger = str(release.record["converger"])
    assert converger == own if restorer == "RestoreBlueFunction" else converger.endswith(f":{named}")


def changes(release: Release) -> list[Item]:
    """What was changed for the release; that a machine was started for it is no change of its own."""
    return [call for call in release.mutations() if call["call"] != "StartExecution"]
