"""Gates: which of them stand, how long they may keep a release, and what the word of a hook means."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from viridian import gates, request
from viridian.errors import Refusal
from viridian.gates import Heard, Passage
from viridian.request import Hook, Profile

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:checks"
ROUTE = (
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
    "listener-rule/app/shop/cd2fb2c4221a0a2d/6acd8f2c1e000000/6acd8f2c1e000001"
)
HOOK = Hook(arn=FUNCTION, minutes=10)


def profile(**fields: Any) -> Profile:
    return msgspec.convert({"route": ROUTE, **fields}, Profile)


@pytest.mark.parametrize(
    ("fields", "standing", "minutes"),
    [
        ({}, (), 0),
        ({"approval": {"before_traffic": True}}, ("before_traffic",), 480),
        ({"approval": {"before_promote": True, "minutes": 5}}, ("before_promote",), 5),
        ({"approval": {"minutes": 5, "not_by_starter": True}}, (), 0),
        ({"hooks": {"after_step": {"arn": FUNCTION}}}, ("after_step",), 3 * 15),
        (
            {
                "hooks": {"before_traffic": {"arn": FUNCTION, "minutes": 7}},
                "approval": {"before_traffic": True, "before_promote": True, "minutes": 60},
            },
            ("before_traffic", "before_promote"),
            7 + 60 + 60,
        ),
    ],
)
def test_a_gate_stands_where_somebody_has_a_say_and_the_release_has_time_for_it(
    fields: dict[str, Any], standing: tuple[str, ...], minutes: int
) -> None:
    assert gates.of(profile(**fields)) == standing
    assert gates.minutes(profile(**fields)) == minutes


def test_each_step_has_a_gate_that_leads_to_it() -> None:
    assert [gates.before(step) for step in range(3)] == [
        ("before_traffic", 0), ("after_step", 0), ("after_step", 1),
    ]  # fmt: skip
    assert len({gates.name("after_step", step) for step in range(3)}) == 3


@pytest.mark.parametrize(
    ("answer", "error", "heard"),
    [
        ({"verdict": "Successful"}, "", Heard(verdict="Successful")),
        ({"verdict": "Failed", "reason": "p99"}, "", Heard(verdict="Failed", reason="p99")),
        ({"verdict": "Inconclusive"}, "", Heard(verdict="Inconclusive")),
        ({"verdict": "InProgress", "reason": "3 of 9"}, "", Heard(reason="3 of 9")),
        ({"verdict": "Successful"}, "KeyError: x", Heard(verdict="Failed", reason="KeyError: x")),
    ],
)
def test_a_functions_word_is_taken(answer: Any, error: str, heard: Heard) -> None:
    assert gates.heard(answer, error) == heard


@pytest.mark.parametrize("answer", [None, {}, [], "Successful", {"verdict": "yes"}, {"verdict": None}])
def test_an_answer_without_a_verdict_is_a_no(answer: Any) -> None:
    heard = gates.heard(answer, "")
    assert heard.verdict == "Failed"
    assert "its answer has no verdict" in heard.reason


@pytest.mark.parametrize(
    ("execution", "heard"),
    [
        ({"status": "RUNNING"}, Heard()),
        ({"status": "SUCCEEDED"}, Heard(verdict="Successful")),
        ({"status": "SUCCEEDED", "output": '"done"'}, Heard(verdict="Successful")),
        (
            {"status": "SUCCEEDED", "output": '{"verdict": "Failed", "reason": "p99"}'},
            Heard(verdict="Failed", reason="p99"),
        ),
        ({"status": "FAILED", "error": "Slow", "cause": "p99"}, Heard(verdict="Failed", reason="Slow: p99")),
        ({"status": "ABORTED"}, Heard(verdict="Failed", reason="ABORTED")),
    ],
)
def test_how_a_machine_ended_is_its_word(execution: dict[str, Any], heard: Heard) -> None:
    assert gates.outcome(execution) == heard


@pytest.mark.parametrize(
    ("verdict", "waited", "follows"),
    [
        ("Successful", 0, "open"),
        ("Successful", 99, "open"),
        ("Failed", 0, "closed"),
        ("Inconclusive", 0, "closed"),
        (None, 0, "wait"),
        (None, 9.9, "wait"),
        (None, 10, "closed"),
    ],
)
def test_a_hook_that_is_never_done_is_a_no(verdict: Any, waited: float, follows: str) -> None:
    passage = Passage(gate="before_traffic", reached_at=NOW)
    move = gates.at_hook(passage, HOOK, Heard(verdict=verdict), NOW + timedelta(minutes=waited))
    assert move.next == follows
    assert move.reason


def test_a_hook_that_takes_a_day_is_looked_at_a_few_hundred_times() -> None:
    hook, waited, looks = Hook(arn=FUNCTION, minutes=1440), 0, 0
    while waited < 86_400:
        passage = Passage(gate="before_traffic", reached_at=NOW)
        waited += gates.at_hook(passage, hook, Heard(), NOW + timedelta(seconds=waited)).again_in
        looks += 1
    assert looks < 400


@pytest.mark.parametrize(
    "arn",
    [
        FUNCTION,
        f"{FUNCTION}:live",
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:a_b-c:3",
        "arn:aws:states:us-east-1:123456789012:stateMachine:checks",
    ],
)
def test_a_hook_is_a_function_or_a_state_machine(arn: str) -> None:
    assert request.parse_as({"arn": arn}, Hook).arn == arn


@pytest.mark.parametrize(
    "arn",
    [
        "checks",
        "https://example.com/hook",
        FUNCTION.replace("function", "layer"),
        f"{FUNCTION}\n",
        f"{FUNCTION}:*",
    ],
)
def test_nothing_else_is(arn: str) -> None:
    with pytest.raises(Refusal):
        request.parse_as({"arn": arn}, Hook)


@pytest.mark.parametrize(
    ("opens", "follows", "seconds"),
    [
        (timedelta(minutes=3), "wait", 180),
        (timedelta(minutes=30), "wait", 300),
        (timedelta(seconds=0.4), "wait", 1),
        (timedelta(hours=4), "closed", 0),
        (timedelta(days=1), "closed", 0),
        (None, "closed", 0),
    ],
)
def test_a_window_that_closed_while_green_was_made_is_waited_for_within_the_releases_time(
    opens: timedelta | None, follows: str, seconds: int
) -> None:
    opens_at = None if opens is None else NOW + opens
    move = gates.at_window("outside mon-thu 09:00-16:00", opens_at, NOW + timedelta(hours=4), NOW)
    assert (move.next, move.again_in) == (follows, seconds)
    assert "outside mon-thu" in move.reason


def test_windows_stand_before_the_first_traffic() -> None:
    open_ = [{"days": ["mon"], "from": "09:00", "to": "16:00"}]
    windows = {"time_zone": "UTC", "open": open_, "freezes": [], "outside": "wait"}
    assert gates.of(profile(windows=windows)) == ("before_traffic",)
