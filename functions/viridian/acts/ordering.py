"""People's orders to a release that runs: taken from whoever AWS says it is, and heeded wherever it would go on."""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from viridian import orders, verdict, windows
from viridian.aws import ledger
from viridian.door import Replied
from viridian.errors import HANDS_ON, Fenced, Refusal
from viridian.moment import at
from viridian.orders import Given, Taken
from viridian.record import Record
from viridian.verdict import Next, Signals, Verdict


def take(given: Given, by: str, now: datetime) -> Replied:
    """Writes an order into the record and the journal of a release that runs; said again, it changes nothing.

    Raises Refusal where the order itself can't be meant.
    """
    if given.minutes and given.order != "pause":
        raise Refusal("minutes", given.minutes, "Leave it out: only a pause has an end.")
    record, order = ledger.find(given.service, given.release), given.taken(by, now)
    if record is None:
        fix = "Use the id of a release that has taken its route, as its record and its output have it."
        return _refused(404, Refusal("release", given.release, fix))
    if refusal := _not_now(record):
        return _refused(409, refusal)
    if record.last_order and order.repeats(record.last_order):
        return _taken(record, record.last_order)
    if order.order == "resume" and _paused_until(record, now) == now:
        fix = f"Leave it out: {given.release} is not paused, and goes on by itself."
        return _refused(409, Refusal("order", "resume", fix))
    until = _extended(record, order, now)
    what = {"by": by, "why": order.reason, "until": order.until}
    entry = ledger.said(record.fence(), f"Order:{order.order}", given.release, what)
    try:
        ledger.note(record.fence(), entry, last_order=order, extended_to=until)
    except Fenced as fenced:
        return _refused(409, Refusal("release", given.release, f"It runs no more: {fenced}."))
    return _taken(record, order)


def look(record: Record, now: datetime) -> Record:
    """The record, in which a pause that has run out is written down as over: the release goes on, and says so."""
    order = record.last_order
    if order is None or order.until is None or order.pauses(now) or order.until == record.ran_out:
        return record
    ledger.note(record.fence(), ran_out=order.until)
    return replace(record, ran_out=order.until)


def keeps(record: Record, step: int, now: datetime) -> str:
    """Why green may not have a step's share, or nothing if it may; one that was about to be written is."""
    order = record.last_order
    return order.in_words() if order and order.pauses(now) and not begun(record, step) else ""


def begun(record: Record, step: int) -> bool:
    """Whether a step's share was written, or was about to be."""
    return record.plan.profile.steps[step].weight == record.green_percent


def judge(record: Record, signals: Signals, step: int, now: datetime) -> tuple[Verdict, Next]:
    """The verdict on green, and what it means for the plot, by the last order that a person gave."""
    found, began = verdict.judge(signals), record.step is not None
    told, move = verdict.heed(found, signals, record.plan.profile, step, record.last_order, now, begun=began)
    if move == "look_again":  # its time to become healthy begins anew, as at a gate
        ledger.note(record.fence(), green_at=now)
    return told, move


def _not_now(record: Record) -> Refusal | None:
    """Why the release takes no orders as it stands."""
    id_ = record.plan.release
    if record.hands_off:
        return Refusal("hands_off", record.hands_off, HANDS_ON)
    if record.status == "Held":
        fix = "To let it go on, start the release machine with service, resume and reason: `viridian resume` does."
        return Refusal("release", f"{id_} is Held", fix)
    if record.status != "Releasing":
        return Refusal("release", f"{id_} is {record.status}", "Give orders to a release that runs.")
    return None


def _paused_until(record: Record, now: datetime) -> datetime:
    """The end of the pause that holds; now if none does."""
    until = record.last_order.until if record.last_order else None
    return max(until or now, now)


def _extended(record: Record, order: Taken, now: datetime) -> datetime:
    """The release's deadline with a pause added to it, or what is left of one taken off.

    Refuses a pause for which the execution has no room.
    """
    until = order.until or now
    deadline = record.deadline + (until - _paused_until(record, now))
    longest = record.plan.deadline + timedelta(minutes=orders.LONGEST_MINUTES)
    room = min(windows.lives_until(record.plan), longest) - deadline
    if order.until and room < timedelta():
        asked, left = ((moment - now) // timedelta(minutes=1) for moment in (until, until + room))
        fix = f"Pause it for {max(0, left)} at most: its execution has room for no more."
        raise Refusal("minutes", asked, fix)
    return deadline


def _refused(status: int, refusal: Refusal) -> Replied:
    return Replied(status=status, words=str(refusal))


def _taken(record: Record, order: Taken) -> Replied:
    told = {
        "service": record.plan.service,
        "release": record.plan.release,
        "order": order.order,
        "by": order.by,
        "at": at(order.at),
        "reason": order.reason,
        "until": at(order.until) if order.until else None,
        "green_percent": record.green_percent,
        "says": order.in_words(),
    }
    return Replied(status=200, words=msgspec.json.encode(told).decode())
