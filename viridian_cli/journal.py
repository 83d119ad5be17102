"""A release's journal as people read it: what was written to AWS for it, and what people have said."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from viridian.record import Record
from viridian.traffic import WHOLE, Forward
from viridian_cli.aws.releases import NEVER, Entry
from viridian_cli.story import Happened

BRAKE = "Restore"  # what the brake journals, before it has seen the route
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WRITERS = ("ModifyRule", "ModifyListener", "ChangeResourceRecordSets", BRAKE)


class Said(NamedTuple):
    """A person's word to a release that ran: an answer to its question, or an order; a pause holds `until` then."""

    at: datetime
    kind: str
    given: str
    by: str
    why: str
    until: datetime | None


def said(entries: Sequence[Entry]) -> Iterator[Said]:
    """What people have said, oldest first."""
    for entry in entries:
        kind, _, given = entry.call.partition(":")
        if given:
            told = _document(entry.after)
            until = datetime.fromisoformat(told["until"]) if told.get("until") else None
            by, why = str(told.get("by", "a person")), str(told.get("why", ""))
            yield Said(moment(entry), kind, given, by, why, until)


def answers(entries: Sequence[Entry]) -> Iterator[Happened]:
    """What people have answered; what they have ordered is told by the phases that it led to."""
    for each in said(entries):
        if each.kind == "Answer":
            yield Happened(at=each.at, what=f"a person says {each.given}", why=f"{each.by}: {each.why}")


def paused(entries: Sequence[Entry], now: datetime) -> Said | None:
    """The pause that holds now, if any: the last order counts."""
    orders = (each for each in said(entries) if each.kind == "Order")
    last = max(orders, key=lambda each: each.at, default=None)
    return last if last and last.until and last.until > now else None


def shares(record: Record, entries: Sequence[Entry]) -> list[tuple[Entry, Forward]]:
    """What was written to its route, or was about to be, oldest first."""
    found = ((entry, _forward(record, entry)) for entry in entries if entry.resource == record.plan.route)
    return [(entry, forward) for entry, forward in found if forward is not None]


def routed_at(entries: Sequence[Entry], route: str) -> datetime | None:
    """When the route was last written."""
    return max((moment(e) for e in entries if e.resource == route and e.call in _WRITERS), default=None)


def writes(record: Record, entries: Sequence[Entry]) -> Iterator[Happened]:
    """Each write in words, alike ones that follow each other as one; what was never answered, or went wrong, says so.

    Weights that were written are told as a phase: here are the brake's, and those that there is doubt about.
    """
    route = record.plan.route
    told = (
        entry
        for entry in entries
        if ":" not in entry.call
        and (entry.resource != route or entry.call == BRAKE or entry.outcome != "done")
    )
    for _, group in groupby(told, key=lambda entry: (entry.call, entry.outcome)):
        first, *more = group
        words = f"{_CAPITAL.sub(' ', first.call).lower()} {_name(first.resource)}"
        words = "write the route" if first.resource == route else words
        words = "blue gets all traffic" if first.call == BRAKE else words
        words += f" and {len(more)} more" if more else ""
        words += "" if first.outcome == "done" else f" ({first.outcome})"
        yield Happened(at=moment(first), what=words, why="", detail=first.resource != route)


def moment(entry: Entry) -> datetime:
    """When it was written."""
    return datetime.fromisoformat(entry.at)


def _forward(record: Record, entry: Entry) -> Forward | None:
    if entry.call == BRAKE and entry.outcome == NEVER:
        return None  # a closer look kept it from writing
    if entry.call == BRAKE:
        return Forward(weights={record.plan.blue.target_group: WHOLE})
    try:
        return msgspec.json.decode(entry.after or "", type=Forward)
    except msgspec.DecodeError:
        return None


def _name(resource: str) -> str:
    """The name in an ARN; a load balancer's parts have a random id after it."""
    if not resource.startswith("arn:"):
        return resource
    parts = resource.split(":", 5)[5].split("/")
    return parts[1] if parts[0] == "targetgroup" else "/".join(parts[-1:])


def _document(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
