"""The instrument itself: what must not pass doesn't, faults are told from misses, and a little of the matrix holds."""

from typing import Any
from unittest.mock import patch

import pytest

from tests.faults import mutants, nursery, rows
from tests.faults.play import play
from tests.faults.points import ANY_END, WENT_BACK, Fault, Outcome, Point, Run
from tests.faults.rows import chance
from tests.faults.smallest import smallest


def checks_of(outcome: Outcome) -> set[str]:
    return {each.check for each in outcome.ours}


def test_c7_a_step_left_out() -> None:
    from viridian.plan import Plan

    split = Plan.split

    def hasty(self: Any, green: str, weight: int, now: Any) -> Any:
        return split(self, green, 100 if weight == 50 else weight, now)

    outcome = play(Run("smoke", "release", ends=ANY_END), lambda: patch.object(Plan, "split", hasty))
    assert "C7" in checks_of(outcome), outcome


def test_c7_weights_written_over_somebody_elses() -> None:
    run = Run(
        "smoke",
        "release",
        (
            Fault(
                "person_weights", Point("JudgeGreenFunction", "DescribeAlarms", 1), {"blue": 70, "green": 30}
            ),
        ),
        ends=ANY_END,
    )
    assert play(run).good
    outcome = play(run, lambda: patch("viridian.traffic.ensure_ours", lambda *_: None))
    assert "C7" in checks_of(outcome), outcome


def test_c8_a_floor_that_stays() -> None:
    from viridian.aws import auto_scaling

    setting = auto_scaling.set_minimum

    def never_lower(side: Any, minimum: int, fence: Any) -> Any:
        return setting(side, max(side.minimum, minimum), fence)

    outcome = play(
        Run("smoke", "release", ends=ANY_END), lambda: patch.object(auto_scaling, "set_minimum", never_lower)
    )
    assert "C8" in checks_of(outcome), outcome


def test_an_end_that_isnt_acceptable() -> None:
    outcome = play(Run("smoke", "bad", ends=frozenset({"Promoted"})))
    assert [each.check for each in outcome.ours] == ["end"]


def test_a_fault_whose_point_is_never_reached_is_missed() -> None:
    fault = Fault("crash_before", Point("ShiftTrafficFunction", "ModifyRule", 99))
    outcome = play(Run("smoke", "release", (fault,)))
    assert outcome.good
    assert outcome.missed == (fault,)


def test_a_schedule_is_shrunk_to_what_makes_it_fail() -> None:
    faults = tuple(Fault("crash_before", Point("A", "B", nth)) for nth in range(4))

    def fails_with_third(run: Run) -> Outcome:
        return Outcome(run, "", orphans=("x",) if faults[2] in run.faults else ())

    found = smallest(Run("smoke", "release", faults), fails_with_third)
    assert found
    assert found.run.faults == (faults[2],)


def test_a_run_is_itself_again_when_it_is_read_back() -> None:
    fault = Fault("deny", Point("A", "B"), {"call": "ModifyRule", "after": 3})
    run = Run("F72", "release", (fault,), 7, {"propagation_seconds": 3.0}, {"sticky": True}, ANY_END)
    assert Run.of(run.text()) == run


def test_the_same_seed_plays_the_same_run() -> None:
    run = Run("smoke", "bad", (Fault("throttle", None, {"p": 0.2}),), seed=3)
    once, again = (outcome for _, outcome in nursery.played([nursery.Task(run)] * 2, 1))
    assert (once.end, once.calls, once.cloud_seconds) == (again.end, again.calls, again.cloud_seconds)


def test_a_prepared_world_is_forked_for_each_run() -> None:
    runs = [Run("smoke", "bad", seed=seed) for seed in (1, 2)]
    outcomes = [outcome for _, outcome in nursery.played([nursery.Task(run) for run in runs], 1)]
    assert [outcome.end for outcome in outcomes] == ["RolledBack", "RolledBack"]
    assert all(outcome.good for outcome in outcomes), outcomes


# --- a little of the matrix ----------------------------------------------------------------------------------


def at(kind: str, function: str, call: str, nth: int = 1, **args: Any) -> Fault:
    return Fault(kind, Point(function, call, nth), args)


LITTLE = [
    Run("F01", "release", (at("crash_before", "ShiftTrafficFunction", "ModifyRule"),)),
    Run("F02", "release", (at("crash_after", "CreateGreenFunction", "CreateAutoScalingGroup"),)),
    Run("F02", "release", (at("lost", "PromoteFunction", "TransactWriteItems"),)),
    Run("F02", "braked", (at("crash_after", "BrakeFunction", "ModifyRule"),), ends=WENT_BACK),
    Run("F02", "revived", (at("crash_after", "RestoreBlueFunction", "CreateRule"),), ends=WENT_BACK),
    Run("F01", "aborted", (at("crash_before", "GuardFunction", "ModifyRule"),), ends=WENT_BACK),
    Run("F02", "dropped", (at("crash_after", "SweepFunction", "TransactWriteItems"),), ends=WENT_BACK),
    Run("F01", "ordered", (at("crash_before", "RestoreBlueFunction", "TransactWriteItems"),), ends=WENT_BACK),
    Run("F02", "retired", (at("crash_after", "RetireBlueFunction", "UpdateAutoScalingGroup"),)),
    Run("F21", "release", (at("lost_update", "ShiftTrafficFunction", "ModifyRule"),)),
    Run("F02", "named", (at("crash_after", "ShiftTrafficFunction", "ChangeResourceRecordSets"),)),
    Run("smoke", "bad", (Fault("throttle", None, {"p": 0.3}),), ends=WENT_BACK),
    Run("F71", "release", (Fault("outage", None, {"service": "elbv2", "after": 150, "minutes": 2}),)),
]


def test_a_little_of_the_matrix_holds() -> None:
    outcomes = [outcome for _, outcome in nursery.played([nursery.Task(run) for run in LITTLE], 1)]
    assert len(outcomes) == len(LITTLE)
    for outcome in outcomes:
        assert outcome.good, outcome
        assert not outcome.missed, outcome


@pytest.mark.parametrize("name", ["fence removed", "INSUFFICIENT_DATA passes", "blue scaled in first"])
def test_a_deliberate_bug_is_seen(name: str) -> None:
    mutant = next(each for each in mutants.MUTANTS if each.name == name)
    ((_, without, with_it),) = mutants.played([mutant], 1)
    assert mutants.caught(mutant, without, with_it), (without, with_it)


def test_every_row_has_a_name_of_its_own_and_says_what_it_lacks() -> None:
    found = rows.every()
    assert len(found) > 60
    assert all(row.feature or row.missing for row in found)
    assert chance.ROWS[0] in found
