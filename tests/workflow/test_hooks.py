"""A service's own hooks: when they are asked, what they are told, and what their word does to the release."""

from typing import Any

import pytest

from local import seed
from tests import hook
from tests.workflow.world import STEPS, Release, World


def hooked(world: World, arn: str, *gates: str, minutes: int = 15, **asked: Any) -> Release:
    """A release of a service with a hook at these gates, to its end."""
    hooks = {gate: {"arn": arn, "minutes": minutes} for gate in gates}
    seed.registered(world.cloud, "shop", {**world.shop.profile, "hooks": hooks})
    return world.release(source=world.ami(), **asked)


def test_a_hook_is_asked_at_each_of_its_gates_and_told_how_to_see_green(world: World) -> None:
    arn = hook.stands(world.cloud, {"verdict": "Successful", "reason": "12 of 12 checks passed"})
    release = hooked(world, arn, "before_traffic", "after_step", "before_promote")
    assert release.end == "Promoted", release.cause
    told = hook.letters
    assert [(each["gate"], each["step"]) for each in told] == [
        ("before_traffic", 0), ("after_step", 0), ("before_promote", 1),
    ]  # fmt: skip
    assert all(each["release"] == release.id for each in told)
    assert told[0]["green"]["value"] == release.plan["standby"]["value"]
    assert told[0]["image"] == release.record["image"]
    assert len(STEPS) == 2


@pytest.mark.parametrize(
    ("gate", "weights"), [("before_traffic", 0), ("after_step", 1), ("before_promote", 2)]
)
def test_a_hook_that_says_no_takes_the_release_back(world: World, gate: str, weights: int) -> None:
    arn = hook.stands(world.cloud, {"verdict": "Failed", "reason": "checkout lost 3 orders"})
    release = hooked(world, arn, gate)
    assert release.end == "RolledBack"
    assert release.cause.startswith(f"GateClosed: {arn}: checkout lost 3 orders")
    assert len(release.wrote_weights()) == weights + (1 if weights else 0)
    assert world.leftovers(release) == []
    assert world.nobody_lost_anything()


def test_a_hook_that_is_at_work_is_asked_again(world: World) -> None:
    arn = hook.stands(
        world.cloud, *[{"verdict": "InProgress", "reason": "warming caches"}] * 3, {"verdict": "Successful"}
    )
    release = hooked(world, arn, "before_traffic")
    assert release.end == "Promoted", release.cause
    assert len(hook.letters) == 4


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"verdict": "InProgress"}, "has no verdict after 5 minutes"),
        (KeyError("orders"), "KeyError: 'orders'"),
        ("done", "its answer has no verdict"),
    ],
)
def test_a_hook_that_never_says_anything_is_a_no(world: World, said: Any, words: str) -> None:
    arn = hook.stands(world.cloud, said)
    release = hooked(world, arn, "before_traffic", minutes=5)
    assert release.end == "RolledBack"
    assert words in release.cause
    assert release.wrote_weights() == []


def test_a_state_machine_is_a_hook_too_and_runs_once_at_a_gate(world: World) -> None:
    arn = hook.machine(world.cloud, seconds=200)
    began = world.cloud.clock.now()
    release = hooked(world, arn, "before_traffic")
    assert release.end == "Promoted", release.cause
    (execution,) = world.cloud.executions(arn)
    assert release.id in execution
    assert world.cloud.clock.now() - began > 200
    assert release.states.count("PassGate") < 12


def test_a_state_machine_that_fails_takes_the_release_back(world: World) -> None:
    arn = hook.machine(world.cloud, error="ChecksFailed")
    release = hooked(world, arn, "before_promote")
    assert release.end == "RolledBack"
    assert "ChecksFailed: p99 is twice what it was" in release.cause


def test_a_hook_that_is_not_lent_or_not_there_is_refused_before_anything_is_touched(world: World) -> None:
    arn = hook.stands(world.cloud, {"verdict": "Successful"}, lent=False)
    foreign, gone = hooked(world, arn, "before_traffic"), hooked(world, f"{arn}-gone", "after_step")
    assert (foreign.end, gone.end) == ("Refused", "Refused")
    assert "profile.hooks.before_traffic.arn: not lent to service shop" in foreign.cause
    assert "profile.hooks.after_step.arn" in gone.cause
    assert "that exists" in gone.cause
    assert foreign.mutations() == gone.mutations() == []


def test_a_hook_hears_of_a_rollback_once_it_is_over_and_cannot_change_it(world: World) -> None:
    arn = hook.stands(world.cloud, {"verdict": "InProgress"}, {"verdict": "Failed", "reason": "no matter"})
    release = hooked(world, arn, "after_rollback", smoke_tests=[{"path": "/", "contains": "another version"}])
    assert release.end == "RolledBack"
    assert release.cause.startswith("SmokeTestsFailed: ")
    assert [each["gate"] for each in hook.letters] == ["after_rollback"] * 2
    assert hook.letters[0]["failure"].startswith("SmokeTestsFailed: ")
    assert release.record["status"] == "RolledBack"
    assert world.holder() is None


def test_a_hook_that_hears_of_a_rollback_by_a_person_hears_of_it_there(world: World) -> None:
    arn = hook.machine(world.cloud, seconds=30)
    release = hooked(world, arn, "after_rollback", steps=[{"weight": 100, "observe_minutes": 4}])
    assert release.end == "Promoted", release.cause
    rollback = world.rollback(release, reason="checkout is slow")
    assert rollback.end == "RolledBack", rollback.cause
    assert "PassGateAfterRollback" in rollback.states
    assert len(world.cloud.executions(arn)) == 1
