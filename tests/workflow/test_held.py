"""A release that is Held waits for a person: to take it back, or to let it go on from its first step."""

from typing import Any

import pytest

from tests.workflow.world import Release, World

ONCE = (
    "CreateTargetGroup",
    "CreateRule",
    "CreateLaunchTemplateVersion",
    "CreateAutoScalingGroup",
    "CreateImage",
)


def unproven(world: World, **asked: Any) -> Release:
    """Held with all on blue: nobody came, so green stands unjudged."""
    world.traffic(0)
    release = world.release(inconclusive={"minutes": 1, "then": "hold"}, **asked)
    assert release.end == "Held", release.cause
    assert world.weights() == {"shop-1": 100}
    world.traffic(20)
    return release


# --- the profile says: don't go back ----------------------------------------------------------------------


@pytest.mark.parametrize("by", ["BrakeFunction", "RestoreBlueFunction"])
def test_where_the_profile_holds_a_failure_leaves_the_weights_until_a_person_orders(
    world: World, by: str
) -> None:
    if by == "RestoreBlueFunction":
        world.drop_events()
    release = world.half_way(fault="third", rollback="hold").wait()
    assert (release.execution.status, release.end) == ("FAILED", "Held")
    assert release.cause.startswith(f"GreenFailed: alarm viridian-shop-{release.id}-errors is in ALARM")
    assert "the profile says rollback: hold" in release.cause
    assert world.weights() == {"shop-1": 50, release.green: 50}
    assert release.wrote_weights() == [{"shop-1": 50, release.green: 50}]
    (page,) = [call for call in release.mutations() if call["call"] == "Publish"]
    assert page["principal"] == by
    assert world.paged() == [f"viridian: shop {release.id} has ended Held"]
    assert world.holder() == release.id
    world.pass_minutes(3)
    assert world.weights() == {"shop-1": 50, release.green: 50}

    rollback = world.rollback(release, reason="the migration can be undone after all")
    assert (rollback.execution.status, rollback.end) == ("SUCCEEDED", "RolledBack")
    assert rollback.wrote_weights() == [{"shop-1": 100}]
    assert world.leftovers(release) == []
    assert world.holder() is None
    assert release.record["status"] == "RolledBack"
    assert str(release.record["failure"]).startswith("GreenFailed: ")


# --- resume -----------------------------------------------------------------------------------------------


def test_a_held_release_resumes_from_its_first_step_and_makes_nothing_twice(world: World) -> None:
    release = unproven(world)
    resumed = world.resume(release).wait()
    assert (resumed.execution.status, resumed.end) == ("SUCCEEDED", "Promoted"), resumed.cause
    assert resumed.id == release.id
    assert resumed.plan["deadline"][:16] in resumed.plan["timetable"][-1]
    assert resumed.plan["deadline"][:16] not in release.plan["timetable"][-1]
    assert resumed.wrote_weights() == [{"shop-1": 50, release.green: 50}, {release.green: 100}]
    made = [call["call"] for call in world.mutations()]
    assert [made.count(call) for call in ONCE] == [1] * len(ONCE)
    assert release.record["status"] == "Promoted"
    assert "failure" not in release.record
    assert release.record["retire_at"]
    assert world.weights() == {release.green: 100}
    assert world.standby() == {release.green: 0, "shop-1": 100}
    assert (world.group(release.group).minimum, world.alarms()) == (2, ["shop-errors"])
    assert world.holder() is None
    assert world.orphans() == []
    assert {entry["outcome"] for entry in release.journal} == {"done"}


def test_a_resumed_release_whose_green_fails_is_rolled_back(world: World) -> None:
    release = unproven(world, fault="third", source=world.ami(fault="third"))
    resumed = world.resume(release).wait()
    assert resumed.end == "RolledBack"
    assert resumed.cause.startswith(f"GreenFailed: alarm viridian-shop-{release.id}-errors is in ALARM")
    assert resumed.wrote_weights() == [{"shop-1": 50, release.green: 50}, {"shop-1": 100}]
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []
    assert world.holder() is None


def test_what_may_not_resume_is_refused_and_nothing_is_touched(world: World) -> None:
    running = world.half_way()
    ensure_refused(world, world.resume(running), "resume: ", running.id, "Only a Held release resumes")
    ensure_refused(world, world.resume(running, resume="9.9.9-000000"), "resume: ", "9.9.9-000000")
    assert running.running
    assert world.rollback(running).end == "RolledBack"
    ensure_refused(world, world.resume(running), "resume: ", running.id, "RolledBack")


def test_a_resume_without_a_reason_or_with_weights_that_somebody_else_wrote_is_refused(world: World) -> None:
    release = unproven(world, source=world.ami())
    ensure_refused(world, world.resume(release, reason=None), "reason: missing")
    ensure_refused(world, world.resume(release, reason="go"), "reason: go")
    ensure_refused(world, world.resume(release, version="2.0.0"), "version: ")
    world.set_weights(**{"shop_1": 80, release.green.replace("-", "_"): 20})
    ensure_refused(world, world.resume(release), "route: ", f"{release.green} 20", "somebody else")
    assert world.weights() == {"shop-1": 80, release.green: 20}
    assert release.record["status"] == "Held"
    assert world.holder() == release.id


def test_of_two_resumes_at_once_one_runs_and_the_other_takes_nothing_from_it(world: World) -> None:
    """Both plans saw it Held; the ledger's transaction decides."""
    release = unproven(world, source=world.ami())
    world.faults.hangs("AcquireLockFunction", 20)
    first, second = world.resume(release), world.resume(release)
    first.until("AcquireLock")
    second.until("AcquireLock")
    assert world.cloud.until(lambda: not (first.running and second.running), 600)
    winner, loser = (first, second) if first.running else (second, first)
    assert loser.end == "Refused", (loser.end, loser.cause)
    assert world.mutations(loser.arn) == []
    assert winner.wait().end == "Promoted", winner.cause


def ensure_refused(world: World, asked: Release, field: str, *words: str) -> None:
    before = world.weights(), world.holder()
    assert asked.wait().end == "Refused", (asked.end, asked.cause)
    assert asked.cause.startswith(f"Refusal: {field}"), asked.cause
    for word in words:
        assert word in asked.cause, asked.cause
    assert world.calls(asked.arn) == []
    assert (world.weights(), world.holder()) == before
