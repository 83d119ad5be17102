"""The interpreter's kinds do what they say, and what they are there to find doesn't slip through."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from tests.faults import kinds, play
from tests.faults.place import Place, opened
from tests.faults.points import ANY_END, SAFE, Fault, Outcome, Run


@contextmanager
def played(scenario: str, *faults: Fault) -> Iterator[tuple[Place, Outcome]]:
    run = Run("smoke", scenario, tuple(faults), ends=ANY_END)
    play.seeded(0)
    kinds.known()
    with opened(run) as world:
        yield world, play.perform(world)


def fault(kind: str, **args: Any) -> Fault:
    return Fault(kind, None, args)


def sent(world: Place, function: str) -> list[str]:
    """The invocations of a function by each of its calls, in the order in which they reached the cloud."""
    entries = [each for each in world.cloud.calls.entries if each["principal"] == function]
    return [str(each["invocation"]) for each in entries]


def test_in_lockstep_two_runs_of_a_task_take_turns() -> None:
    with played("release", fault("duplicate", state="CreateGreen", how="lockstep")) as (world, outcome):
        calls = sent(world, "CreateGreenFunction")
        turns = [len(list(same)) for _, same in itertools.groupby(calls)]
        assert len(set(calls)) == 2
        assert turns[:8] == [1] * 8  # until one of them meets what the other has made
        assert outcome.end == "Promoted"
        assert outcome.good


def test_an_overtaken_run_writes_after_the_other_is_through() -> None:
    double = fault("duplicate", state="CreateGreen", how="overtaken", before="CreateRule")
    with played("release", double) as (world, outcome):
        turns = [each for each, _ in itertools.groupby(sent(world, "CreateGreenFunction"))]
        assert turns[0] == turns[2] not in turns[1::2]
        assert len(turns) == 4, "the one that came too late is tried again, and adopts what the other made"
        assert outcome.good


def test_a_zombie_goes_on_after_its_time_and_meets_the_fence() -> None:
    late = fault("zombie", state="ShiftTraffic", at="fence", wakes_after=30)
    with played("release", late) as (world, outcome):
        (first,) = [
            each for each in world.cloud.lambda_invocations if each["function"] == "ShiftTrafficFunction"
        ]
        fenced = [each for each in world.cloud.calls.by("ShiftTrafficFunction") if each["mutating"]]
        assert [each["error"] for each in fenced] == ["TransactionCanceledException"]
        assert fenced[0]["at"] - first["at"] == 50
        assert (outcome.end, outcome.good) == ("RolledBack", True)


def test_without_the_fence_a_zombie_is_seen() -> None:
    late = fault("zombie", state="ShiftTraffic", at="fence", wakes_after=30)

    @contextmanager
    def open_fence() -> Iterator[None]:
        from viridian.aws import items, ledger

        def nothing_checked(fence: Any, *_: Any) -> Any:
            return items.check(ledger._route(fence.route), "attribute_exists(pk)", {})

        with patch.object(ledger, "_holds", nothing_checked):
            yield

    outcome = play.play(Run("smoke", "release", (late,), ends=ANY_END), open_fence)
    assert "C5" in {each.check for each in outcome.ours}


def test_a_runtime_error_passes_the_catch_and_too_much_data_does_not() -> None:
    for error, restored in (("States.Runtime", False), ("States.DataLimitExceeded", True)):
        broken = fault("uncatchable", state="JudgeGreen", error=error, when="answered")
        with played("release", broken) as (world, outcome):
            release = world.executions()[0]
            assert ("RestoreBlue" in world.states(release.exec_arn)) == restored
            assert (outcome.end, outcome.good) == ("RolledBack", True)


def test_an_execution_is_over_at_once_though_its_function_goes_on() -> None:
    for kind, status in (("abort_at", "ABORTED"), ("timeout_at", "TIMED_OUT")):
        over = fault(kind, state="CreateGreen", when="write", goes_on_after=5)
        with played("release", over) as (world, outcome):
            release = world.executions()[0]
            wrote = [each for each in world.cloud.calls.by("CreateGreenFunction") if each["mutating"]]
            assert release.status == status
            assert max(each["at"] for each in wrote) >= release.stop_date.timestamp() + 5
            assert outcome.end == "RolledBack"


def test_what_happens_to_events() -> None:
    times = {"drop": 0, "repeat": 3}
    for do, invoked in times.items():
        stop = fault("abort_at", state="Observe")
        with played("release", stop, fault("events", which="status", do=do)) as (world, outcome):
            guards = [each for each in world.cloud.lambda_invocations if each["function"] == "GuardFunction"]
            assert len(guards) == invoked, do
            assert outcome.end == "RolledBack"
            assert outcome.run.ends >= SAFE
