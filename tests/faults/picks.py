"""Which of the points that clean runs showed a row takes."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import TypeVar

from tests.faults.points import Clean, Point

T = TypeVar("T")

LEDGER = ("GetItem", "BatchGetItem", "TransactWriteItems", "UpdateItem", "Query", "PutItem")
ROUTE = ("ModifyRule", "ModifyListener", "ChangeResourceRecordSets")
BACK = ("RestoreBlueFunction", "ConvergeFunction", "BrakeFunction", "GuardFunction")
SHIFTING = ("ShiftTrafficFunction", "JudgeGreenFunction", "HoldFloorsFunction", "PromoteFunction")


def sample(among: Sequence[T], count: int, seed: int = 0) -> list[T]:
    """So many of them, in their order; all of them if there are no more."""
    if len(among) <= count:
        return list(among)
    chosen = sorted(Random(seed).sample(range(len(among)), count))
    return [among[index] for index in chosen]


# Where a scenario differs from the others: what comes before, or between, is crashed in those.
_OWN = {
    "paused": ("TakeOrderFunction", "JudgeGreenFunction", "ShiftTrafficFunction"),
    "hastened": ("TakeOrderFunction", "JudgeGreenFunction", "ShiftTrafficFunction"),
    "taken": BACK,
    "revived": (*BACK, "RetireBlueFunction", "SweepFunction"),
    "stepped": BACK,
    "furnished": ("CreateGreenFunction", "PromoteFunction", *BACK),
    "patched": ("BakeImageFunction", "ConvergeFunction"),
    "piped": ("BakeImageFunction", "ConvergeFunction"),
    "packed": ("BakeImageFunction", "ConvergeFunction"),
    "gated": ("PassGateFunction", "AwaitApprovalFunction", "AnswerApprovalFunction"),
}
# Those by a name differ in single calls: each of them, and the two of the ledger by which it is written down.
_BY_NAME = (
    "ChangeResourceRecordSets",
    "CreateLoadBalancer",
    "CreateListener",
    "DeleteLoadBalancer",
)


def crashing(clean: Clean, scenario: str) -> list[Point]:
    """The changing calls at which a scenario is crashed."""
    points = clean.mutating(scenario)
    if scenario.startswith("named"):
        return [point for at, point in enumerate(points) if _by_name(points[max(0, at - 2) : at + 1])]
    return of(points, *_OWN[scenario]) if scenario in _OWN else points


def _by_name(last: Sequence[Point]) -> bool:
    return last[-1].call in _BY_NAME or (
        last[-1].call in LEDGER and any(each.call in _BY_NAME for each in last)
    )


def changes(clean: Clean, scenario: str) -> list[Point]:
    """The changing calls of a scenario, the ledger's own apart."""
    return [point for point in clean.mutating(scenario) if point.call not in LEDGER]


def looks(clean: Clean, scenario: str) -> list[Point]:
    """The reads of a scenario, the ledger's own apart."""
    return [
        point for point in clean.reads(scenario) if point.call not in LEDGER and point.function != "states"
    ]


def of(points: Iterable[Point], *functions: str) -> list[Point]:
    """Those of some functions."""
    return [point for point in points if point.function in functions]


def in_the_shift(clean: Clean, scenario: str = "release") -> list[Point]:
    """Every call between the first weight and the end of the plan."""
    found = [*looks(clean, scenario), *changes(clean, scenario)]
    first = Point("ShiftTrafficFunction", "ModifyRule", 1)
    calls = [point for point in of(found, *SHIFTING) if point != first]
    halves = {
        point.call: sum(each.call == point.call for each in of(found, "ShiftTrafficFunction"))
        for point in calls
    }
    return [
        point
        for point in calls
        if point.function != "ShiftTrafficFunction" or 2 * point.nth > halves[point.call] >= 2
    ]


def on_the_way_back(clean: Clean, scenario: str = "bad") -> list[Point]:
    """Every call of those who take a release back."""
    return of([*looks(clean, scenario), *changes(clean, scenario)], *BACK)


def after_weight(clean: Clean, scenario: str = "release") -> list[Point]:
    """The first call of each poll, from the first weight on."""
    return [
        point for point in clean.reads(scenario) if point.function == "JudgeGreenFunction" and _first(point)
    ]


def _first(point: Point) -> bool:
    return point.call in ("DescribeRules", "ListResourceRecordSets")
