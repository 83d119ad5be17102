"""The judge: one failing signal condemns green, a silent one proves nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from viridian import verdict
from viridian.orders import Taken
from viridian.request import Inconclusive, Profile, Step
from viridian.verdict import AlarmState, Signals, Verdict

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def alarm(name: str, state: str = "OK", *, minutes_ago: float = 60, seconds: int = 60) -> AlarmState:
    return AlarmState(
        name=name,
        arn=f"arn:{name}",
        state=state,
        reason="it is so",
        since=NOW - timedelta(minutes=minutes_ago),
        evaluation_seconds=seconds,
    )


def signals(*alarms: AlarmState, **changes: Any) -> Signals:
    given = {
        "asked": tuple(each.name for each in alarms),
        "alarms": alarms,
        "requests": 100,
        "minimum_requests": 50,
        "observed_seconds": 600.0,
        **changes,
    }
    return Signals(**given)


JUDGED: list[tuple[str, Signals, str, str]] = [
    ("all is well", signals(alarm("a"), alarm("b")), "Successful", "100 requests to green, 2 alarms OK"),
    ("nobody watches", signals(), "Successful", "100 requests to green, 0 alarms OK"),
    ("one is red", signals(alarm("a"), alarm("b", "ALARM")), "Failed", "alarm b is in ALARM: it is so"),
    ("one is gone", signals(alarm("a"), asked=("a", "b")), "Failed", "alarm b does not exist any more"),
    (
        "a waived one is gone",
        signals(asked=("a",), waived=frozenset({"a"})),
        "Failed",
        "alarm a does not exist any more",
    ),
    (
        "the red one is waived",
        signals(alarm("a", "ALARM"), alarm("b"), waived=frozenset({"a"})),
        "Successful",
        "100 requests to green, 1 alarms OK",
    ),
    ("one has missed what it should have seen", signals(alarm("a"), breach="5% of 1%"), "Failed", "5% of 1%"),
    (
        "one knows nothing",
        signals(alarm("a", "INSUFFICIENT_DATA")),
        "Inconclusive",
        "alarm a is INSUFFICIENT_DATA: it is so",
    ),
    ("too few requests", signals(alarm("a"), requests=49), "Inconclusive", "49 requests to green, 50 needed"),
    (
        "just enough requests",
        signals(alarm("a"), requests=50),
        "Successful",
        "50 requests to green, 1 alarms OK",
    ),
    (
        "observed too short",
        signals(alarm("a", seconds=300), observed_seconds=419.0),
        "Inconclusive",
        "419 s observed, 420 s make an alarm's OK evidence",
    ),
    (
        "observed just long enough",
        signals(alarm("a", seconds=300), observed_seconds=420.0),
        "Successful",
        "100 requests to green, 1 alarms OK",
    ),
    ("short", signals(green_lacks="2 of 3"), "Inconclusive", "green is short: 2 of 3"),
    ("blue still grows", signals(blue_lacks="3 of 6"), "Inconclusive", "blue is short: 3 of 6"),
    ("red beats a blue that grows", signals(alarm("a", "ALARM"), blue_lacks="3 of 6"), "Failed", "alarm a"),
    (
        "dead",
        signals(green_lacks="0 of 3", green_dead=True),
        "Failed",
        "green has nobody left to serve: 0 of 3",
    ),
    ("red beats silent", signals(alarm("a", "INSUFFICIENT_DATA"), alarm("b", "ALARM")), "Failed", "alarm b"),
    (
        "red beats few requests",
        signals(alarm("a", "ALARM"), requests=0, observed_seconds=0.0),
        "Failed",
        "alarm a",
    ),
    ("red beats short", signals(alarm("a", "ALARM"), green_lacks="2 of 3"), "Failed", "alarm a"),
    (
        "the slowest alarm says how long",
        signals(alarm("a", seconds=60), alarm("b", seconds=300), observed_seconds=419.0),
        "Inconclusive",
        "419 s observed, 420 s make",
    ),
    (
        "a waived one need not have been observed",
        signals(alarm("a", seconds=300), waived=frozenset({"a"}), observed_seconds=0.0),
        "Successful",
        "100 requests to green, 0 alarms OK",
    ),
    ("nobody watches a moment", signals(observed_seconds=0.0), "Successful", "100 requests"),
    ("a state of the future", signals(alarm("a", "UNSURE")), "Inconclusive", "alarm a is UNSURE"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "reason"), [case[1:] for case in JUDGED], ids=[case[0] for case in JUDGED]
)
def test_a_verdict_has_its_reason_in_words_and_numbers(seen: Signals, outcome: str, reason: str) -> None:
    found = verdict.judge(seen)
    assert found.outcome == outcome
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("state", "minutes_ago", "back"),
    [
        ("OK", 6, True),
        ("OK", 5, True),
        ("OK", 4, False),
        ("ALARM", 60, False),
        ("INSUFFICIENT_DATA", 60, False),
    ],
)
def test_a_waived_alarm_counts_again_once_it_has_been_ok_for_a_whole_evaluation(
    state: str, minutes_ago: float, back: bool
) -> None:
    alarms = [alarm("a", state, minutes_ago=minutes_ago, seconds=300), alarm("b")]
    assert verdict.reinstated(frozenset({"a"}), alarms, NOW) == (frozenset({"a"}) if back else frozenset())


PROFILE = Profile(
    route="r",
    steps=(Step(weight=10, observe_minutes=10), Step(weight=100, observe_minutes=1)),
    inconclusive=Inconclusive(minutes=15, then="hold"),
    settle_seconds=120,
)
IMPATIENT = Profile(route="r", steps=PROFILE.steps, inconclusive=Inconclusive(minutes=15, then="roll_back"))


@pytest.mark.parametrize(
    ("outcome", "step", "observed", "move"),
    [
        ("Failed", 0, 0, "roll_back"),
        ("Failed", 1, 9999, "roll_back"),
        ("Successful", 0, 599, "wait"),
        ("Successful", 0, 600, "shift"),
        ("Successful", 1, 60, "wait"),
        ("Successful", 1, 119, "wait"),
        ("Successful", 1, 120, "promote"),
        ("Inconclusive", 0, 599, "wait"),
        ("Inconclusive", 0, 600, "wait"),
        ("Inconclusive", 0, 1499, "wait"),
        ("Inconclusive", 0, 1500, "hold"),
        ("Inconclusive", 1, 959, "wait"),
        ("Inconclusive", 1, 960, "hold"),
    ],
)
def test_a_verdict_means_one_next_move(outcome: Any, step: int, observed: float, move: str) -> None:
    assert verdict.next_move(Verdict(outcome, ""), PROFILE, step, observed) == move


def test_only_the_last_step_waits_for_the_load_balancer_to_settle() -> None:
    profile = Profile(route="r", steps=(Step(weight=10, observe_minutes=1), *PROFILE.steps[1:]))
    assert verdict.next_move(Verdict("Successful", ""), profile, 0, 60) == "shift"
    assert verdict.next_move(Verdict("Successful", ""), profile, 1, 60) == "wait"


def test_an_open_verdict_ends_as_the_profile_says() -> None:
    assert verdict.next_move(Verdict("Inconclusive", ""), IMPATIENT, 0, 1500) == "roll_back"


@pytest.mark.parametrize("outcome", ["Failed", "Inconclusive"])
@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("observed", [0.0, 600.0, 1e6])
def test_only_success_moves_a_release_on(outcome: Any, step: int, observed: float) -> None:
    assert verdict.next_move(Verdict(outcome, ""), PROFILE, step, observed) not in ("shift", "promote")


def order(kind: Any, minutes: int | None = None) -> Taken:
    until = NOW + timedelta(minutes=minutes) if minutes else None
    return Taken(order=kind, by="mara", at=NOW - timedelta(hours=1), reason="because of a test", until=until)


PAUSE, OVER = order("pause", 1), order("pause", -1)
PROMOTE, RESUME = order("promote"), order("resume")
RED, FINE, FEW = signals(alarm("a", "ALARM")), signals(alarm("a")), signals(alarm("a"), requests=0)
SHORT, DEAD = signals(green_lacks="2 of 3"), signals(green_lacks="0 of 3", green_dead=True)
STRAINED = signals(blue_lacks="3 of 6")


@pytest.mark.parametrize(
    ("given", "seen", "step", "observed", "move"),
    [
        # a pause keeps whatever has not failed where it is, however long
        (PAUSE, FINE, 0, 600, "wait"),
        (PAUSE, FINE, 1, 600, "wait"),
        (PAUSE, FEW, 0, 1e6, "wait"),
        (PAUSE, SHORT, 1, 1e6, "wait"),
        (PAUSE, RED, 0, 0, "roll_back"),
        (PAUSE, DEAD, 0, 0, "roll_back"),
        # one that is over, by itself or by a person's word, changes nothing any more
        (OVER, FINE, 0, 600, "shift"),
        (RESUME, FINE, 0, 599, "wait"),
        (RESUME, FINE, 1, 600, "promote"),
        (RESUME, FEW, 0, 1500, "hold"),
        # whoever hastens it skips the observing and passes over what nobody knows
        (PROMOTE, FINE, 0, 0, "hasten"),
        (PROMOTE, FEW, 0, 0, "hasten"),
        (PROMOTE, FEW, 0, 1e6, "hasten"),
        (PROMOTE, FEW, 1, 119, "wait"),
        (PROMOTE, FEW, 1, 120, "promote"),
        # but neither what is known nor what a fleet lacks
        (PROMOTE, RED, 0, 0, "roll_back"),
        (PROMOTE, DEAD, 1, 120, "roll_back"),
        (PROMOTE, SHORT, 0, 600, "wait"),
        (PROMOTE, SHORT, 0, 1500, "hold"),
        (PROMOTE, STRAINED, 1, 120, "wait"),
    ],
)
def test_an_order_means_one_next_move(
    given: Taken, seen: Signals, step: int, observed: float, move: str
) -> None:
    seen = replace(seen, observed_seconds=float(observed))
    assert verdict.heed(verdict.judge(seen), seen, PROFILE, step, given, NOW)[1] == move


@pytest.mark.parametrize(
    ("given", "seen", "reason"),
    [
        (PAUSE, FEW, "paused by mara until 2026-01-05T09:01:00Z: because of a test; 0 requests to green"),
        (PROMOTE, FEW, "observing skipped by mara: because of a test; 0 requests to green, 50 needed"),
        (PROMOTE, RED, "alarm a is in ALARM"),
        (OVER, FINE, "100 requests to green"),
    ],
)
def test_a_verdict_says_whose_word_it_was(given: Taken, seen: Signals, reason: str) -> None:
    found = verdict.judge(seen)
    told, _ = verdict.heed(found, seen, PROFILE, 0, given, NOW)
    assert told.reason.startswith(reason)
    assert told.outcome == found.outcome, "an order changes no finding"


@pytest.mark.parametrize(
    ("given", "seen", "move"),
    [
        (PAUSE, FEW, "wait"),
        (PAUSE, RED, "roll_back"),
        (OVER, FEW, "look_again"),
        (RESUME, FEW, "look_again"),
        (PROMOTE, FEW, "look_again"),
        (RESUME, RED, "roll_back"),
    ],
)
def test_a_green_kept_from_its_first_traffic_is_looked_at_anew(
    given: Taken, seen: Signals, move: str
) -> None:
    found = verdict.judge(seen)
    assert verdict.heed(found, seen, PROFILE, 0, given, NOW, begun=False)[1] == move


def test_without_an_order_a_verdict_means_what_it_always_did() -> None:
    found = verdict.judge(FINE)
    assert verdict.heed(found, FINE, PROFILE, 0, None, NOW) == (found, "shift")
