"""A release played once more: from what the ledger kept of it, the phases it came to, in the words of its tellings."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from viridian import tellings
from viridian.record import FRESH, Record
from viridian.tellings import Telling, Write
from viridian.traffic import WHOLE, Forward
from viridian_cli.aws.releases import Entry

# What its record has not had from the beginning.
_LATER = (
    *FRESH, "emptied_at", "green_at", "image", "launch_template_version", "retire_at", "steps", "taken_back"
)  # fmt: skip

BRAKE = "Restore"  # what the brake journals, before it has seen the route

Entered = Sequence[tuple[datetime, str]]  # when which state was
Change = tuple[datetime, dict[str, Any]]


def phases(record: Record, journal: Sequence[Entry], entered: Entered) -> list[Telling]:
    """Every phase in its order, as far as its times are known."""
    since, last = began(record), _begun(record) if record.plan.resumed else None
    told: list[Telling] = []
    for at, change in sorted(_changes(record, journal, entered), key=lambda each: each[0]):
        new = replace(last or _begun(record), **change)
        if at >= since:  # what it did before it was held isn't told anew
            write = Write(id=str(len(told)), sequence=str(len(told)), at=at, old=last, new=new)
            told += tellings.of(write)
        last = new
    return told


def began(record: Record) -> datetime:
    """When it was asked for, or, of one that was held, resumed."""
    return record.plan.asked_at or record.plan.started_at


def promoted_at(record: Record, entered: Entered) -> datetime | None:
    """When it was promoted; of one that has come further since then, only its execution knows."""
    if record.status == "Promoted":
        return record.ended_at
    return next((at for at, state in entered if state == "Promoted"), None)


def writes(record: Record, journal: Sequence[Entry]) -> list[tuple[Entry, Forward]]:
    """What was written to its route, or was about to be, oldest first."""
    found = ((entry, _weights(record, entry)) for entry in journal if entry.resource == record.plan.route)
    return [(entry, forward) for entry, forward in found if forward is not None]


def _begun(record: Record) -> Record:
    fresh = {field.name: field.default for field in msgspec.structs.fields(Record) if field.name in _LATER}
    status = "Held" if record.plan.resumed else "Releasing"
    return replace(record, **fresh, status=status, written=(record.plan.before,))


def _changes(record: Record, journal: Sequence[Entry], entered: Entered) -> Iterator[Change]:
    """What became of its record when; of two at one moment, the first to come is the first here."""
    shown = {"written": (record.plan.resumed,)} if record.plan.resumed else {}
    yield began(record), {"status": "Releasing", **shown}
    made = _first(journal, "CreateLaunchTemplateVersion") or record.green_at
    baked = next((at for at, state in entered if state == "CreateGreen"), made)
    if baked and record.image:
        yield baked, {"image": record.image}
    if made:
        version, since = record.launch_template_version, record.green_at
        yield made, {"launch_template_version": version, "green_at": since}
    for n, passage in enumerate(record.passages, start=1):
        yield passage.reached_at, {"passages": record.passages[:n]}
    written = writes(record, journal)
    own = [each for each in written if each[0].epoch == written[0][0].epoch]
    yield from _shifts(own)
    if promoted := promoted_at(record, entered):
        yield promoted, {"status": "Promoted", "retire_at": record.retire_at, "resolved": record.resolved}
    if record.emptied_at:
        yield record.emptied_at, {"emptied_at": record.emptied_at, "outcome": record.outcome}
    if turned := tellings.turned_back(record):
        names = ("failure", "hold", "ordered", "overwrite", "rollback_by", "steps", "taken_back")
        how = {name: getattr(record, name) for name in (*names, "converger")}
        yield turned, {"status": "RollingBack", **how}
    yield from _shifts(written[len(own) :])
    if record.restored_at:
        yield record.restored_at, {"restored_at": record.restored_at}
    if record.ended_at and record.status != "Promoted":
        ended = ("status", "outcome", "ended_at", "resolved")
        yield record.ended_at, {name: getattr(record, name) for name in ended}


def _shifts(written: Sequence[tuple[Entry, Forward]]) -> Iterator[Change]:
    for entry, forward in written:
        if entry.call != BRAKE:  # it has no time to note weights: that blue serves alone is what it notes
            yield datetime.fromisoformat(entry.at), {"written": (forward,)}


def _weights(record: Record, entry: Entry) -> Forward | None:
    if entry.call == BRAKE:
        return Forward(weights={record.plan.blue.target_group: WHOLE})
    try:
        return msgspec.json.decode(entry.after or "", type=Forward)
    except msgspec.DecodeError:
        return None


def _first(journal: Sequence[Entry], call: str) -> datetime | None:
    return next((datetime.fromisoformat(entry.at) for entry in journal if entry.call == call), None)
