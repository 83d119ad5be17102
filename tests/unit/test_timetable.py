"""The timetable: what is over when, at the soonest and at the latest."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from viridian import plan, timetable
from viridian.request import Deadlines, Inconclusive, Profile, Step

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PROFILE = Profile(
    route="r",
    steps=(Step(weight=10, observe_minutes=5), Step(weight=100, observe_minutes=20)),
    inconclusive=Inconclusive(minutes=15),
    deadlines=Deadlines(image_minutes=30, healthy_minutes=10, rollback_minutes=40),
    keep_minutes=60,
)
DEADLINE = plan.times(PROFILE, NOW)


def minutes(*, bakes: bool) -> dict[str, tuple[int, int]]:
    found = timetable.phases(PROFILE, NOW, DEADLINE, bakes=bakes)
    minute = timedelta(minutes=1)
    return {each.what: ((each.soonest - NOW) // minute, (each.latest - NOW) // minute) for each in found}


def test_every_wait_counts_at_the_latest_and_only_the_steps_at_the_soonest() -> None:
    assert minutes(bakes=True) == {
        "image available": (0, 30),
        "green healthy and smoke-tested": (0, 40),
        "10% observed": (5, 60),
        "100% observed": (25, 95),
        "promoted": (25, 125),
        "blue retires": (85, 185),
    }


def test_a_ready_image_is_not_waited_for() -> None:
    found = minutes(bakes=False)
    assert "image available" not in found
    assert found["green healthy and smoke-tested"] == (0, 10)
    assert found["100% observed"] == (25, 65)
    assert found["promoted"] == (25, 125), "the deadline is the same"


@pytest.mark.parametrize("bakes", [True, False])
def test_no_part_is_over_before_the_one_ahead_of_it(bakes: bool) -> None:
    found = list(minutes(bakes=bakes).values())
    assert found == sorted(found)
    assert all(soonest <= latest for soonest, latest in found)


def test_it_is_told_in_moments_with_what_becomes_of_a_release_that_is_late() -> None:
    phases = timetable.phases(PROFILE, NOW, DEADLINE, bakes=True)
    told = timetable.in_words(phases, PROFILE, DEADLINE)
    assert (
        told[0] == "image available: 2026-01-05T09:00:00Z at the soonest, 2026-01-05T09:30:00Z at the latest"
    )
    assert told[-2] == "blue retires: 2026-01-05T10:25:00Z at the soonest, 2026-01-05T12:05:00Z at the latest"
    late = "not promoted by 2026-01-05T11:05:00Z: it goes back to blue, and by 2026-01-05T11:45:00Z a person is paged"
    assert told[-1] == late


@pytest.mark.parametrize(
    ("steps", "observe", "open_for", "seconds"),
    [
        (4, 10, 15, 60),
        (1, 480, 15, 60),
        (1, 1440, 15, 180),
        (20, 72, 15, 180),
        (
            4,
            10,
            1400,
            183,
        ),  # four days, as long as an execution may take, and room for twelve hours of pauses
    ],
)
def test_green_is_judged_once_a_minute_unless_the_history_has_no_room_for_it(
    steps: int, observe: int, open_for: int, seconds: int
) -> None:
    """Nine events a look: under 5,000 for what is observed, under AWS's 25,000 however long verdicts stay open."""
    asked = tuple(Step(weight=min(100, 5 + n * 5), observe_minutes=observe) for n in range(steps))
    profile = replace(PROFILE, steps=asked, inconclusive=Inconclusive(minutes=open_for))
    assert timetable.judge_seconds(profile) == seconds
    assert 9 * 60 * steps * observe / seconds < 4_500
    assert 9 * 60 * steps * (observe + open_for) / seconds < 22_000
