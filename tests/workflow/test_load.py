"""A service whose load doubles while a release runs: both floors rise with it, and nobody is turned away."""

import json
from collections.abc import Iterator

import pytest

from local.reality import Reality
from tests.workflow.world import MINUTE, Release, World, opened

RATE = 110.0  # requests a second; just what three instances are for, by their target tracking


@pytest.fixture
def busy() -> Iterator[World]:
    """A service that has had its load for long enough that a release knows it."""
    with opened(rate=RATE) as world:
        world.pass_minutes(5)
        yield world


def sizes(world: World, release: Release) -> tuple[tuple[int, int], tuple[int, int]]:
    """Of blue and of green: the floor, and how many are healthy."""
    blue, green = world.group().minimum, world.group(release.group).minimum
    return (blue, world.healthy("shop-1")), (green, world.healthy(release.green))


def doubled(world: World, release: Release) -> Release:
    """The load has doubled, and both fleets have grown to it."""
    world.traffic(2 * RATE)
    assert world.cloud.until(lambda: sizes(world, release) == ((6, 6), (6, 6)), 15 * MINUTE)
    return release


def judged(release: Release) -> str:
    """Everything that its history says."""
    return json.dumps(release.execution.history, default=str)


def test_at_half_both_floors_rise_with_the_load_and_the_release_is_promoted(busy: World) -> None:
    release = busy.half_way()
    assert release.plan["rate"] == pytest.approx(60 * RATE, abs=1)
    assert sizes(busy, release) == ((3, 3), (3, 3))
    doubled(busy, release)
    assert release.wait().end == "Promoted"
    calls = release.mutations()
    raised = [call["n"] for call in calls if call["request"].get("MinSize") == 6]
    whole = [
        call["n"]
        for call in calls
        if call["call"] == "ModifyRule" and busy.named(call["after"]) == {release.green: 100}
    ]
    assert len(raised) == 2
    assert max(raised) < min(whole)
    assert release.record["need"] == 6
    assert "6600 at the start: the need is 6, not" in judged(release)
    assert busy.weights() == {release.green: 100}
    assert busy.group(release.group).in_service == 6
    assert busy.nobody_lost_anything()


def test_taken_back_after_that_blue_carries_the_doubled_load_at_once(busy: World) -> None:
    release = doubled(busy, busy.half_way())
    rollback = busy.rollback(release, reason="the new version is too slow")
    assert rollback.states[-1] == "RolledBack"
    first = rollback.mutations()[0]
    assert (first["call"], busy.named(first["after"])) == ("ModifyRule", {"shop-1": 100})
    assert "RaiseBlue" not in json.dumps(rollback.execution.history, default=str)
    assert busy.group().in_service == 6
    assert (busy.group().minimum, busy.leftovers(release)) == (2, [])
    assert busy.nobody_lost_anything()


def test_a_load_that_doubles_while_the_image_is_baked_is_met_by_both_fleets_before_any_weight() -> None:
    """Blue has no policy of its own: only the release sees what it must carry."""
    with opened(reality=Reality(image_seconds=400), rate=RATE, tracking="none") as world:
        world.pass_minutes(5)
        release = world.start().until("CheckImage")
        world.traffic(2 * RATE)
        release.until("ShiftTraffic")
        assert sizes(world, release) == ((6, 6), (6, 6))
        assert release.wait().end == "Promoted"
        assert world.nobody_lost_anything()


def test_a_load_that_falls_leaves_the_floors_where_they_are(busy: World) -> None:
    release = busy.half_way()
    busy.traffic(RATE / 4)
    assert release.wait().end == "Promoted"
    assert release.record["need"] == 3
    assert "the need is" not in judged(release)
