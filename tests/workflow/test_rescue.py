"""A release that can't bring itself back is brought back: by the brake, the guard, the sweeper; traffic first."""

from typing import Any

import pytest

from tests.workflow.world import MINUTE, Release, World


def half_way(world: World) -> Release:
    return world.start().until("JudgeGreen")


def stop(world: World, release: Release) -> float:
    world.cloud.client("stepfunctions").stop_execution(
        executionArn=release.arn, error="Stopped", cause="by a person, from the console"
    )
    return float(world.cloud.clock.now())


def until_blue(world: World, since: float, limit: float) -> None:
    assert world.cloud.until(lambda: world.weights() == {"shop-1": 100}, limit), world.weights()
    assert world.cloud.clock.now() - since <= limit


def until_free(world: World) -> None:
    assert world.cloud.until(lambda: world.holder() is None, 60 * MINUTE)
    assert world.orphans() == []


def rollbacks(world: World) -> list[str]:
    found = world.cloud.client("stepfunctions").list_executions(
        stateMachineArn=world.outputs["RollbackStateMachineArn"]
    )
    return sorted(execution["name"] for execution in found["executions"])


def rules(world: World) -> list[Any]:
    return list(world.cloud.client("events").list_rules()["Rules"])


def drop_events(world: World) -> None:
    for rule in rules(world):
        world.cloud.client("events").disable_rule(Name=rule["Name"])


def test_a_release_that_is_stopped_half_way_is_taken_back_by_the_guard(world: World) -> None:
    release = half_way(world)
    assert world.weights() == {"shop-1": 50, release.green: 50}
    until_blue(world, stop(world, release), limit=10)
    until_free(world)
    assert release.record["status"] == "RolledBack"
    assert release.record["failure"].startswith(
        ("Stopped: by a person", f"ExecutionAborted: {release.arn} ended")
    )
    assert rollbacks(world) == [f"{release.id}-2"]
    assert [call["principal"] for call in world.mutations() if call["call"] == "ModifyRule"][
        -2
    ] == "GuardFunction"


def test_if_the_event_is_dropped_the_sweeper_does_it_within_two_minutes_and_pages(world: World) -> None:
    drop_events(world)
    release = half_way(world)
    until_blue(world, stop(world, release), limit=2 * MINUTE)
    until_free(world)
    assert release.record["status"] == "RolledBack"
    assert rollbacks(world) == [f"{release.id}-2"]


@pytest.mark.parametrize("guard", ["shop-errors"])
def test_a_red_guard_brakes_before_the_judge_has_looked(world: World, guard: str) -> None:
    release = half_way(world)
    before = world.cloud.clock.now()
    world.cloud.client("cloudwatch").set_alarm_state(
        AlarmName=guard, StateValue="ALARM", StateReason="because of a test"
    )
    until_blue(world, before, limit=5)
    release.wait()
    assert release.end == "RolledBack"
    assert release.cause.startswith(f"GreenFailed: alarm {guard} is in ALARM")
    assert rollbacks(world) == [f"{release.id}-2"]
    until_free(world)
