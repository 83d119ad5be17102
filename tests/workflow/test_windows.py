"""Windows through the machine: what waits holds nothing, what is refused touches nothing, what overrides is recorded."""

from typing import Any

import pytest

from tests.workflow.world import MINUTE, ONE_STEP, Release, World, opened

# The world begins in the New York night; it is four o'clock there.
MORNING = {"time_zone": "America/New_York", "open": [{"from": "04:25", "to": "16:00"}]}
OVERRIDE = {"reason": "mends what the customers see"}


def ready(world: World, fault: str | None = None, **asked: Any) -> Release:
    """A release of an image that is there, so that most of it is the wait."""
    return world.start(source=world.ami(fault=fault), **asked)


def changed(world: World, release: Release) -> list[str]:
    """Every changing call of an execution's, the ledger's included."""
    return [call["call"] for call in world.cloud.calls.of(release.arn) if call["mutating"]]


@pytest.mark.profile(steps=ONE_STEP, windows=MORNING)
def test_a_release_of_the_night_waits_for_its_window_and_another_runs_meanwhile(world: World) -> None:
    waits = ready(world, version="3.0.0").until("WaitForWindow")
    urgent = ready(world, fault="third", override_window=OVERRIDE).wait()
    assert urgent.end == "RolledBack", urgent.cause
    assert urgent.plan["override_window"] == OVERRIDE
    assert urgent.plan["window"].endswith("overridden because: mends what the customers see")
    assert (waits.running, changed(world, waits)) == (True, [])
    assert world.cloud.until(lambda: "Release" in waits.states or not waits.running, 30 * MINUTE)
    assert waits.states[:6] == [
        "PlanRelease",
        "IsDryRun",
        "WaitForWindow",
        "PlanRelease",
        "IsDryRun",
        "Release",
    ]
    assert waits.wait().end == "Promoted", waits.cause
    assert waits.plan["started_at"].startswith("2026-01-05T09:25:0")


@pytest.mark.profile(windows={**MORNING, "outside": "refuse"})
def test_a_release_that_is_not_to_wait_is_refused_and_touches_nothing(world: World) -> None:
    release = ready(world).wait()
    assert release.end == "Refused"
    assert release.cause.startswith(
        "Refusal: window: outside its windows, daily 04:25-16:00 America/New_York"
    )
    assert release.cause.endswith(
        "Start it after 2026-01-05T09:25:00Z, or give override_window with a reason."
    )
    assert changed(world, release) == []


def test_no_first_traffic_is_given_after_the_window_has_closed() -> None:
    """Green is ready a minute and a half after the world has begun, at four minutes past four."""
    shut = {"from": "04:00", "to": "04:05"}
    with opened(
        steps=ONE_STEP, windows={**MORNING, "open": [shut, {"from": "04:20", "to": "16:00"}]}
    ) as world:
        release = ready(world).wait()
        assert release.end == "Promoted", release.cause
        assert "WaitForWindow" not in release.states
        assert 1 < release.states.count("WaitAtGate") < 6
        first = next(call for call in release.mutations() if call["call"] == "ModifyRule")
        assert 16 * MINUTE < first["at"] - world.cloud.calls.entries[0]["at"] < 24 * MINUTE
    with opened(steps=ONE_STEP, windows={**MORNING, "open": [shut]}) as world:
        release = ready(world).wait()
        assert release.end == "RolledBack"
        assert "its window closed before green was ready" in release.cause
        assert release.wrote_weights() == []
