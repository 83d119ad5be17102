"""What a release waits for: how much of each wait is over, what comes then, and when all of it is over."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from viridian import dns, gates
from viridian.converge import LATE_WRITER_SECONDS
from viridian.record import Record
from viridian_cli import journal, plot
from viridian_cli.seen import Seen


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Something that takes long, and how much of it is over: of a time, or of a number of instances.

    `then` is what comes after it; with `at_most`, that may come sooner.
    """

    what: str
    done: float
    words: str
    then: str = ""
    at_most: bool = False


def of(seen: Seen) -> Iterator[Wait]:
    """Everything that it waits for now."""
    record, now = seen.record, seen.now
    if record.status == "Releasing":
        yield from _forth(seen)
    elif record.status == "RollingBack":
        yield from _back(seen)
    elif record.status == "Promoted" and record.retire_at and record.ended_at:
        then = f"{record.plan.blue.group} retires"
        yield timed("blue is kept", record.ended_at, record.retire_at, now, then)


def _forth(seen: Seen) -> Iterator[Wait]:
    record, now, profile = seen.record, seen.now, seen.record.plan.profile
    if (paused := journal.paused(seen.entries, now)) and paused.until:
        yield timed("paused", paused.at, paused.until, now, "it goes on")
    began, stage = record.taken_at or now, plot.reached(record, seen.state.name if seen.state else None)
    if (passage := record.waits_at) and stage == passage.gate:
        hook = gates.hook(profile, passage.gate.partition(".")[0])  # type: ignore[arg-type]
        until = passage.until or passage.reached_at + timedelta(minutes=hook.minutes if hook else 0)
        what = "approval" if passage.approval else "hook"
        yield timed(what, passage.reached_at, until, now, "silence is a no", at_most=True)
    elif stage == "BakeImage":
        until = began + timedelta(minutes=profile.deadlines.image_minutes)
        yield timed("bake", began, until, now, "green is made", at_most=True)
    elif stage == "CreateGreen" and record.green_at:
        if seen.green:
            yield _count("launch", seen.green.standing(), record.need)
            yield _count("health", seen.green.healthy(), record.need)
        until = record.green_at + timedelta(minutes=profile.deadlines.healthy_minutes)
        yield timed("until healthy", record.green_at, until, now, "the smoke tests run", at_most=True)
    elif (shifted := _shifted(seen)) is not None and (n := plot.step(record)) is not None:
        until = shifted + _observed(record, n)
        last = n == len(profile.steps) - 1
        then = "promoted" if last else f"step {n + 2} of {len(profile.steps)}, {profile.steps[n + 1].weight}%"
        what = f"observe step {n + 1}"
        if now < until:
            yield timed(what, shifted, until, now, then)
        else:
            longest = until + timedelta(minutes=profile.inconclusive.minutes)
            then = "it is held" if profile.inconclusive.then == "hold" else "it goes back"
            yield timed("evidence", until, longest, now, then, at_most=True)


def _back(seen: Seen) -> Iterator[Wait]:
    record, now = seen.record, seen.now
    settle = timedelta(seconds=max(record.plan.settle_seconds, LATE_WRITER_SECONDS))
    if record.restored_at is None and seen.blue:
        yield _count("blue's capacity", seen.blue.healthy(), record.need)
    elif record.restored_at and now < record.restored_at + settle:
        yield timed("settle", record.restored_at, record.restored_at + settle, now, "green is removed")
    if record.rollback_by and record.taken_at:
        then = "a person is paged"
        yield timed("the way back", record.taken_at, record.rollback_by, now, then, at_most=True)


def timed(
    what: str, began: datetime, until: datetime, now: datetime, then: str, *, at_most: bool = False
) -> Wait:
    """A wait that is over at a moment."""
    whole, over = (until - began).total_seconds(), (now - began).total_seconds()
    done = min(1.0, max(0.0, over / whole)) if whole > 0 else 1.0
    words = f"{clock(over)} of {'at most ' if at_most else ''}{clock(whole)}"
    return Wait(what=what, done=done, words=words, then=then, at_most=at_most)


def _count(what: str, have: int, wanted: int) -> Wait:
    return Wait(what=what, done=min(1.0, have / wanted) if wanted else 1.0, words=f"{have} of {wanted}")


def clock(seconds: float) -> str:
    """A span as a stop-watch shows it; long ones in hours."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02}" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02}"


def _observed(record: Record, n: int) -> timedelta:
    """How long a step is observed at the least; the last one until the load balancer has settled, too."""
    profile, minutes = record.plan.profile, timedelta(minutes=record.plan.profile.steps[n].observe_minutes)
    last = n == len(profile.steps) - 1
    return max(minutes, timedelta(seconds=profile.settle_seconds)) if last else minutes


def _shifted(seen: Seen) -> datetime | None:
    """Since when green has its share; of a name, since nobody may keep what it said before."""
    record = seen.record
    shifted = journal.routed_at(seen.entries, record.plan.route)
    if shifted is None or not dns.is_name(record.plan.route):
        return shifted
    return max(shifted, record.told_at + timedelta(seconds=dns.TTL)) if record.told_at else seen.now


def ends(seen: Seen) -> tuple[datetime | None, datetime | None]:
    """When it is promoted at the soonest, and when it is over at the latest."""
    record, now, n = seen.record, seen.now, plot.step(seen.record)
    if record.status == "RollingBack":
        return None, record.rollback_by
    if record.status != "Releasing":
        return None, None
    rest = timedelta()
    if n is not None and (shifted := _shifted(seen)):
        rest = max(timedelta(), shifted + _observed(record, n) - now)
    if (paused := journal.paused(seen.entries, now)) and paused.until:
        rest = max(rest, paused.until - now)
    following = range(0 if n is None else n + 1, len(record.plan.profile.steps))
    return now + sum((_observed(record, each) for each in following), rest), record.deadline
