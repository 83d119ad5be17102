"""Orders: the last one counts, a pause has an end, and from when on a step counts that was paused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from viridian import orders
from viridian.orders import Given, Taken

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MARA = "arn:aws:iam::123456789012:user/mara"
WHY = "the checkout looks slow to me"


def given(order: Any = "pause", minutes: int | None = None, reason: str = WHY) -> Given:
    return Given(service="shop", release="2.0.0-2010a8", order=order, reason=reason, minutes=minutes)


def taken(order: Any = "pause", minutes: int | None = None, by: str = MARA, after: float = 0) -> Taken:
    return given(order, minutes).taken(by, NOW + timedelta(minutes=after))


@pytest.mark.parametrize(("asked", "minutes"), [(None, 60), (1, 1), (720, 720)])
def test_a_pause_ends_by_itself(asked: int | None, minutes: int) -> None:
    pause = taken(minutes=asked)
    assert pause.until == NOW + timedelta(minutes=minutes)
    assert pause.pauses(pause.until - timedelta(seconds=1))
    assert not pause.pauses(pause.until)


@pytest.mark.parametrize("order", ["resume", "promote"])
def test_no_other_order_keeps_a_release_where_it_is(order: str) -> None:
    assert taken(order).until is None
    assert not taken(order).pauses(NOW)


@pytest.mark.parametrize(
    ("said", "last", "repeats"),
    [
        (taken(after=10), taken(), True),
        (taken(after=60), taken(), False),
        (taken(minutes=30, after=10), taken(), False),
        (taken(by="joe", after=10), taken(), False),
        (taken("resume", after=10), taken(), False),
        (taken("promote", after=600), taken("promote"), True),
    ],
)
def test_an_order_is_a_repeated_one_while_the_same_word_of_the_same_person_holds(
    said: Taken, last: Taken, repeats: bool
) -> None:
    assert said.repeats(last) is repeats


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("pause", f"paused by {MARA} until 2026-01-05T10:00:00Z: {WHY}"),
        ("resume", f"resumed by {MARA}: {WHY}"),
        ("promote", f"observing skipped by {MARA}: {WHY}"),
    ],
)
def test_an_order_is_told_with_who_gave_it_and_why(order: str, words: str) -> None:
    assert taken(order).in_words() == words


@pytest.mark.parametrize(
    ("order", "shifted", "now", "counts"),
    [
        (None, -100, 0, -100),
        (taken(), -100, 30, 20),  # while it is paused, what is new counts
        (taken(), -100, 90, 50),  # it ran out after 60
        (taken("resume"), -100, 30, -10),
        (taken("resume"), -4, 30, -4),  # a step that was not observed to its end still is to be
        (taken("resume"), 20, 30, 20),  # nor does a later step begin before it did
    ],
)
def test_a_step_that_was_paused_has_been_observed_and_what_was_seen_of_it_is_old(
    order: Taken | None, shifted: float, now: float, counts: float
) -> None:
    at, looked, wanted = (NOW + timedelta(minutes=minutes) for minutes in (shifted, now, counts))
    assert orders.since(order, at, 10, looked) == wanted
