"""F60 to F67: what a verdict rests on, and what it must never be made from."""

from collections.abc import Iterator
from typing import Any

from tests.faults import alarming as alarming
from tests.faults import answers as answers
from tests.faults import approvals
from tests.faults import nature as nature
from tests.faults import orders as orders
from tests.faults.picks import after_weight, of, sample
from tests.faults.points import SAFE, Clean, Fault, Row, Run

BACK = frozenset({"RolledBack"})
GOOD = frozenset({"Promoted", "Retired"})
HELD = frozenset({"Held"})
NEVER = frozenset({"Held", "RolledBack"})
# The longest that an open verdict waits, so that its end is in the run.
OPEN = {"inconclusive": {"minutes": 4, "then": "hold"}}
BACK_IF_OPEN = {"inconclusive": {"minutes": 4, "then": "roll_back"}}


def undecided(clean: Clean) -> Iterator[Run]:
    """F60: an alarm has no data: for one period, and the release goes on; for the whole step, and it never passes."""
    for number, point in enumerate(sample(after_weight(clean), 6, 60)):
        for which in ("guard", "errors", "unhealthy", "fail-open"):
            args = {"which": which, "state": "INSUFFICIENT_DATA"}
            passing = Fault("alarm_stuck", point, {**args, "seconds": 60})
            yield Run("F60", "release", (passing,), number, ends=GOOD | HELD)
            for service, ends in ((OPEN, HELD), (BACK_IF_OPEN, BACK)):
                yield Run(
                    "F60", "release", (Fault("alarm_stuck", point, args),), number, service=service, ends=ends
                )


def spoilt_alarms(clean: Clean) -> Iterator[Run]:
    """F61: deleted, renamed, its actions off, red at the start, flapping, redefined."""
    red = {"which": "guard", "state": "ALARM"}
    yield Run("F61", "release", (Fault("alarm_stuck", None, red),), ends=frozenset({"Refused"}))
    yield Run(
        "F61", "release", (Fault("alarm_vanishes", None, {"which": "guard"}),), ends=frozenset({"Refused"})
    )
    for number, point in enumerate(after_weight(clean)):
        for which in ("guard", "errors", "unhealthy", "green"):
            fault = Fault("alarm_vanishes", point, {"which": which, "renamed": number % 2 == 1})
            yield Run("F61", "release", (fault,), number, ends=BACK)
        for which in ("guard", "errors"):
            for seconds in (10, 45, 90):
                # A red alarm that no poll sees is seen by the brake: its event comes all the same.
                fault = Fault("alarm_flaps", point, {"which": which, "seconds": seconds})
                yield Run("F61", "release", (fault,), number, ends=BACK)
        yield Run("F61", "release", (Fault("alarm_muted", point, {"which": "guard"}),), number, ends=GOOD)


def no_traffic(clean: Clean) -> Iterator[Run]:
    """F62: nobody comes: green is never promoted on silence."""
    for number, point in enumerate((None, *after_weight(clean)[:5])):
        for rate in (0, 0.05):
            for service, ends in ((OPEN, NEVER), (BACK_IF_OPEN, BACK)):
                fault = Fault("load", point, {"rate": rate})
                # What came before the traffic stopped may be enough for the step, but never for the next one.
                yield Run(
                    "F62", "release", (fault,), number, service=service, ends=ends if number < 5 else SAFE
                )


def late_metrics(clean: Clean) -> Iterator[Run]:
    """F63: metrics come minutes late, or stop coming: an old OK is no evidence of a new green."""
    for delay in (90.0, 180.0, 300.0):
        for scenario in ("release", "bad"):
            fault = Fault("slow_metrics", None, {"seconds": delay})
            ends = NEVER if scenario == "bad" else SAFE
            yield Run("F63", scenario, (fault,), 1, {"metric_delay_seconds": delay}, OPEN, ends)
    shifted = [point for point in clean.reads("bad") if point.function == "ShiftTrafficFunction"]
    for number, point in enumerate([*sample(shifted, 4, 63), *after_weight(clean, "bad")]):
        for seconds in (120, 240, None):
            args = {} if seconds is None else {"seconds": seconds}
            fault = Fault("metrics_stop", point, args)
            yield Run("F63", "bad", (fault,), number, service=OPEN, ends=NEVER)
    for number, point in enumerate(after_weight(clean)):
        yield Run("F63", "release", (Fault("metrics_stop", point),), number, service=OPEN, ends=SAFE)


def red_at_the_last(clean: Clean) -> Iterator[Run]:
    """F64: an alarm goes red in the last moments of the last step, while green is promoted, and while blue retires."""
    promoting = of([*clean.reads("release"), *clean.mutating("release")], "PromoteFunction")
    for number, point in enumerate(promoting):
        for which in ("guard", "errors"):
            fault = Fault("alarm_stuck", point, {"which": which, "state": "ALARM"})
            yield Run("F64", "release", (fault,), number, ends=frozenset({"RolledBack", "Promoted"}))
    judging = [point for point in clean.reads("release") if point.function == "JudgeGreenFunction"]
    for number, point in enumerate(judging[-6:]):
        for which in ("guard", "errors"):
            fault = Fault("alarm_stuck", point, {"which": which, "state": "ALARM"})
            yield Run("F64", "release", (fault,), number, ends=BACK)
    retiring = of([*clean.reads("retired"), *clean.mutating("retired")], "RetireBlueFunction")
    for number, point in enumerate(sample(retiring, 12, 64)):
        fault = Fault("alarm_stuck", point, {"which": "guard", "state": "ALARM"})
        yield Run("F64", "retired", (fault,), number, ends=GOOD)


PASSES = {
    "flood": GOOD,
    "500": BACK,
    "hang": BACK,
    "cut": BACK,
    "redirect": BACK,
    "drip": BACK,
    "garbage": BACK,
}


# How green answers, what it is asked beyond the path, and how the release ends.
ANSWERED: tuple[tuple[str, dict[str, Any], frozenset[str]], ...] = (
    ("slow", {"latency_ms": 300, "timeout_seconds": 5}, BACK),
    ("slow", {"latency_ms": 4500, "timeout_seconds": 5}, GOOD),
    ("new", {"expect": 'status = "ok" and version = "2.0.0"'}, GOOD),
    ("old", {"expect": 'status = "ok" and version = "2.0.0"'}, BACK),
    ("old", {"expect": "version > 1"}, BACK),
    ("500", {"expect": 'status = "ok"', "status": [200, 500]}, BACK),
    ("flood", {"expect": 'status = "ok"'}, BACK),
    ("packed", {"expect": 'status = "ok"'}, BACK),
    ("deep", {"expect": 'status = "ok"'}, BACK),
    ("redirect", {"status": [301, 302]}, GOOD),
    ("once", {"requests": 2}, GOOD),
    ("once", {"requests": 5}, BACK),
    ("once", {"requests": 5, "attempts": 2, "pause_seconds": 1}, GOOD),
    ("new", {"method": "POST", "body": "{}", "headers": {"Content-Type": "application/json"}}, GOOD),
)


def bad_answers(clean: Clean) -> Iterator[Run]:
    """F65: what green says to its smoke tests: an error, nothing, a redirect, a gigabyte, a drip, four errors in five.

    And what is not JSON, not the JSON expected, packed, or too late; and one bad answer among several.
    """
    for how, ends in PASSES.items():
        for attempts in (1, 2):
            test = {"path": "/", "timeout_seconds": 1, "attempts": attempts}
            fault = Fault("smoke", None, {"how": how, "attempts": attempts})
            yield Run("F65", "release", (fault,), service={"smoke_tests": [test]}, ends=ends)
    for attempts, ends in ((1, BACK), (4, BACK), (5, GOOD)):
        test = {"path": "/", "timeout_seconds": 1, "attempts": attempts}
        fault = Fault("smoke", None, {"how": "flaky", "attempts": attempts})
        yield Run("F65", "release", (fault,), service={"smoke_tests": [test]}, ends=ends)
    lacking = {"path": "/", "contains": "hello", "timeout_seconds": 1}
    fault = Fault("smoke", None, {"how": "flood", "contains": "hello"})
    yield Run("F65", "release", (fault,), service={"smoke_tests": [lacking]}, ends=BACK)
    for number, (how, asked, ends) in enumerate(ANSWERED):
        fault = Fault("smoke", None, {"how": how, **asked})
        test = {"path": "/", "timeout_seconds": 1, **asked}
        yield Run("F65", "release", (fault,), number, service={"smoke_tests": [test]}, ends=ends)


def answered(clean: Clean) -> Iterator[Run]:
    """F66: people never answer, twice, too late, no and then yes, or not they at all; and a brake while they think."""
    late = 60 * approvals.MINUTES
    for said, ends in (
        ((), BACK),
        ((_says("approve", 20), _says("approve", 40)), GOOD),
        ((_says("approve", 20), _says("reject", 40, "joe")), GOOD),
        ((_says("reject", 20), _says("approve", 40, "joe")), BACK),
        ((_says("reject", 20), _says("approve", 20, "joe")), SAFE),
        ((_says("approve", late + 5),), BACK),
        ((_says("approve", late - 1),), SAFE),
        ((_says("approve", late),), SAFE),
        ((_says("approve", 20, other=approvals.FORGED),), BACK),
        ((_says("approve", 20, other={"release": "2.0.0-ffffff"}),), BACK),
        ((_says("approve", 20, other=approvals.FORGED), _says("approve", 60)), GOOD),
    ):
        for seed in range(2):
            yield Run("F66", "gated", (Fault("answers", None, {"said": said}),), seed, ends=ends)
    waiting = [
        point
        for point in clean.mutating("gated")
        if point.function in ("AwaitApprovalFunction", "AnswerApprovalFunction")
    ]
    for number, point in enumerate(waiting):
        red = Fault("alarm_stuck", point, {"which": "guard", "state": "ALARM"})
        yield Run("F66", "gated", (red,), number, ends=frozenset({"RolledBack", "Promoted", "Retired"}))
        if point.function == "AwaitApprovalFunction":
            silent = Fault("answers", None, {"said": ()})
            yield Run("F66", "gated", (red, silent), number, ends=BACK)


def ordered(clean: Clean) -> Iterator[Run]:
    """F67: a person pauses or hastens a release in the middle of a step of it; and an order comes with an alarm."""
    for scenario, ends in (("release", GOOD), ("bad", BACK), ("gated", GOOD), ("named", GOOD)):
        calls = [*clean.reads(scenario), *clean.mutating(scenario)]
        points = of(
            calls, "ShiftTrafficFunction", "JudgeGreenFunction", "PassGateFunction", "PromoteFunction"
        )
        for number, point in enumerate(sample(points, 24, 67)):
            for args in ({"order": "pause", "minutes": 3}, {"order": "promote"}):
                yield Run("F67", scenario, (Fault("order_at", point, args),), number, ends=ends)
    red = {"which": "guard", "state": "ALARM"}
    for scenario in ("paused", "hastened"):
        for number, point in enumerate(
            of(clean.mutating(scenario), "TakeOrderFunction", "JudgeGreenFunction")
        ):
            yield Run("F67", scenario, (Fault("alarm_stuck", point, red),), number, ends=BACK)


def _says(answer: str, after: int, who: str = "mara", **other: Any) -> dict[str, Any]:
    return {"after": after, "answer": answer, "who": who, **other}


ROWS = [
    Row("F60", "Alarm without data", undecided),
    Row("F61", "Alarm deleted, renamed, muted, red, flapping", spoilt_alarms),
    Row("F62", "No traffic", no_traffic),
    Row("F63", "Late metrics", late_metrics),
    Row("F64", "Red at the last moment", red_at_the_last),
    Row("F65", "Smoke test answers", bad_answers),
    Row("F66", "Approval", answered),
    Row("F67", "Orders to a release that runs", ordered),
]
