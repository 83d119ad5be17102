"""F01 to F15: functions that die, run twice or too long, executions that end where no Catch sees it, events that go astray."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from random import Random
from typing import Any

from tests import stack
from tests.faults import actors as actors
from tests.faults import crowds as crowds
from tests.faults import deliveries as deliveries
from tests.faults import interpreter as interpreter
from tests.faults.interpreter import STOPPED
from tests.faults.likeness import clean as clean_facts
from tests.faults.likeness import expected
from tests.faults.picks import BACK as WAY_BACK
from tests.faults.picks import LEDGER, ROUTE, crashing, of, other_route, sample
from tests.faults.points import ANY_END, EVERY, SAFE, Clean, Fault, Point, Row, Run

GOOD = frozenset({"Promoted", "Retired"})
BACK = frozenset({"RolledBack"})
EITHER = GOOD | BACK
UNTOUCHED = frozenset({"Refused"})

# Which ends a crash may lead to: a release that is crashed is taken back, or goes on where a retry can.
ENDS = {
    "release": EITHER | UNTOUCHED,
    "baked": EITHER | UNTOUCHED,
    "retired": EITHER | UNTOUCHED,
    "bad": BACK | UNTOUCHED,
    "ordered": BACK | UNTOUCHED,
    "aborted": BACK | UNTOUCHED,
    "dropped": BACK | UNTOUCHED,
    "braked": BACK | UNTOUCHED,
    "paused": EITHER | UNTOUCHED,
    "hastened": EITHER | UNTOUCHED,
    "gated": EITHER | UNTOUCHED,
    "taken": BACK,
    "revived": BACK,
    "stepped": BACK,
    "furnished": BACK,
    "patched": BACK | UNTOUCHED,
    "piped": BACK | UNTOUCHED,
    "packed": BACK | UNTOUCHED,
    "named": EITHER | UNTOUCHED,
    "named_bad": BACK | UNTOUCHED,
    "named_ordered": BACK | UNTOUCHED,
    "network": EITHER | UNTOUCHED,
    "network_bad": BACK | UNTOUCHED,
    "network_ordered": BACK | UNTOUCHED,
}
ALL = tuple(ENDS)

IN_TIME = 60
BY_SWEEPER = 120
PAIRS = 200
ON_THE_WAY_BACK = 300

# How long a function that writes may go on after its task was given up: until Lambda ends it.
LATE_WRITES = (1, 5, 10, 14)
ZOMBIES = (1, 30, 120, 900)

MACHINE_OF = {"release": "Release", "baked": "Release", "bad": "Release", "ordered": "Rollback"}


def fault(kind: str, point: Point | None = None, **args: Any) -> Fault:
    return Fault(kind, point, args)


def functions(points: Iterable[Point]) -> list[Point]:
    """The points of functions, without what the machine itself sends."""
    return [point for point in points if point.function.endswith("Function")]


# --- F01, F02, F05, F13: functions that die ------------------------------------------------------------------


def _crashes(row: str, kind: str) -> Any:
    def runs(clean: Clean) -> Iterator[Run]:
        for scenario in ALL:
            for point in functions(crashing(clean, scenario)):
                yield Run(row, scenario, (fault(kind, point),), ends=ENDS[scenario])

    return runs


def pairs(clean: Clean) -> Iterator[Run]:
    """F05: two crashes, the second on the way back from the first, or further on if a retry mended it."""
    random = Random(5)
    forward = functions(clean.mutating("release"))
    back = of(functions(clean.mutating("ordered")), "RestoreBlueFunction", "ConvergeFunction")
    braked = of(functions(clean.mutating("bad")), *WAY_BACK)
    both = [(first, second) for first in forward for second in back]
    both = [*sample(both, PAIRS * 3 // 4, 5), *sample(list(combinations(braked, 2)), PAIRS // 4, 5)]
    for first, second in both:
        scenario = "bad" if first in braked else "release"
        kinds = [random.choice(("crash_before", "crash_after")) for _ in (first, second)]
        faults = (fault(kinds[0], first), fault(kinds[1], second))
        yield Run("F05", scenario, faults, ends=ENDS[scenario] | BACK)


def crashes_on_the_way_back(clean: Clean) -> Iterator[Run]:
    """F13: the reads of those who take a release back; their changing calls are in F01 and F02."""
    runs = [
        Run("F13", scenario, (fault("crash_before", point),), ends=ENDS[scenario])
        for scenario in ("bad", "ordered", "aborted", "braked", "dropped", "taken", "revived", "stepped")
        for point in of(functions(clean.reads(scenario)), *WAY_BACK, "SweepFunction")
        if point.function != "SweepFunction" or scenario == "dropped"
    ]
    yield from sample(runs, ON_THE_WAY_BACK, 13)


# --- F03, F04, F06: tasks that run twice, or on after their time ---------------------------------------------


def tasks(clean: Clean, scenario: str) -> list[str]:
    """The states of a scenario that call a function, in the order it enters them; of other routes, those that do otherwise."""
    calling = {task.name for task in stack.tasks()}
    if other_route(scenario):
        calling &= {point.function.removesuffix("Function") for point in crashing(clean, scenario)}
    return [state for state in dict.fromkeys(clean.states(scenario)) if state in calling]


def twice(clean: Clean) -> Iterator[Run]:
    for scenario in ("release", "baked", "bad", "ordered", "retired", "named", "network"):
        like = fault("like_clean", left=expected(scenario))
        for state in tasks(clean, scenario):
            double = fault("duplicate", state=state, how="serial")
            yield Run(
                "F03", scenario, (double, like), ends=GOOD if scenario not in ("bad", "ordered") else BACK
            )


def interleaved(clean: Clean) -> Iterator[Run]:
    for scenario in ("release", "baked", "bad", "ordered", "retired"):
        like = fault("like_clean", left=expected(scenario))
        ends = GOOD if scenario not in ("bad", "ordered") else BACK
        for state in tasks(clean, scenario):
            ways: list[dict[str, Any]] = [{"how": "lockstep"}]
            calls = {point.call for point in clean.mutating(scenario) if point.function == f"{state}Function"}
            ways += [{"how": "overtaken", "before": "fence"}] if calls else []
            ways += [{"how": "overtaken", "before": call} for call in sorted(calls - set(LEDGER))]
            for way in ways:
                yield Run("F04", scenario, (fault("duplicate", state=state, **way), like), ends=ends)


def zombies(clean: Clean) -> Iterator[Run]:
    """F06: the machine gives a task up; its function goes on later, before the fence or between fence and write."""
    others = (("named", EITHER), ("named_ordered", BACK), ("network", EITHER), ("network_ordered", BACK))
    for scenario, ends in (
        ("release", EITHER), ("baked", EITHER), ("bad", BACK), ("ordered", BACK), *others
    ):  # fmt: skip
        for state in tasks(clean, scenario):
            calls = {point.call for point in clean.mutating(scenario) if point.function == f"{state}Function"}
            if not calls:
                continue
            for wakes in ZOMBIES:
                late = fault("zombie", state=state, nth=0, at="fence", wakes_after=wakes)
                yield Run("F06", scenario, (late,), ends=ends)
    for state, nth, call in _writers(clean):
        for wakes in LATE_WRITES:
            late = fault(
                "abort_at", state=state, nth=nth, when=call, goes_on_after=wakes, within=IN_TIME + 15
            )
            yield Run("F06", "release", (late,), ends=EITHER)


def _writers(clean: Clean) -> list[tuple[str, int, str]]:
    """The tasks of a release that write routes: state, which time, and the call."""
    found = [point for point in functions(clean.mutating("release")) if point.call in ROUTE]
    states = {point.function.removesuffix("Function") for point in found}
    return [
        (state, nth, "ModifyRule")
        for state in sorted(states & set(clean.states("release")))
        for nth in ((1, 2) if state == "ShiftTraffic" else (1,))
    ]


# --- F07 to F10: executions that end where no Catch sees it --------------------------------------------------

SCENES = (("release", "Release"), ("baked", "Release"), ("bad", "Release"), ("ordered", "Rollback"))
BEFORE_THE_LOCK = ("PlanRelease", "IsDryRun", "Release", "AcquireLock")


def states() -> Iterator[tuple[str, str, str]]:
    """Every state that a machine enters in one of the scenarios, once: scenario, machine, state."""
    seen: set[tuple[str, str]] = set()
    for scenario, machine in SCENES:
        for state in dict.fromkeys(clean_facts(scenario)["entered"][machine]):
            if (machine, state) not in seen:
                seen.add((machine, state))
                yield scenario, machine, state


def ends_of(scenario: str, state: str, when: Any, ended: str) -> frozenset[str]:
    """What an execution that ended there may come to: nothing at all before it had the route."""
    if state in BEFORE_THE_LOCK:
        return BACK | UNTOUCHED | {ended, state}
    if scenario == "ordered" and never_began(state, when):
        return EITHER
    return {"release": EITHER, "baked": EITHER}.get(scenario, BACK)


def _stops(row: str, kind: str, seconds: int, *others: Fault) -> Any:
    ended = STOPPED if kind == "abort_at" else ""

    def runs(clean: Clean) -> Iterator[Run]:
        for scenario, machine, state in states():
            moments: list[Any] = ["entered"]
            if state in tasks(clean, scenario):
                changing = [each for each in clean.mutating(scenario) if each.function == f"{state}Function"]
                moments += ["fence"] if changing else [1]
                moments += ["write"] if any(each.call not in LEDGER for each in changing) else []
            for when in moments:
                args = {"state": state, "machine": machine, "when": when}
                end = Fault(kind, None, {**args, **within(args, seconds)})
                yield Run(row, scenario, (end, *others), ends=ends_of(scenario, state, when, ended))

    return runs


def broken(clean: Clean) -> Iterator[Run]:
    """F10: errors that a Catch doesn't see, or sees only by name."""
    for scenario, machine, state in states():
        for error in ("States.Runtime", "States.DataLimitExceeded"):
            for when in ("invoked", "answered") if state in tasks(clean, scenario) else ("entered",):
                args = {"state": state, "machine": machine, "error": error, "when": when}
                ends = ends_of(scenario, state, when, error) | UNTOUCHED
                yield Run("F10", scenario, (Fault("uncatchable", None, {**args, **within(args)}),), ends=ends)
                if error == "States.Runtime":
                    late = Fault("uncatchable", None, {**args, **within(args, BY_SWEEPER)})
                    yield Run("F10", scenario, (late, fault("events", which="status", do="drop")), ends=ends)


def within(args: Mapping[str, Any], seconds: int = IN_TIME) -> dict[str, int]:
    """How soon blue must have its traffic back; a person's order that never got under way has changed nothing."""
    idle = args["machine"] == "Rollback" and never_began(args["state"], args["when"])
    return {} if idle else {"within": seconds}


def never_began(state: str, when: Any) -> bool:
    """Whether a rollback that a person ordered hadn't taken the release over yet: then the release goes on."""
    return state == "AcceptOrder" or (state == "RestoreBlue" and when in ("entered", "fence", "invoked"))


# --- F11, F12, F14: events and actors ------------------------------------------------------------------------


def astray(clean: Clean) -> Iterator[Run]:
    """F11: events that come again, in another order, or when the next release has begun."""
    for seed in range(3):
        for which, scenario in (("status", "aborted"), ("alarm", "bad"), ("alarm", "braked")):
            for times in (2, 3, 10):
                yield Run(
                    "F11",
                    scenario,
                    (fault("events", which=which, do="repeat", times=times),),
                    seed,
                    ends=BACK,
                )
            for seconds in (10, 60, 240, 600):
                late = fault("events", which=which, do="delay", seconds=seconds)
                # The owner's alarm is green again by then, and a judge that looks once a minute may never have seen it red.
                passed = scenario == "braked" and seconds > 60
                yield Run("F11", scenario, (late,), seed, ends=EITHER if passed else BACK)
            for seconds in (5, 90):
                mixed = fault("events", which=which, do="reorder", seconds=seconds)
                yield Run("F11", scenario, (mixed,), seed, ends=BACK)
        for which, scenario in (("status", "next"), ("alarm", "next-bad"), ("alarm", "next-braked")):
            late = fault("events", which=which, do="delay", until="next release")
            yield Run("F11", scenario, (late,), seed, ends=GOOD)


def redriven(clean: Clean) -> Iterator[Run]:
    """F12: an execution is taken up again after it was aborted, rolled back, or a newer release runs."""
    for scenario, machine, state in states():
        if machine != "Release" or scenario == "baked" or state in BEFORE_THE_LOCK or state == "Promoted":
            continue
        stop = fault("abort_at", state=state, machine=machine)
        for after in (60, 600):
            yield Run("F12", scenario, (stop, fault("redrive", after=after)), ends=EITHER)
        for after in (0, 20):
            yield Run("F12", scenario, (stop, fault("redrive", at_once=True, after=after)), ends=EITHER)
        newer = {"release": "after", "bad": "next-bad"}[scenario]
        yield Run("F12", newer, (stop, fault("redrive", newer=True)), ends=GOOD)
    for scenario in ("bad", "ordered"):
        yield Run("F12", scenario, (fault("redrive", after=60),), ends=BACK)
    yield Run("F12", "next", (fault("redrive", newer=True),), ends=GOOD)


def at_the_same_time(clean: Clean) -> Iterator[Run]:
    """F14: guard and sweeper, and a sweeper in the middle of everything that a live release does."""
    for nth in range(1, 9):
        for seed in range(2):
            yield Run("F14", "aborted", (fault("together", nth=nth),), seed, ends=BACK)
    for scenario, ends in (("release", GOOD), ("bad", BACK), ("ordered", BACK)):
        points = [point for point in functions(clean.mutating(scenario)) if point.function != "SweepFunction"]
        for point in points:
            yield Run("F14", scenario, (fault("swept", point),), ends=ends)
        for point in points:
            if point.call in ROUTE:
                for seconds in (4, 10):
                    yield Run("F14", scenario, (fault("slow", point, seconds=seconds),), ends=ends)
    for point in functions(clean.mutating("release")):
        if point.function in ("SweepFunction", "AcquireLockFunction"):
            continue
        for kind in ("braked_at", "ordered_at"):
            for seconds in (0, *LATE_WRITES) if point.call in ROUTE else (0,):
                yield Run("F14", "release", (fault(kind, point, seconds=seconds),), ends=EITHER)


def collected(clean: Clean) -> Iterator[Run]:
    """F16: the collector comes in the middle of everything, and finds nothing that is old enough to be spared for that."""
    for scenario, ends in (
        ("release", GOOD),
        ("bad", BACK),
        ("ordered", BACK),
        ("retired", GOOD),
        ("taken", BACK),
    ):
        for point in functions(clean.mutating(scenario)):
            if point.call not in LEDGER and point.function != "SweepFunction":
                yield Run("F16", scenario, (fault("collected", point),), ends=ends)


# --- F15: without the ledger ---------------------------------------------------------------------------------


def without_ledger(clean: Clean) -> Iterator[Run]:
    for scenario in ("release", "bad", "ordered", "aborted", "braked"):
        longest = int(clean.outcome(scenario).cloud_seconds)
        for after in range(0, longest, 60):
            for minutes in (1, 5, 15):
                ends = ANY_END | {STOPPED} if minutes > 5 else SAFE
                away = fault("outage", service="dynamodb", after=after, minutes=minutes)
                yield Run("F15", scenario, (away,), ends=ends)
        for share in (0.1, 0.3, 0.6):
            for seed in range(2):
                yield Run("F15", scenario, (fault("throttle", service="dynamodb", p=share),), seed, ends=SAFE)
        for call in ("TransactWriteItems", "UpdateItem", "GetItem", "Query"):
            yield Run("F15", scenario, (fault("deny", call=call, after=longest // 3, minutes=5),), ends=SAFE)


ROWS = [
    Row("F01", "a function dies before a changing call", _crashes("F01", "crash_before"), most=EVERY),
    Row(
        "F02",
        "a function dies after a changing call, before its answer",
        _crashes("F02", "crash_after"),
        most=EVERY,
    ),
    Row("F03", "each task runs twice, one after the other", twice, most=EVERY),
    Row("F04", "each task runs twice, interleaved", interleaved),
    Row("F05", "two crashes in one release", pairs),
    Row("F06", "a task's time is up, its function goes on", zombies),
    Row("F07", "the execution is aborted, in each state", _stops("F07", "abort_at", IN_TIME)),
    Row(
        "F08",
        "the execution is aborted, the event is lost",
        _stops("F08", "abort_at", BY_SWEEPER, fault("events", which="status", do="drop")),
    ),
    Row("F09", "the execution's time is up, in each state", _stops("F09", "timeout_at", IN_TIME)),
    Row("F10", "errors that no Catch sees, in each state", broken),
    Row("F11", "events come again, in another order, or late", astray),
    Row("F12", "an execution is redriven", redriven),
    Row("F13", "the way back dies at each call", crashes_on_the_way_back),
    Row("F14", "guard, sweeper and a live release at the same time", at_the_same_time),
    Row("F15", "the ledger can't be reached", without_ledger),
    Row("F16", "the collector comes in the middle of a release", collected),
]
