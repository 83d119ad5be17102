"""A release's journal as people read it: what was written to AWS for it, and what people have said."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec

from viridian import traffic
from viridian.record import Record
from viridian_cli.aws.releases import Entry

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WRITERS = ("ModifyRule", "ModifyListener", "ChangeResourceRecordSets", "Restore")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has happened, in words; a `detail` is a write that moves no traffic."""

    at: datetime
    what: str
    why: str = ""
    detail: bool = False


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """A person's order to stay, and how long it holds."""

    at: datetime
    until: datetime


def events(entries: Sequence[Entry], record: Record) -> Iterator[Event]:
    """Each entry in words, alike ones that follow each other as one; what was never answered, or went wrong, says so."""
    for _, group in groupby(entries, key=lambda entry: (entry.call, entry.outcome, _routes(entry, record))):
        first, *more = group
        words = _words(first, record) + (f" and {len(more)} more" if more else "")
        doubt = "" if first.outcome == "done" else f" ({first.outcome})"
        detail = not _routes(first, record) and ":" not in first.call
        yield Event(at=_moment(first), what=words + doubt, why=_why(first), detail=detail)


def routed_at(entries: Sequence[Entry], route: str) -> datetime | None:
    """When the route was last written."""
    return max((_moment(e) for e in entries if e.resource == route and e.call in _WRITERS), default=None)


def paused(entries: Sequence[Entry], now: datetime) -> Paused | None:
    """The pause that holds now, if any: the last order counts."""
    ordered = [entry for entry in entries if entry.call.startswith("Order:")]
    last = max(ordered, key=_moment, default=None)
    until = _document(last.after).get("until") if last else None
    if last is None or until is None or datetime.fromisoformat(until) <= now:
        return None
    return Paused(at=_moment(last), until=datetime.fromisoformat(until))


def _words(entry: Entry, record: Record) -> str:
    kind, _, said = entry.call.partition(":")
    if said:
        return f"{said} by {_document(entry.after).get('by', 'a person')}"
    if _routes(entry, record):
        weights = _document(entry.after).get("weights")
        share = traffic.Forward(weights=weights).share(record.green_target_group or "") if weights else 0
        return f"green gets {share:.0%} of the traffic" if share else "blue gets all traffic"
    return f"{_CAPITAL.sub(' ', kind).lower()} {_name(entry.resource)}"


def _routes(entry: Entry, record: Record) -> str | None:
    """What an entry makes of the traffic, if it writes the route; each such entry stands for itself."""
    return entry.at if entry.resource == record.plan.route and entry.call in _WRITERS else None


def _why(entry: Entry) -> str:
    return str(_document(entry.after).get("why", ""))


def _name(resource: str) -> str:
    """The name in an ARN; a load balancer's parts have a random id after it."""
    if not resource.startswith("arn:"):
        return resource
    parts = resource.split(":", 5)[5].split("/")
    return parts[1] if parts[0] == "targetgroup" else "/".join(parts[-1:])


def _moment(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry.at)


def _document(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
