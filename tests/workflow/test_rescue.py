"""A release that can't bring itself back is brought back: by the brake, the guard, the sweeper; traffic first."""

from datetime import datetime

import pytest

from tests.workflow.test_verdicts import keep_red, with_cpu
from tests.workflow.world import MINUTE, RESCUERS, Release, World


def stop(world: World, release: Release) -> float:
    return world.stop(release, error="Stopped", cause="by a person, from the console")


def until_blue(world: World, since: float, limit: float) -> None:
    assert world.cloud.until(lambda: world.weights() == {"shop-1": 100}, limit), world.weights()
    assert world.cloud.clock.now() - since <= limit


def until_free(world: World) -> None:
    assert world.cloud.until(lambda: world.holder() is None, 60 * MINUTE)
    assert world.orphans() == []


def test_a_release_that_is_stopped_half_way_is_taken_back_by_the_guard(world: World) -> None:
    release = world.half_way()
    assert world.weights() == {"shop-1": 50, release.green: 50}
    until_blue(world, stop(world, release), limit=10)
    until_free(world)
    assert release.record["status"] == "RolledBack"
    assert release.record["failure"] == "Stopped: by a person, from the console"
    assert world.rollbacks() == [f"{release.id}-2"]
    assert writers(world, release) == ["ShiftTrafficFunction", "GuardFunction"]
    assert world.leftovers(release) == []
    assert world.group().minimum == 2
    assert world.paged() == []


def test_if_the_event_is_dropped_the_sweeper_does_it_within_two_minutes_and_pages(world: World) -> None:
    world.drop_events()
    release = world.half_way()
    until_blue(world, stop(world, release), limit=2 * MINUTE)
    until_free(world)
    assert release.record["status"] == "RolledBack"
    assert world.rollbacks() == [f"{release.id}-2"]
    assert writers(world, release) == ["ShiftTrafficFunction", "SweepFunction"]
    assert world.paged() == [f"viridian: shop {release.id} is being rolled back"]
    assert f"the sweeper took it over from {release.arn}" in world.pages()[0].message


def test_a_rollback_that_a_person_ordered_and_somebody_aborts_is_gone_on_with_by_the_guard(
    world: World,
) -> None:
    release = world.half_way(rollback="hold")
    rollback = world.start_rollback(release, reason="the shop's owner asks for it").until("Converge")
    assert world.weights() == {"shop-1": 100}
    stop(world, rollback)
    assert rollback.execution.status == "ABORTED"
    until_free(world)
    assert world.rollbacks()[1:] == [f"{release.id}-3"]
    assert release.record["status"] == "RolledBack"
    assert release.record["failure"] == "RollbackOrdered: the shop's owner asks for it"
    assert release.wait().end == "RolledBack"
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []
    assert world.group().minimum == 2


def test_a_rollback_of_the_guards_own_that_somebody_aborts_is_gone_on_with_too(world: World) -> None:
    release = world.half_way()
    stop(world, release)
    assert world.cloud.until(lambda: world.rollbacks() == [f"{release.id}-2"], MINUTE)
    named = world.outputs["RollbackStateMachineArn"].replace(":stateMachine:", ":execution:")
    stop(world, Release(world, f"{named}:{release.id}-2").until("Converge"))
    until_free(world)
    assert world.rollbacks() == [f"{release.id}-2", f"{release.id}-3"]
    assert release.record["failure"] == "Stopped: by a person, from the console"
    assert release.record["status"] == "RolledBack"
    assert world.leftovers(release) == []


def test_the_brake_needs_no_state_machine_and_the_sweeper_goes_on_once_there_is_one(world: World) -> None:
    """The release's own execution is dead, and nobody may start or see another."""
    world.drop_events("GuardFunction")
    release = world.half_way()
    stop(world, release)
    dead = {"status": 503, "times": 1_000_000, "functions": RESCUERS}
    world.faults.answers("StartExecution", "ServiceUnavailable", **dead)
    world.faults.answers("DescribeExecution", "ServiceUnavailable", **dead)
    began = world.cloud.clock.now()
    world.redden("shop-errors", "because of a test")
    until_blue(world, began, limit=5)
    world.pass_minutes(0.5)
    write_late(world, release)
    rewritten = world.cloud.clock.now()
    until_blue(world, rewritten, limit=10)
    world.pass_minutes(2)
    assert world.weights() == {"shop-1": 100}
    assert release.record["status"] == "RollingBack"
    assert world.rollbacks() == []
    assert settled(release) >= began
    assert world.group(release.group).in_service == 3
    assert set(writers(world, release)[1:]) == {"BrakeFunction"}

    world.faults.heals()
    until_free(world)
    assert world.rollbacks() == [f"{release.id}-2"]
    assert release.record["status"] == "RolledBack"
    assert release.record["failure"].startswith("GreenFailed: alarm shop-errors is in ALARM")
    assert world.leftovers(release) == []
    assert world.group().minimum == 2


def test_a_brake_that_keeps_failing_is_left_for_people_to_see_and_the_release_comes_back_all_the_same(
    world: World,
) -> None:
    release = watched(world)
    world.faults.raises("BrakeFunction", "Unheard", "what the brake never did before")
    world.redden("shop-cpu", "because of a test")
    assert release.wait().end == "RolledBack"
    assert release.cause.startswith("GreenFailed: alarm shop-cpu is in ALARM: because of a test")
    assert writers(world, release) == ["ShiftTrafficFunction", "RestoreBlueFunction"]
    assert world.cloud.until(lambda: bool(world.alarmed("DeadLettersAlarm")), 30 * MINUTE)


def test_people_are_told_of_a_sweeper_that_is_silent(world: World) -> None:
    world.pass_minutes(5)
    world.faults.raises("SweepFunction", "Unheard", "what the sweeper never did before")
    silent = world.cloud.clock.now()
    assert world.cloud.until(lambda: any(at > silent for at in world.alarmed("SweeperSilentAlarm")), 600)


@pytest.mark.parametrize("by", ["BrakeFunction", "RestoreBlueFunction"])
def test_a_red_guard_rolls_back_at_once_or_if_its_event_is_lost_once_the_judge_has_looked(
    world: World, by: str
) -> None:
    if by == "RestoreBlueFunction":
        world.drop_events("BrakeFunction")
    release = watched(world)
    before = world.cloud.clock.now()
    world.redden("shop-cpu", "because of a test")
    until_blue(world, before, limit=5 if by == "BrakeFunction" else 65)
    release.wait()
    assert release.end == "RolledBack"
    assert release.cause.startswith("GreenFailed: alarm shop-cpu is in ALARM: because of a test")
    assert writers(world, release) == ["ShiftTrafficFunction", by]
    assert world.rollbacks() == ([f"{release.id}-2"] if by == "BrakeFunction" else [])
    until_free(world)
    assert world.leftovers(release) == []
    assert world.group().minimum == 2


def watched(world: World) -> Release:
    """A release at half whose second guard is OK, and stays as it is told."""
    keep_red(world)
    world.redden("shop-cpu", "a quiet night", "OK")
    return world.half_way(**with_cpu())


def writers(world: World, release: Release) -> list[str]:
    """Which functions wrote the production rule, in order."""
    return [
        call["principal"]
        for call in release.mutations()
        if call["call"] == "ModifyRule" and call["request"]["RuleArn"] == world.shop.rule_arn
    ]


def write_late(world: World, release: Release) -> None:
    """The write of a function that an earlier epoch let through arrives."""
    world.set_weights(**{"shop_1": 50, release.green.replace("-", "_"): 50})


def settled(release: Release) -> float:
    """When the ledger has it that blue was restored."""
    return datetime.fromisoformat(str(release.record["restored_at"])).timestamp()
