"""A release's story, from what the ledger kept of it and whatever else AWS still knows."""

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.unit.test_record import PLAN, RECORD
from viridian.gates import Passage
from viridian.record import Record
from viridian_cli import narrating
from viridian_cli.aws.releases import Entry
from viridian_cli.narrating import SLICES, Found, Turn, tell
from viridian_cli.story import Story

BEGAN = PLAN.started_at
GREEN = PLAN.blue.target_group.replace("/shop-1/", "/green/")
RELEASED = replace(
    RECORD,
    plan=replace(PLAN, blue_version="1.0.0", resumed=None),
    need=3,
    image="ami-2",
    launch_template_version="7",
    green_target_group=GREEN,
    green_at=BEGAN + timedelta(minutes=5),
    first_weight_at=BEGAN + timedelta(minutes=9),
)


def at(minutes: float) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


def ended(status: str, **changes: Any) -> Record:
    """Given half the traffic after ten minutes, and ended after thirty."""
    return replace(RELEASED, status=status, **{"ended_at": at(30), "outcome": "x", **changes})


def back(status: str = "RolledBack", **changes: Any) -> Record:
    """Turned back after twenty minutes, with all on blue a minute later."""
    until = at(20) + timedelta(minutes=PLAN.profile.deadlines.rollback_minutes)
    told = {"failure": "GreenFailed: an alarm", "rollback_by": until, "restored_at": at(21), **changes}
    return ended(status, **told)


def wrote(minutes: float, percent: int, epoch: int = 7, **changes: Any) -> Entry:
    weights = {PLAN.blue.target_group: 100 - percent, GREEN: percent}
    after = json.dumps({"weights": {group: weight for group, weight in weights.items() if weight}})
    told = {"call": "ModifyRule", "resource": PLAN.route, "after": after, "outcome": "done", **changes}
    return Entry(at=at(minutes).isoformat(), epoch=epoch, **told)


def said(
    minutes: float, call: str, who: str = "arn:aws:iam::1:user/mara", why: str = "looked at it"
) -> Entry:
    after = json.dumps({"by": who, "why": why})
    return Entry(at=at(minutes).isoformat(), call=call, resource="x", epoch=7, after=after, outcome="done")


def entered(*states: tuple[float, str]) -> list[dict[str, Any]]:
    return [
        {
            "timestamp": at(minutes),
            "type": "TaskStateEntered",
            "stateEnteredEventDetails": {"name": name},
        }
        for minutes, name in states
    ]


def story(record: Record, **found: Any) -> Story:
    return tell(record, Found(**{"now": at(60), **found}))


def happened(told: Story) -> list[tuple[float, str]]:
    return [((each.at - BEGAN).total_seconds() / 60, each.what) for each in told.happened]


FORWARD = [
    (0, "is being released"),
    (5, "has its image"),
    (5, "gets its green fleet"),
    (10, "gets 50% of the traffic"),
]


@pytest.mark.parametrize(
    ("record", "after"),
    [
        (RELEASED, []),
        (ended("Promoted"), [(30, "is promoted")]),
        (
            back(),
            [
                (20, "is being rolled back"),
                (20.5, "gives its traffic back"),
                (21, "has no traffic"),
                (30, "is rolled back"),
            ],
        ),
        (
            back("Held", hold=True),
            [
                (20, "is being rolled back"),
                (20.5, "gives its traffic back"),
                (21, "has no traffic"),
                (30, "is held: a person must decide"),
            ],
        ),
        (
            back("RollbackIncomplete", restored_at=None),
            [
                (20, "is being rolled back"),
                (20.5, "gives its traffic back"),
                (30, "is not rolled back: a person is needed now"),
            ],
        ),
    ],
    ids=lambda each: each.status if isinstance(each, Record) else "",
)
def test_the_ledger_alone_tells_each_phase_at_its_time(
    record: Record, after: list[tuple[float, str]]
) -> None:
    journal = [wrote(10, 50), *([wrote(20.5, 0, epoch=8)] if record.rollback_by else [])]
    assert happened(story(record, journal=journal)) == [*FORWARD, *after]


def test_a_promotion_stays_in_the_story_of_a_release_that_was_taken_back_since() -> None:
    promoted = ended("Promoted", ended_at=at(15), promoted_at=at(15))
    told = happened(
        story(back(taken_back=True, ordered=True, past=promoted.set_aside("RollbackOrdered: slow")))
    )
    assert told[len(FORWARD) - 1 :] == [
        (15, "is promoted"),
        (20, "is being taken back"),
        (21, "has no traffic"),
        (30, "is rolled back"),
    ]
    assert "is promoted" not in [what for _, what in happened(story(back(taken_back=True)))], (
        "from before it was kept"
    )


def test_a_retired_release_was_promoted_emptied_and_retired() -> None:
    told = happened(story(ended("Retired", promoted_at=at(15), emptied_at=at(25))))
    after = [(15, "is promoted"), (25, "has its old blue at zero"), (30, "has no old blue any more")]
    assert told[-3:] == after


HELD = replace(back("Held", ended_at=at(22)), outcome="blue carries 1 of 3")
AGAIN = at(50) + timedelta(minutes=PLAN.profile.deadlines.rollback_minutes)
WAS_HELD = [
    *FORWARD,
    (20, "is being rolled back"),
    (21, "has no traffic"),
    (22, "is held: a person must decide"),
]


def test_a_hold_and_the_person_who_ended_it_stay_in_the_story() -> None:
    past = HELD.set_aside("RollbackOrdered: nobody can buy")
    on_its_way = replace(HELD, status="RollingBack", past=past, ended_at=None, restored_at=None, ordered=True)
    record = replace(
        on_its_way, converger="arn:aws:states:us-east-1:1:execution:Rollback:r-3", rollback_by=AGAIN
    )
    told = story(record, journal=[wrote(10, 50)])
    assert happened(told) == [*WAS_HELD, (50, "is being rolled back")]
    assert told.why == "A person ordered it: nobody can buy. What came first: GreenFailed: an alarm."
    assert (told.ended, told.hands[-1].why) == (None, "nobody can buy")
    resolved = story(
        replace(record, status="RolledBack", resolved=True, ended_at=at(55)), journal=[wrote(10, 50)]
    )
    assert happened(resolved)[-2:] == [(50, "is being resolved"), (55, "is rolled back")]
    assert resolved.hands[-1].did.startswith("had it resolved")


def test_a_release_that_was_resumed_after_a_hold_is_told_from_its_first_beginning() -> None:
    plan = replace(
        PLAN,
        execution=f"{PLAN.execution}-2",
        asked_at=at(40),
        resumed=PLAN.before,
        resume_reason="it is open",
    )
    journal = [wrote(10, 50), wrote(20.5, 0, epoch=8), wrote(41, 50, epoch=9)]
    told = story(HELD.resumed(plan, 9, at(40)), journal=journal, starters={plan.execution: "mara"})
    gave = (20.5, "gives its traffic back")
    assert happened(told) == [
        *WAS_HELD[:-2], gave, *WAS_HELD[-2:], (40, "goes on"), (41, "gets 50% of the traffic"),
    ]  # fmt: skip
    assert [(hand.who, hand.did.split(" execution ")[0], hand.why) for hand in told.hands] == [
        (None, "started", ""), ("mara", "resumed it by", "it is open"),
    ]  # fmt: skip
    assert (told.began, told.what) == (BEGAN, "shop 2.0.0 gets 50% of the traffic")


def test_a_question_to_people_and_their_answer_are_told_with_who_and_why() -> None:
    passage = Passage(gate="before_traffic", reached_at=at(7), approval="q", until=at(60))
    told = story(replace(RELEASED, passages=(passage,)), journal=[said(8, "Answer:approve")])
    assert (7, "waits for a person's approval") in happened(told)
    assert (8, "a person says approve") in happened(told)
    assert [(hand.who, hand.did, hand.why) for hand in told.hands[1:]] == [
        ("arn:aws:iam::1:user/mara", "said approve", "looked at it")
    ]


def test_a_pause_its_end_and_what_was_said_are_told_as_they_were_while_it_ran() -> None:
    until = json.dumps({"by": "mara", "why": "checkout looks slow", "until": at(16).isoformat()})
    pause = replace(said(11, "Order:pause"), after=until)
    told = story(RELEASED, journal=[wrote(10, 50), pause, said(17, "Order:promote")])
    assert happened(told)[-3:] == [
        (11, "is paused at 50% of the traffic"), (16, "goes on"), (17, "is to be promoted"),
    ]  # fmt: skip
    assert [hand.did for hand in told.hands[1:]] == ["said pause", "said promote"]
    assert told.happened[-3].why.endswith("checkout looks slow.")


def test_who_started_it_and_its_rollback_is_told_where_cloudtrail_knows() -> None:
    record = back(converger="arn:aws:states:us-east-1:1:execution:Rollback:r-2")
    starters = {record.plan.execution: "arn:aws:iam::1:user/ada"}
    first, second = story(record, starters=starters).hands
    assert first.who == "arn:aws:iam::1:user/ada"
    assert (second.at, second.who, second.did) == (at(20), None, "had it taken back by execution r-2")


def test_a_cause_comes_before_what_it_caused_and_a_reason_is_said_once() -> None:
    red = Turn(at=at(20), alarm="errors", state="ALARM", reason="9 datapoints")
    fine = Turn(at=at(25), alarm="errors", state="OK", reason="none")
    told = story(back(), turns=[red, fine])
    names = [each.what for each in told.happened]
    assert names.index("alarm errors goes off") < names.index("is being rolled back")
    assert [each.why for each in told.happened].count("GreenFailed: an alarm.") == 1
    assert [(piece.of, piece.text) for piece in told.evidence] == [
        ("alarm errors at 09:20:00", "9 datapoints")
    ]
    assert told.course.alarm == at(20).timestamp()


def test_a_stopped_execution_is_told_with_its_reason() -> None:
    details = {"error": "AbortedByHand", "cause": "too slow"}
    event = {"timestamp": at(20), "type": "ExecutionAborted", "executionAbortedEventDetails": details}
    told = story(back(), history=[*entered((1, "Observe")), event])
    (stopped,) = [each for each in told.happened if each.what == "its execution is stopped"]
    assert stopped.why == "AbortedByHand: too slow"
    assert told.course.aborted == at(20).timestamp()


KEPT = {
    "alarms": ["errors ALARM"],
    "targets": ["i-1 in us-east-1a: unhealthy ", "i-2 in us-east-1b: healthy "],
    "activities": "not to be had: AccessDenied",
    "console": {"i-1": "kernel panic", "i-2": ""},
}


def test_what_was_kept_of_green_is_the_evidence() -> None:
    told = story(back(evidence=json.dumps(KEPT)))
    assert [(piece.of, piece.text) for piece in told.evidence] == [
        ("alarms as green was removed", "errors ALARM"),
        ("green's targets as it was removed", "i-1 in us-east-1a: unhealthy\ni-2 in us-east-1b: healthy"),
        ("green's scaling activities, the last first", "not to be had: AccessDenied"),
        ("console of i-1", "kernel panic"),
        ("console of i-2", "nothing yet"),
    ]


def test_evidence_that_was_cut_off_is_shown_as_it_is() -> None:
    cut = json.dumps(KEPT)[:40]
    assert [piece.text for piece in story(back(evidence=cut)).evidence] == [cut]


def test_a_write_without_an_answer_is_evidence() -> None:
    journal = [wrote(10, 50, outcome="unknown"), wrote(20, 0, epoch=8)]
    (piece,) = story(back(), journal=journal).evidence
    assert piece.text.startswith(f"ModifyRule of {PLAN.route} at ")
    assert piece.text.endswith(": unknown")


def test_a_failure_that_is_too_long_for_a_reason_is_evidence_in_full() -> None:
    long = "SmokeTestsFailed: " + "x" * 3_000
    assert [piece.text for piece in story(back(failure=long)).evidence] == [long]


def test_the_value_that_leads_to_green_is_nowhere() -> None:
    value = PLAN.standby.value
    record = back(failure=f"SmokeTestsFailed: {value}", evidence=json.dumps({"console": {"i-1": value}}))
    told = story(record, journal=[said(8, "Answer:approve", why=value)])
    assert value not in msgspec.json.encode(told).decode()
    assert told.why == "SmokeTestsFailed: (the standby value)."
    assert told.evidence[0].text == "(the standby value)"


@pytest.mark.parametrize(
    ("status", "runbook", "commands"),
    [
        ("Releasing", None, ["pause", "rollback"]),
        ("Promoted", "docs/runbooks.md#promoted", ["rollback"]),
        ("RolledBack", "docs/runbooks.md#rolledback", []),
        ("Held", "docs/runbooks.md#held", ["rollback", "resume", "resolve"]),
        ("RollbackIncomplete", "docs/runbooks.md#rollbackincomplete", ["rollback", "resolve"]),
        ("Retired", "docs/runbooks.md#promoted", ["history"]),
    ],
)
def test_each_end_says_what_to_type_and_where_to_read_on(
    status: str, runbook: str | None, commands: list[str]
) -> None:
    told = story(ended(status))
    assert told.runbook == runbook
    assert [order.type.split()[1] for order in told.orders] == commands
    assert told.next.count("viridian") == 0, "what to type is said once"


# --- over time ----------------------------------------------------------------------------------------------


def minutes(values: dict[float, float]) -> dict[datetime, float]:
    return {at(minute): value for minute, value in values.items()}


def test_both_sides_are_counted_minute_by_minute() -> None:
    measured = {
        "blue_requests": minutes({0: 100, 1: 80}),
        "green_requests": minutes({1: 20, 2: 60}),
        "green_errors": minutes({2: 6}),
        "green_latency": minutes({1: 0.1, 2: 0.3}),
        "blue_healthy": minutes({0: 3}),
    }
    told = story(ended("Promoted"), measured=measured)
    assert [each.requests for each in told.course.slices] == [
        {"1.0.0": 100},
        {"1.0.0": 80, PLAN.version: 20},
        {PLAN.version: 60},
    ]
    assert told.course.slices[0].healthy == {"1.0.0": 3}
    blue, green = told.sides
    assert (blue.version, blue.requests, blue.errors, blue.seconds) == ("1.0.0", 180, 0, None)
    assert (green.requests, green.errors, green.seconds) == (80, 6, 0.25)


def test_a_long_release_is_drawn_in_stretches_that_lose_no_request() -> None:
    long = 24 * 60
    record = ended("Promoted", ended_at=at(long))
    measured = {
        "blue_requests": minutes(dict.fromkeys(range(long), 10)),
        "blue_healthy": minutes({n: n for n in range(long)}),
    }
    told = story(record, now=at(2 * long), measured=measured)
    assert len(told.course.slices) <= SLICES
    assert told.sides[0].requests == 10 * long
    assert told.course.slices[0].requests == {"1.0.0": 10}
    assert told.course.slices[1].healthy == {"1.0.0": min(range(9, 18))}


def test_without_measurements_nothing_is_counted_and_the_weights_are_drawn_all_the_same() -> None:
    told = story(ended("Promoted"), journal=[wrote(10, 50), wrote(20, 100)], lacks=["CloudWatch: gone"])
    assert (told.sides, list(told.course.slices), told.lacks) == ((), [], ("CloudWatch: gone",))
    assert told.course.weights == [
        (at(10).timestamp(), {"1.0.0": 50, PLAN.version: 50}),
        (at(20).timestamp(), {PLAN.version: 100}),
    ]


def test_the_drawing_ends_after_the_promotion_not_with_the_retirement() -> None:
    record = ended("Retired", ended_at=at(500))
    told = story(replace(record, promoted_at=at(30)), now=at(600))
    assert told.course.until == (at(30) + narrating.AFTER).timestamp()


def test_the_brake_gave_blue_everything() -> None:
    brake = Entry(
        at=at(20).isoformat(),
        call="Restore",
        resource=PLAN.route,
        epoch=8,
        after="all traffic on x",
        outcome="done",
    )
    assert story(back(), journal=[wrote(10, 50), brake]).course.weights[-1][1] == {"1.0.0": 100}
    kept = replace(brake, outcome="never answered")
    assert story(back(), journal=[wrote(10, 50), kept]).course.weights[-1][1] == {
        "1.0.0": 50,
        PLAN.version: 50,
    }


@pytest.mark.parametrize(
    ("before", "called"),
    [("1.0.0", "1.0.0"), (PLAN.version, f"{PLAN.version} before"), (None, PLAN.blue.group)],
)
def test_blue_has_a_name_of_its_own(before: str | None, called: str) -> None:
    assert story(replace(RELEASED, plan=replace(RELEASED.plan, blue_version=before))).blue == called


def test_how_long_both_stood_is_told_beside_what_was_planned() -> None:
    assert story(back()).cost[-1] == "in truth both have stood for 0 h 25 min"
    assert story(RELEASED).cost[-1] == "in truth both have stood for 0 h 55 min so far"
