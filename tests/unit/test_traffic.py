"""Where the traffic goes: weights as they are to be, never as they are plus something."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian import traffic
from viridian.errors import Drifted, Refusal
from viridian.traffic import Forward

BLUE, GREEN, THIRD = (
    f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/0" for name in ("b", "g", "t")
)


def weights(blue: int | None = None, green: int | None = None, third: int | None = None) -> dict[str, int]:
    given_ = {BLUE: blue, GREEN: green, THIRD: third}
    return {group: weight for group, weight in given_.items() if weight is not None}


def forward(blue: int | None = None, green: int | None = None, third: int | None = None) -> Forward:
    return Forward(weights=weights(blue, green, third))


@pytest.mark.parametrize(
    ("now", "blue"), [(forward(1), True), (forward(100, third=0), True), (forward(999, 0), True)]
)
def test_blue_is_the_one_group_that_serves(now: Forward, blue: bool) -> None:
    assert (traffic.find_blue(now) == BLUE) == blue


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (forward(), "no target group"),
        (forward(50, 50), "b at 50, g at 50"),
        (forward(0, 0), "b at 0, g at 0"),
        (forward(1, third=1), "b at 1, t at 1"),
    ],
)
def test_several_groups_that_serve_or_none_are_nobodys_blue(now: Forward, shown: str) -> None:
    with pytest.raises(Refusal) as refused:
        traffic.find_blue(now)
    assert refused.value.field == "route"
    assert refused.value.value == shown
    assert refused.value.fix == "Give all weight to the one target group that serves now."


@pytest.mark.parametrize(
    ("weight", "now", "wanted"),
    [
        (10, weights(100), weights(90, 10)),
        (10, weights(1), weights(90, 10)),
        (50, weights(90, 10), weights(50, 50)),
        (50, weights(50, 50), weights(50, 50)),
        (100, weights(50, 50), weights(green=100)),
        (0, weights(50, 50), weights(100)),
        (0, weights(green=100), weights(100)),
        (10, weights(100, third=0), weights(90, 10, 0)),
        (10, weights(100, third=40), weights(90, 10, 40)),
    ],
)
def test_green_gets_its_share_and_blue_the_rest(
    weight: int, now: dict[str, int], wanted: dict[str, int]
) -> None:
    found = traffic.split(BLUE, GREEN, weight, Forward(weights=now), sticky=0, sticky_targets=0)
    assert found.weights == wanted


@pytest.mark.parametrize(
    ("weight", "sticky", "sticky_targets", "seconds"),
    [
        (50, 0, 0, 0),
        (50, 600, 0, 600),
        (50, 0, 86400, 86400),
        (50, 600, 86400, 600),
        (100, 0, 86400, 0),
        (100, 600, 0, 600),
        (0, 0, 86400, 0),
    ],
)
def test_two_groups_with_sticky_targets_are_sticky_together_for_as_long_as_there_are_two(
    weight: int, sticky: int, sticky_targets: int, seconds: int
) -> None:
    found = traffic.split(BLUE, GREEN, weight, forward(100), sticky=sticky, sticky_targets=sticky_targets)
    assert found.sticky_seconds == seconds


@given(st.integers(0, 100), st.dictionaries(st.sampled_from([BLUE, GREEN, THIRD]), st.integers(0, 999)))
def test_splitting_twice_is_splitting_once(weight: int, now: dict[str, int]) -> None:
    once = traffic.split(BLUE, GREEN, weight, Forward(weights=now), sticky=0, sticky_targets=60)
    assert traffic.split(BLUE, GREEN, weight, once, sticky=0, sticky_targets=60) == once
    assert once.of(BLUE) + once.of(GREEN) == 100
    assert once.of(THIRD) == now.get(THIRD, 0)
    assert sum(once.weights.values()) > 0
    assert 0 not in (once.weights.get(BLUE), once.weights.get(GREEN)), "a side with nothing isn't listed"


def test_a_third_group_makes_two_with_either_side_alone() -> None:
    found = traffic.split(BLUE, GREEN, 100, forward(50, 50, third=1), sticky=0, sticky_targets=60)
    assert found == Forward(weights=weights(green=100, third=1), sticky_seconds=60)


def test_weight_is_left_only_to_those_that_are_kept() -> None:
    found = traffic.without(Forward(weights=weights(50, 20, 30), sticky_seconds=60), BLUE, GREEN)
    assert found == Forward(weights=weights(50, 20, 0), sticky_seconds=60)


@pytest.mark.parametrize(
    ("now", "written", "ours"),
    [
        (weights(90, 10), [weights(100), weights(90, 10)], True),
        (weights(100), [weights(100), weights(90, 10)], True),
        (weights(90, 10), [weights(100)], False),
        (weights(90, 11), [weights(90, 10)], False),
        (weights(90, 10, 0), [weights(90, 10)], False),
        (weights(), [weights(100)], False),
    ],
)
def test_weights_are_ours_if_we_wrote_them_or_were_about_to(
    now: dict[str, int], written: list[dict[str, int]], ours: bool
) -> None:
    log = [Forward(weights=each) for each in written]
    if ours:
        traffic.ensure_ours(Forward(weights=now), log)
    else:
        with pytest.raises(Drifted):
            traffic.ensure_ours(Forward(weights=now), log)


def test_what_was_there_before_the_last_write_is_expected_only_by_a_try_of_the_same() -> None:
    written = [forward(100), forward(50, 50)]
    assert traffic.expected(written, forward(50, 50)) == written
    assert traffic.expected(written, forward(green=100)) == (forward(green=100), forward(50, 50))
    assert traffic.expected(written[:1], forward(100)) == written[:1]
    assert traffic.expected(written[:1], forward(50, 50)) == (forward(50, 50), forward(100))


def test_what_another_try_has_written_already_is_no_drift() -> None:
    traffic.ensure_ours(forward(50, 50), traffic.expected([forward(100)], forward(50, 50)))
    with pytest.raises(Drifted):
        traffic.ensure_ours(forward(90, 10), traffic.expected([forward(100)], forward(50, 50)))


def test_drift_tells_both_sides() -> None:
    with pytest.raises(Drifted, match="the rule shows b 50, g 50; this release last wrote b 90, g 10"):
        traffic.ensure_ours(forward(50, 50), [forward(90, 10)])
    with pytest.raises(Drifted, match="the rule shows b 1, g 99 where g was to serve alone"):
        traffic.ensure_alone(forward(1, 99), GREEN)
    with pytest.raises(Drifted, match=r"^the rule shows nothing where g was to serve alone$"):
        traffic.ensure_alone(forward(), GREEN)
    traffic.ensure_alone(forward(0, 99), GREEN)


def test_a_group_is_told_by_its_name() -> None:
    assert (
        traffic.describe(Forward(weights={GREEN: 1, "targetgroup/c": 2, "d": 3}))
        == "g 1, d 3, targetgroup/c 2"
    )


@pytest.mark.parametrize(
    ("now", "alone"),
    [(forward(green=100), True), (forward(0, 1), True), (forward(1, 99), False), (forward(), False)],
)
def test_a_group_is_alone_if_nobody_else_has_weight(now: Forward, alone: bool) -> None:
    assert now.alone(GREEN) is alone


@pytest.mark.parametrize(
    ("now", "share"),
    [
        (forward(90, 10), 0.1),
        (forward(3, 1), 0.25),
        (forward(1), 0.0),
        (forward(), 0.0),
        (forward(0, 0), 0.0),
    ],
)
def test_a_share_is_what_new_requests_get(now: Forward, share: float) -> None:
    assert now.share(GREEN) == share


# need, healthy in blue, healthy in green, green's percent now, green's percent afterwards
RESTORED: list[tuple[str, int, int, int, int, int | None]] = [
    ("blue holds the need", 3, 3, 3, 50, 0),
    ("blue holds more", 3, 5, 3, 50, 0),
    ("nothing is needed, and blue has nobody", 0, 0, 3, 50, 100),
    ("blue holds the need and green is dead", 3, 3, 0, 50, 0),
    ("blue is short: it gets what it can carry", 4, 1, 4, 100, 75),
    ("blue is nearly there", 4, 3, 4, 100, 25),
    ("blue is short but green had less anyhow", 4, 2, 4, 10, 10),
    ("blue is short and green has nothing", 4, 2, 4, 0, 0),
    ("blue is short and green is dead", 4, 1, 0, 50, 0),
    ("blue is dead: green keeps the service up", 3, 0, 3, 50, 100),
    ("blue is dead and green has little", 3, 0, 1, 10, 100),
    ("both are dead", 3, 0, 0, 50, None),
]


@pytest.mark.parametrize(
    ("need", "blue", "green", "now", "wanted"),
    [case[1:] for case in RESTORED],
    ids=[case[0] for case in RESTORED],
)
def test_blue_gets_back_what_it_can_carry(
    need: int, blue: int, green: int, now: int, wanted: int | None
) -> None:
    assert traffic.restore(need, blue, green, now) == wanted


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 60), st.integers(0, 100))
def test_a_rollback_never_takes_traffic_to_where_nobody_is(
    need: int, blue: int, green: int, now: int
) -> None:
    wanted = traffic.restore(need, blue, green, now)
    if wanted is None:
        assert blue == green == 0
        return
    assert 0 <= wanted <= 100
    assert wanted == 0 or green > 0
    assert wanted == 100 or blue > 0
    assert wanted <= now or blue == 0, "a green that failed gets no more"
    if 0 < blue < need and green:
        assert wanted == now or (100 - wanted) * need <= 100 * blue, "blue gets no more than it can carry"
