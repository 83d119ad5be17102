"""What a fleet can carry: capacity, in every zone, at the floor."""

import pytest

from viridian import fleet
from viridian.errors import BlueUnfit, GreenUnfit
from viridian.fleet import Member, Side


def side(zones: str, group: str = "green", *, minimum: int = 3, desired: int = 3, capacity: int = 1) -> Side:
    """One letter an instance: its zone, small if it isn't healthy."""
    return Side(
        group=group,
        target_group=group,
        minimum=minimum,
        desired=desired,
        maximum=9,
        members=tuple(
            Member(
                instance=f"i-{number}",
                zone=letter.lower(),
                health="healthy" if letter.isupper() else "unhealthy",
                reason="" if letter.isupper() else "Target.FailedHealthChecks",
                capacity=capacity,
            )
            for number, letter in enumerate(zones)
        ),
    )


# green, blue, need, whether the balancer balances across zones, and what is lacking
LACKS: list[tuple[str, str, str, int, bool, str]] = [
    ("as many as needed", "AAB", "AAB", 3, True, ""),
    ("more than needed", "AABB", "AAB", 3, True, ""),
    (
        "one short",
        "AAb",
        "AAB",
        3,
        True,
        "2 of 3 healthy in green: i-2 unhealthy (Target.FailedHealthChecks)",
    ),
    ("nobody", "", "AAB", 3, True, "0 of 3 healthy in green: none"),
    ("a zone with nobody", "AAA", "AAB", 3, True, "0 of 1 healthy in zone b of green"),
    ("another zone is no reason", "AAB", "AAA", 3, True, ""),
    ("a zone that blue lost too", "AAA", "AAAb", 3, True, ""),
    ("fewer in a zone, balanced across", "AAAB", "AABB", 4, True, ""),
    ("fewer in a zone, each by itself", "AAAB", "AABB", 4, False, "1 of 2 healthy in zone b of green"),
    ("a zone's share rounds up", "AAB", "AB", 3, False, "1 of 2 healthy in zone b of green"),
    ("each zone's share", "AABB", "AABB", 4, False, ""),
    ("the need has outgrown blue", "AABB", "AB", 4, False, ""),
    ("a blue with nobody asks for no zone", "AAA", "ab", 3, False, ""),
]


@pytest.mark.parametrize(
    ("green", "blue", "need", "cross_zone", "lack"),
    [case[1:] for case in LACKS],
    ids=[case[0] for case in LACKS],
)
def test_green_carries_the_need_in_every_zone_of_blue(
    green: str, blue: str, need: int, cross_zone: bool, lack: str
) -> None:
    candidate, serving = side(green), side(blue, "blue")
    assert fleet.shortfall(candidate, serving, need, cross_zone=cross_zone) == lack
    if lack:
        with pytest.raises(GreenUnfit) as unfit:
            fleet.ensure_fit(candidate, serving, need, cross_zone=cross_zone)
        assert str(unfit.value) == lack
    else:
        fleet.ensure_fit(candidate, serving, need, cross_zone=cross_zone)


@pytest.mark.parametrize(
    "health", ["initial", "unhealthy", "draining", "unused", "unavailable", "unregistered"]
)
def test_only_a_healthy_target_counts(health: str) -> None:
    member = Member(instance="i-1", zone="a", health=health)
    assert (
        Side(group="g", target_group="t", minimum=1, desired=1, maximum=1, members=(member,)).healthy() == 0
    )


def test_a_weighted_instance_counts_for_its_capacity() -> None:
    assert side("AAb", capacity=4).healthy() == 8
    assert side("AAb", capacity=4).standing() == 12
    assert side("AABb", capacity=4).healthy_by_zone() == {"a": 8, "b": 4}


def test_no_more_than_five_are_named() -> None:
    assert side("a" * 40).ailing().count("i-") == 5


@pytest.mark.parametrize(
    ("zones", "need", "percent", "fit"),
    [
        ("AAB", 3, 90, True),
        ("AAb", 3, 90, False),
        ("AAb", 3, 60, True),
        ("Aab", 3, 33, True),
        ("Aab", 3, 34, False),
        ("aab", 3, 1, False),
        ("aab", 3, 0, True),
    ],
)
def test_blue_carries_what_is_left_to_it(zones: str, need: int, percent: int, fit: bool) -> None:
    if fit:
        fleet.ensure_carries(side(zones, "blue"), need, percent)
    else:
        with pytest.raises(BlueUnfit, match=f"that {percent}% needs healthy in blue"):
            fleet.ensure_carries(side(zones, "blue"), need, percent)


@pytest.mark.parametrize(
    ("green", "blue", "need", "lack", "state"),
    [
        ((3, 3), (3, 3), 3, "", "healthy"),
        ((3, 3), (3, 3), 3, "2 of 3", "waiting"),
        ((2, 3), (3, 3), 3, "", "short"),
        ((3, 3), (2, 3), 3, "", "short"),
        ((3, 3), (3, 4), 3, "", "short"),
        ((3, 3), (3, 4), 3, "2 of 3", "short"),
        ((3, 5), (4, 3), 3, "", "healthy"),
    ],
)
def test_green_is_tested_once_both_floors_hold(
    green: tuple[int, int], blue: tuple[int, int], need: int, lack: str, state: str
) -> None:
    candidate = side("AAB", minimum=green[0], desired=green[1])
    serving = side("AAB", "blue", minimum=blue[0], desired=blue[1])
    assert fleet.readiness(candidate, serving, need, lack) == state


@pytest.mark.parametrize(("minimum", "floor", "low"), [(2, 3, True), (3, 3, False), (4, 3, False)])
def test_a_fleet_stands_on_its_floor_or_above(minimum: int, floor: int, low: bool) -> None:
    assert fleet.below(side("A", minimum=minimum), floor) is low


# the need, what carried how many requests a minute before, how many there are now, the ceiling, and the need then
GROWN: list[tuple[str, int, int, float, float, int, int]] = [
    ("twice", 3, 3, 1200, 2400, 9, 6),
    ("rounded up", 3, 3, 1200, 1800, 9, 5),
    ("a count that strays is twice all the same", 3, 3, 1199.8, 2400.2, 9, 6),
    ("up to the ceiling", 3, 3, 1200, 6000, 9, 9),
    ("a quarter more is noise", 100, 100, 1200, 1500, 900, 100),
    ("more than that isn't", 100, 100, 1200, 1512, 900, 126),
    ("as many", 3, 3, 1200, 1200, 9, 3),
    ("it never falls", 6, 3, 1200, 1200, 9, 6),
    ("not with a fleet that lost its traffic", 6, 3, 1200, 0, 9, 6),
    ("nor with a smaller rise", 6, 3, 1200, 1800, 9, 6),
    ("nor with a ceiling that came down", 6, 3, 1200, 6000, 4, 6),
    ("in proportion to the start, not to what it was raised to", 6, 3, 1200, 4800, 99, 12),
    ("nothing to compare with", 3, 3, 0, 2400, 9, 3),
    ("too few to compare with", 3, 3, 99, 2400, 9, 3),
    ("just enough to compare with", 3, 3, 100, 200, 9, 6),
]


@pytest.mark.parametrize(
    ("need", "carried", "before", "rate", "ceiling", "grown"),
    [case[1:] for case in GROWN],
    ids=[case[0] for case in GROWN],
)
def test_the_need_rises_with_the_requests(
    need: int, carried: int, before: float, rate: float, ceiling: int, grown: int
) -> None:
    assert fleet.grown(need, carried, before, rate, ceiling) == grown


def test_who_is_missing_of_the_need_is_named() -> None:
    assert fleet.missing(side("AAb", "blue"), 2) == ""
    assert fleet.missing(side("AAb", "blue"), 3).startswith("2 of 3 healthy in blue: i-2 unhealthy")
