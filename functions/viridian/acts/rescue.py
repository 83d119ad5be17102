"""Who brings a release back when its own execution can't: the brake, the guard and the sweeper, traffic first."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec

from viridian import names
from viridian.acts import retirement, way_back
from viridian.aws import executions, ledger, pages, router, target_groups
from viridian.converge import LATE_WRITER_SECONDS, Errand
from viridian.errors import Busy, Fenced, HandsOff, SweepIncomplete
from viridian.fence import Fence
from viridian.record import KEEPS_LOCK, Record
from viridian.watch import Watch

_LOOK_SECONDS = 5
_FRESH_SECONDS = 5  # an epoch that was taken longer ago is looked at again before the write
# DescribeExecution is eventually consistent: so long may a new one be unknown.
_UNSEEN = timedelta(seconds=60)
_LATE = timedelta(minutes=10)


def brake(alarm: str, changed_at: datetime, failure: str) -> tuple[str, ...]:
    """Restores blue for every release that watches an alarm, then stays until that is settled.

    An alarm that changed before a release began says nothing about it.
    """
    watches, hands_off = ledger.watches(alarm)
    called = [watch for watch in watches if changed_at >= watch.since.replace(microsecond=0)]
    braked: list[tuple[Watch, Errand]] = []
    failed: list[Exception] = []
    for watch in called:
        try:
            if errand := _brake(watch, failure, hands_off):
                braked.append((watch, errand))
                _go(errand)
        except Exception as error:  # one release keeps no other waiting, and a dead state machine no release
            failed.append(error)
    _settle(braked)
    if failed:
        raise failed[0]
    return tuple(errand.execution for _, errand in braked)


def guard(execution: str, failure: str, now: datetime) -> str | None:
    """Goes on for an execution that has ended, if that left a release without one.

    That one which nobody has started by hand was refused, people hear of here: nobody looks at its history.
    """
    if record := ledger.find_by_execution(execution):
        return _rescue(record, now, failure, dead=execution)
    if started := names.started(execution):
        pages.tell(
            f"{started} was not released", f"{execution} ended before it touched anything.\n\n{failure}"
        )
    return None


def sweep(now: datetime) -> tuple[str, ...]:
    """Sees to everything that isn't over; one that fails keeps none of the others waiting."""
    started, failed = [], []
    for service, release in ledger.open_releases():
        try:
            record = ledger.find(service, release)
            started.append(_see_to(record, now) if record else None)
        except Exception as error:  # told below, for all of them together
            failed.append(f"{release} of {service}: {type(error).__name__}: {error}")
    if failed:
        raise SweepIncomplete("; ".join(failed))
    return tuple(execution for execution in started if execution)


def _see_to(record: Record, now: datetime) -> str | None:
    if record.status == "Promoted":
        return retirement.start(record) if retirement.is_due(record, now) else None
    execution = _rescue(
        record, now, "ExecutionLost: it ended, or never began, and left the release as it was"
    )
    if execution:
        taken = ledger.find(record.plan.service, record.plan.release)
        if taken and not taken.ended and taken.worker == execution:
            way_back.tell(taken, f"the sweeper took it over from {record.worker}: {taken.failure}")
    return execution


def _rescue(record: Record, now: datetime, failure: str, *, dead: str | None = None) -> str | None:
    """Takes a release over whose worker is dead or late; None while somebody is at it, or a person must decide."""
    if record.ended or record.status in KEEPS_LOCK:
        return None
    worker, rolling = record.worker, record.status == "RollingBack"
    state = "ENDED" if worker == dead else executions.state(worker)
    until = record.rollback_by if rolling and record.rollback_by else record.deadline
    if state == "RUNNING" and now < until + _LATE:
        return None
    if state is None and _is_named(record):
        return _go(_errand(record, worker, failure))
    if state is None and now < (record.taken_at or now) + _UNSEEN:
        return None
    with suppress(Fenced):  # somebody else is quicker
        by = executions.rollback(record.plan.release, record.epoch + 1)
        return _go(_errand(ledger.take_over(record, by, failure), by, failure))
    return None


def _is_named(record: Record) -> bool:
    """Whether the release is waiting for the one rollback of its epoch."""
    return record.worker == executions.rollback(record.plan.release, record.epoch)


def _errand(record: Record, execution: str, failure: str) -> Errand:
    return Errand(
        service=record.plan.service,
        release=record.plan.release,
        execution=execution,
        failure=record.failure or failure,
    )


def _go(errand: Errand) -> str:
    """The first move at once; the rest is the rollback machine's, even if the first could not be made."""
    try:
        over = way_back.begin(errand).end is not None
    except Exception:
        _start(errand)
        raise
    if not over:
        _start(errand)
    return errand.execution


def _start(errand: Errand) -> None:
    epoch = int(errand.execution.rsplit("-", 1)[1])
    order = {
        "service": errand.service,
        "release": errand.release,
        "reason": errand.failure,
        "epoch": epoch,
    }
    try:
        executions.start_rollback(errand.execution, order)
    except Exception as error:
        with suppress(Exception):  # the first error is the one to tell
            if record := ledger.find(errand.service, errand.release):
                way_back.tell(record, f"the rollback machine could not be started: {error}")
        raise


def _brake(watch: Watch, failure: str, hands_off: str | None) -> Errand | None:
    """Six calls from the alarm to blue, where blue can carry everything and nobody else has written.

    Answers with what is left to do: a closer look at least. None if it is over, or somebody else is at it.
    """
    fence = watch.fence
    by = executions.rollback(fence.release, fence.epoch + 1)
    errand = Errand(service=fence.service, release=fence.release, execution=by, failure=failure)
    try:
        if not hands_off:
            _restore(watch, by, failure)
    except Fenced:
        record = ledger.find(fence.service, fence.release)
        if record is None or record.ended or record.worker != by:
            return None
    except HandsOff:
        pass  # the closer look holds it, and pages
    return errand


def _restore(watch: Watch, by: str, failure: str) -> None:
    fence, taken_at = _seize(watch, by, failure), time.monotonic()
    with suppress(Exception):  # whatever stands in the way, the closer look that follows finds it and says so
        rule = router.find(fence.route)
        carries = (
            not watch.hold and watch.planned(rule.forward) and target_groups.healthy(watch.blue) >= watch.need
        )
        if time.monotonic() - taken_at > _FRESH_SECONDS:
            fence = msgspec.structs.replace(fence, intent=None)
        if carries:
            router.set_forward(rule, watch.restored(rule.forward), fence)


def _seize(watch: Watch, by: str, failure: str) -> Fence:
    """The release itself writes to the ledger at the same moment; that may not keep the brake waiting for a minute."""
    for pause in (0.1, 0.3, 0.9):
        try:
            return ledger.seize(watch, by, failure)
        except Busy:
            time.sleep(pause)
    return ledger.seize(watch, by, failure)


def _settle(braked: list[tuple[Watch, Errand]]) -> None:
    """Keeps looking, and restoring, until the last function that an earlier epoch let write has been stopped."""
    until = datetime.now(UTC) + timedelta(seconds=LATE_WRITER_SECONDS)
    while braked and datetime.now(UTC) < until:
        time.sleep(_LOOK_SECONDS)
        for watch, errand in braked:
            if not router.forward(watch.fence.route).alone(watch.blue):
                way_back.begin(errand)
