"""A release played once more: from what the ledger kept of it, the phases it came to, in the words of its tellings."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from viridian import tellings
from viridian.orders import Taken
from viridian.record import FRESH, KEEPS_LOCK, Past, Record
from viridian.tellings import Telling, Write, turned_back
from viridian.traffic import Forward
from viridian_cli import journal
from viridian_cli.aws.releases import Entry
from viridian_cli.story import Happened

# What its record has not had from the beginning.
_LATER = (
    *FRESH, "emptied_at", "green_at", "image", "launch_template_version", "promoted_at", "retire_at", "steps", "taken_back"
)  # fmt: skip
# What tells a way back, beside that it has begun.
_BACK = (
    "converger", "failure", "hold", "ordered", "past", "resolved", "rollback_by", "steps", "taken_back"
)  # fmt: skip

Entered = Sequence[tuple[datetime, str]]  # when which state was
Change = tuple[datetime, dict[str, Any]]


class Reading(NamedTuple):
    """Every phase in its order, as far as its times are known; where it has `come_to`, and what turned it back."""

    phases: list[Telling]
    come_to: Telling
    cause: str

    @property
    def next(self) -> str:
        """What comes next; what one may type then is said apart."""
        return self.come_to.next.partition("\n")[0]


class Life(NamedTuple):
    """A release from `since` until somebody took it up again, as it stood then; one that goes `forth` is released in it."""

    record: Record
    since: datetime
    forth: bool


class Worker(NamedTuple):
    """An execution that worked for a release, what it was started for, and the reason that its starter gave."""

    at: datetime
    execution: str
    did: str
    why: str


def read(record: Record, entries: Sequence[Entry], now: datetime, entered: Entered = ()) -> Reading:
    """What there is to read of a release in its record and its journal, and in its executions' states where known."""
    told: list[Telling] = []
    last, lived = None, lives(record)
    for life, following in zip(lived, [*lived[1:], None], strict=True):
        ours = [each for each in entries if journal.moment(each) >= life.since]
        ours = [each for each in ours if not following or journal.moment(each) < following.since]
        for at, change in sorted(_changes(life, ours, entered), key=lambda each: each[0]):
            new = replace(last or _begun(life.record), **change)
            told += between(last, new, at)
            last = new
    assert last is not None
    phases = [*told]
    if (
        record.status == "Releasing"
    ):  # without the journal, its record knows how far it is, though not since when
        written = record.written if not entries else last.written
        shown = replace(record, last_order=last.last_order, ran_out=last.ran_out, written=written)
        phases += between(last, shown, now)
    asked = [each for each in phases if record.question and each.phase == "AwaitingApproval"]
    back = record.status in ("RollingBack", "RolledBack", *KEEPS_LOCK)
    causes = [each.why for each in told if back and each.phase in ("RollingBack", "TakingBack")]
    return Reading(told, (asked or phases)[-1], causes[-1] if causes else "")


def between(before: Record | None, after: Record, at: datetime) -> list[Telling]:
    """What there is to tell of what a record has become."""
    return list(tellings.of(Write(id="", sequence="", at=at, old=before, new=after)))


def happened(telling: Telling) -> Happened:
    """A phase among other things that happened."""
    what = telling.what.removeprefix(f"{telling.service} {telling.version} ")
    return Happened(at=telling.at, what=what, why=telling.why)


def began(record: Record) -> datetime:
    """When it was first asked for."""
    return record.past[0].began if record.past else record.began


def lives(record: Record) -> list[Life]:
    """Once more for each end that it was taken up again from, and the last as it stands."""
    found: list[Life] = []
    for stood in (*(_stood(record, n) for n in range(len(record.past))), record):
        forth = not found or stood.plan.execution != found[-1].record.plan.execution
        found.append(Life(stood, (None if forth else turned_back(stood)) or stood.began, forth))
    return found


def workers(record: Record) -> Iterator[Worker]:
    """The executions that worked for it, oldest first."""
    for n, (life, since, forth) in enumerate(lives(record)):
        if forth:
            did = "resumed it by" if n else "started"
            yield Worker(since, life.plan.execution, did, life.past[-1].then if n else "")
        if life.converger and life.converger != life.plan.execution and (turned := turned_back(life)):
            did = "had it resolved by" if life.resolved else "had it taken back by"
            yield Worker(turned, life.converger, did, tellings.ordered(life))


def _stood(record: Record, n: int) -> Record:
    past = record.past[n]
    plan = replace(record.plan, execution=past.execution, asked_at=past.began)
    kept = {name: getattr(past, name) for name in Past.__struct_fields__ if name in record.__struct_fields__}
    return replace(record, plan=plan, past=record.past[:n], retire_at=None, **kept)


def _begun(record: Record) -> Record:
    return replace(record, **_default(_LATER), status="Releasing", written=(record.plan.before,))


def _default(names: Sequence[str]) -> dict[str, Any]:
    return {field.name: field.default for field in msgspec.structs.fields(Record) if field.name in names}


def _changes(life: Life, entries: Sequence[Entry], entered: Entered) -> Iterator[Change]:
    """What became of its record when; of two at one moment, the first to come is the first here."""
    record, since, forth = life
    written = journal.shares(record, entries)
    own = [each for each in written if forth and each[0].epoch == written[0][0].epoch]
    if forth:
        fresh = _default(FRESH) if record.past else {}
        yield since, {**fresh, "plan": record.plan, "past": record.past, "status": "Releasing"}
        yield from _forth(record, entries, entered)
        yield from _shifts(own)
    if turned := turned_back(record):
        how = _default(("ended_at", "outcome", "restored_at")) | {
            name: getattr(record, name) for name in _BACK
        }
        yield turned, {"status": "RollingBack", **how}
    yield from _shifts(written[len(own) :])
    if record.restored_at:
        yield record.restored_at, {"restored_at": record.restored_at}
    promoted = record.promoted_at or (record.ended_at if record.status == "Promoted" else None)
    if promoted and (forth or record.resolved):
        yield promoted, {"status": "Promoted", "retire_at": record.retire_at}
    if record.emptied_at:
        yield record.emptied_at, {"emptied_at": record.emptied_at, "outcome": record.outcome}
    if record.ended_at and record.status not in ("Promoted", "RollingBack"):
        ended = ("status", "outcome", "ended_at")
        yield record.ended_at, {name: getattr(record, name) for name in ended}


def _forth(record: Record, entries: Sequence[Entry], entered: Entered) -> Iterator[Change]:
    made = next((each for each in entries if each.call == "CreateLaunchTemplateVersion"), None)
    made_at = journal.moment(made) if made else record.green_at
    baked = next((at for at, state in entered if state == "CreateGreen"), made_at)
    if baked and record.image:
        yield baked, {"image": record.image}
    if made_at:
        version, since = record.launch_template_version, record.green_at
        yield made_at, {"launch_template_version": version, "green_at": since}
    for n, passage in enumerate(record.passages, start=1):
        yield passage.reached_at, {"passages": record.passages[:n]}
    orders = [each for each in journal.said(entries) if each.kind == "Order"]
    over = (*(each.at for each in orders[1:]), record.ran_out)
    for each, ends in zip(orders, over, strict=False):
        order = Taken(order=each.given, by=each.by, at=each.at, reason=each.why, until=each.until)  # type: ignore[arg-type]
        yield each.at, {"last_order": order}
        if each.until and ends and each.until <= ends:
            yield each.until, {"ran_out": each.until}


def _shifts(written: Sequence[tuple[Entry, Forward]]) -> Iterator[Change]:
    """Weights that the record had; the brake has no time to note them: that blue serves alone is what it notes."""
    for entry, forward in written:
        if entry.call != journal.BRAKE:
            yield journal.moment(entry), {"written": (forward,)}
