"""What the ledger keeps of a release: until when it may act, and under which right."""

import json
from datetime import timedelta

import msgspec
import pytest

from tests.stack import ROOT
from viridian.errors import DeadlinePassed
from viridian.fence import Fence
from viridian.plan import Plan
from viridian.record import CLOSED, ENDED, Record
from viridian.traffic import Forward

PLAN = msgspec.convert(json.loads((ROOT / "events" / "acquire_lock.json").read_text())["plan"], Plan)
RECORD = Record(plan=PLAN, status="Releasing", epoch=7)


@pytest.mark.parametrize(("seconds", "late"), [(-1, False), (0, False), (1, True)])
def test_a_release_has_until_its_deadline(seconds: int, late: bool) -> None:
    now = PLAN.deadline + timedelta(seconds=seconds)
    if late:
        with pytest.raises(DeadlinePassed, match="to end by 2026-01-05T12:05:00Z"):
            RECORD.ensure_in_time(now)
    else:
        RECORD.ensure_in_time(now)


def test_a_pause_moves_the_deadline() -> None:
    record = msgspec.structs.replace(RECORD, extended_to=PLAN.deadline + timedelta(minutes=1))
    record.ensure_in_time(PLAN.deadline + timedelta(minutes=1))
    with pytest.raises(DeadlinePassed, match="to end by 2026-01-05T12:06:00Z"):
        record.ensure_in_time(PLAN.deadline + timedelta(minutes=2))


@pytest.mark.parametrize(
    ("green", "step"), [(0, None), (9, None), (10, 0), (49, 0), (50, 1), (99, 1), (100, 2)]
)
def test_the_step_that_green_is_at_is_the_last_whose_share_it_has(green: int, step: int | None) -> None:
    shares = Forward(weights={PLAN.blue.target_group: 100 - green, "green": green})
    record = msgspec.structs.replace(RECORD, green_target_group="green", written=(PLAN.before, shares))
    assert (record.green_percent, record.step) == (green, step)


@pytest.mark.parametrize(
    ("lack", "minutes", "late"), [("", 99, False), ("2 of 3", 20, False), ("2 of 3", 21, True)]
)
def test_green_has_until_its_own_deadline_to_become_healthy(lack: str, minutes: int, late: bool) -> None:
    record = msgspec.structs.replace(RECORD, green_at=PLAN.started_at)
    now = PLAN.started_at + timedelta(minutes=minutes)
    if late:
        with pytest.raises(DeadlinePassed, match="after 20 minutes: 2 of 3"):
            record.ensure_green_in_time(now, lack)
    else:
        record.ensure_green_in_time(now, lack)


def test_a_green_that_was_never_made_is_not_late() -> None:
    RECORD.ensure_green_in_time(PLAN.deadline, "0 of 3")


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("Releasing", False),
        ("RollingBack", False),
        ("Held", False),
        ("RollbackIncomplete", False),
        ("Promoted", True),
        ("RolledBack", True),
        ("Retired", True),
    ],
)
def test_a_release_has_ended_once_nothing_more_is_done_for_it(status: str, ended: bool) -> None:
    assert msgspec.structs.replace(RECORD, status=status).ended is ended
    assert set(CLOSED) < set(ENDED)


@pytest.mark.parametrize(("seconds", "due"), [(-1, False), (0, True), (1, True)])
def test_blue_is_due_once_its_recorded_time_has_come(seconds: int, due: bool) -> None:
    record = msgspec.structs.replace(RECORD, retire_at=PLAN.deadline)
    assert record.is_due(PLAN.deadline + timedelta(seconds=seconds)) is due
    assert not RECORD.is_due(PLAN.deadline)


def test_the_fence_is_the_right_to_write_as_the_record_saw_it() -> None:
    wanted = Fence(service="shop", release=PLAN.release, route=PLAN.route, epoch=7)
    assert RECORD.fence() == wanted


def test_of_many_ends_the_newest_are_kept_and_one_of_each_execution() -> None:
    record = msgspec.structs.replace(RECORD, past=RECORD.set_aside("it was held"))
    plan = msgspec.structs.replace(PLAN, execution="second", asked_at=PLAN.deadline)
    record = record.resumed(plan, epoch=2, now=PLAN.deadline)
    for end in range(40):
        record = msgspec.structs.replace(record, past=record.set_aside(f"order {end}"))
    assert len(record.past) == 20
    assert [past.then for past in record.past[-2:]] == ["order 38", "order 39"]
    assert list(record.starts) == [PLAN.execution, "second"]


def test_a_release_was_started_by_its_first_execution_and_by_each_that_resumed_it() -> None:
    record = RECORD
    for execution in ("second", "third"):
        plan = msgspec.structs.replace(PLAN, execution=execution, asked_at=PLAN.deadline)
        record = record.resumed(plan, epoch=record.epoch + 1, now=PLAN.deadline)
    assert record.starts == {
        PLAN.execution: PLAN.started_at,
        "second": PLAN.deadline,
        "third": PLAN.deadline,
    }
