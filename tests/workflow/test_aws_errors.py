"""AWS throttles, is away, answers late or denies: a release goes on or goes back, and says which call it was."""

from typing import Any

import pytest

from tests.workflow.world import ONE_STEP, World

PREPARING = ("CreateImage", "CreateTargetGroup", "ModifyTargetGroupAttributes", "CreateRule", "ModifyRule")
FLEET = (
    "CreateLaunchTemplateVersion",
    "CreateAutoScalingGroup",
    "PutScalingPolicy",
    "UpdateAutoScalingGroup",
    "PutMetricAlarm",
    "EnableImageDeregistrationProtection",
    "DeleteAlarms",
)
CHANGES = (*PREPARING, *FLEET)
MADE = (
    "CreateImage",
    "CreateTargetGroup",
    "CreateRule",
    "CreateLaunchTemplateVersion",
    "CreateAutoScalingGroup",
)
LEDGER = ("TransactWriteItems", "UpdateItem")
REMOVALS = (
    "UpdateAutoScalingGroup",
    "DeleteAutoScalingGroup",
    "DeleteAlarms",
    "DeleteRule",
    "DeleteTargetGroup",
    "DeleteLaunchTemplateVersions",
    "DeregisterImage",
)
RELEASING = (
    "AcquireLockFunction",
    "BakeImageFunction",
    "CheckImageFunction",
    "CreateGreenFunction",
    "ShiftTrafficFunction",
    "HoldFloorsFunction",
    "PromoteFunction",
)
PASSING: dict[str, dict[str, Any]] = {
    "Throttling": {"status": 400},
    "InternalFailure": {"status": 500},
    "Silence": {"lost": True},
}


# Green takes everything in one step: what fails here fails at any step.
pytestmark = pytest.mark.profile(steps=ONE_STEP)


@pytest.mark.parametrize("calls", [PREPARING, FLEET, LEDGER], ids=["preparing", "fleet", "ledger"])
@pytest.mark.parametrize("error", PASSING)
def test_a_passing_error_on_every_change_is_ridden_out(
    world: World, error: str, calls: tuple[str, ...]
) -> None:
    world.faults.answers_once(calls, error, **PASSING[error])
    release = world.release()
    assert release.end == "Promoted", release.cause
    assert set(world.faults.answered) == set(calls)
    assert world.weights() == {release.green: 100}
    assert world.holder() is None
    assert world.orphans() == []
    done = [call["call"] for call in release.mutations()]
    assert [done.count(call) for call in MADE] == [1, 1, 1, 1, 1], "something was made twice"


@pytest.mark.parametrize("call", CHANGES)
def test_a_change_that_is_denied_rolls_the_release_back_and_is_named(world: World, call: str) -> None:
    world.faults.denies(call, *RELEASING)
    release = world.release()
    assert release.end == "RolledBack", release.cause
    assert release.cause.startswith(f"NotPermitted: {call}: ")
    assert "Traceback" not in release.cause
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []
    assert world.holder() is None
    assert world.group().minimum == 2


def test_a_ledger_that_denies_its_writes_refuses_the_release(world: World) -> None:
    world.faults.denies("TransactWriteItems")
    release = world.release()
    assert release.end == "Refused"
    assert release.cause.startswith("NotPermitted: TransactWriteItems: ")
    assert world.calls(release.arn) == []
    assert world.holder() is None


def test_a_look_that_is_denied_refuses_the_release(world: World) -> None:
    for call in ("DescribeRules", "DescribeAutoScalingGroups", "GetParameter", "DescribeAlarms"):
        world.faults.denies(call, "PlanReleaseFunction")
        release = world.release()
        assert release.end == "Refused"
        assert release.cause.startswith(f"NotPermitted: {call}: ")
        assert world.calls(release.arn) == []
        world.faults.heals()


def test_passing_errors_do_not_stop_the_way_back(world: World) -> None:
    world.faults.answers_once((*REMOVALS, "ModifyRule"), "Throttling")
    release = world.release(fault="third")
    assert release.end == "RolledBack", release.cause
    assert set(world.faults.answered) == {*REMOVALS, "ModifyRule"}
    assert world.leftovers(release) == []
    assert world.holder() is None


def test_what_may_not_be_removed_is_named_and_blue_serves_all_the_same(world: World) -> None:
    world.faults.denies("DeregisterImage")
    release = world.release(fault="third")
    assert release.end == "RollbackIncomplete"
    assert release.cause.startswith("GreenFailed: alarm ")
    assert "DeregisterImage" in release.cause
    assert world.paged() == [f"viridian: shop {release.id} has ended RollbackIncomplete"]
    assert "DeregisterImage" in world.pages()[0].message
    assert world.weights() == {"shop-1": 100}
    assert world.holder() == release.id

    world.faults.heals()
    rollback = world.rollback(release)
    assert rollback.states[-1] == "RolledBack"
    assert world.leftovers(release) == []
    assert world.holder() is None


def test_blue_is_restored_first_even_while_its_writes_are_throttled(world: World) -> None:
    release = world.start(fault="third").until("JudgeGreen")
    world.faults.answers("ModifyRule", "Throttling", times=3)
    release.wait()
    assert release.end == "RolledBack"
    assert world.faults.answered["ModifyRule"] == 3
    removed = [call["at"] for call in release.mutations() if call["call"] == "UpdateAutoScalingGroup"][-1]
    restored = [call["at"] for call in release.mutations() if call["call"] == "ModifyRule"][-1]
    assert restored + release.plan["profile"]["settle_seconds"] <= removed


@pytest.mark.parametrize("call", ["DeregisterImage", "DeleteRule"])
def test_what_may_not_be_removed_is_named_where_the_time_is_up_first(world: World, call: str) -> None:
    world.faults.denies(call)
    release = world.release(fault="third", deadlines={"rollback_minutes": 6})
    assert release.end == "RollbackIncomplete"
    assert "delete by hand: " in release.cause
    assert f"NotPermitted: {call}: " in release.cause
    assert f"NotPermitted: {call}: " in world.pages()[-1].message
    assert world.weights() == {"shop-1": 100}
