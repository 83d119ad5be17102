"""From what is known of a release to its story: pure, and whole however much of it is gone."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from viridian.plan import in_words
from viridian.record import OVER, Record
from viridian.signals import PERIOD, Measured
from viridian.tellings import LONGEST, Telling, link, turned_back
from viridian_cli import choices, course, journal, replay, runbooks
from viridian_cli.aws.releases import Entry
from viridian_cli.course import Course, Slice
from viridian_cli.story import Hand, Happened, Piece, Side, Story

SLICES = 180  # stretches of time at most, in which requests are drawn
AFTER = timedelta(minutes=2)  # what is shown of the time after the end


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm changed its state, and why in CloudWatch's words, with the data points."""

    at: datetime
    alarm: str
    state: str
    reason: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """All that could be gathered of a release: each part may be gone, and `lacks` says which.

    `measured` has the minutes of each side, by `blue_requests` and the like; `starters` who started which execution,
    and `stopper` who stopped one.
    """

    now: datetime
    journal: Sequence[Entry] = ()
    history: Sequence[Mapping[str, Any]] = ()
    turns: Sequence[Turn] = ()
    measured: Measured = {}
    starters: Mapping[str, str] = {}
    stopper: str | None = None
    lacks: Sequence[str] = ()


def tell(record: Record, found: Found) -> Story:
    """The whole story; the value that leads to green before others is not in it, wherever it was quoted."""
    plan, entered = record.plan, _entered(found)
    read = replay.read(record, found.journal, found.now, entered)
    last, paused = read.come_to, journal.paused(found.journal, found.now)
    blue = _blue(record)
    slices = _slices(record, found, blue, _until(record, found))
    story = Story(
        service=plan.service,
        release=plan.release,
        version=plan.version,
        blue=blue,
        status=record.status,
        what=last.what,
        why=last.why if read.cause in last.why else f"{read.cause} {last.why}",
        next=read.next,
        orders=tuple(choices.of(record, found.now, paused=paused is not None)),
        runbook=runbooks.of(record.status) if record.status in OVER else None,
        route=plan.route,
        execution=plan.execution,
        link=link(plan.execution),
        began=replay.began(record),
        ended=record.ended_at,
        steps=in_words(plan.profile),
        happened=tuple(sorted(_happened(read.phases, found), key=lambda each: each.at)),
        hands=tuple(sorted(_hands(record, found), key=lambda each: each.at)),
        sides=tuple(_side(version, slices) for version in (blue, plan.version)) if slices else (),
        evidence=tuple(_evidence(record, found)),
        cost=(*plan.cost, *_stood(record, found)),
        lacks=tuple(found.lacks),
        course=_course(record, found, blue, slices),
    )
    told = msgspec.json.encode(story).decode().replace(plan.standby.value, "(the standby value)")
    return msgspec.json.decode(told, type=Story)


# --- what happened --------------------------------------------------------------------------------------------


def _happened(phases: Sequence[Telling], found: Found) -> Iterator[Happened]:
    """Of two at one moment the cause comes first; a reason is said once."""
    for turn in _red(found):
        yield Happened(at=turn.at, what=f"alarm {turn.alarm} goes off", why="")
    yield from journal.answers(found.journal)
    for at, why in _stopped(found):
        yield Happened(at=at, what="its execution is stopped", why=why)
    known: list[str] = []
    for each in map(replay.happened, phases):
        why = each.why
        for reason in known:
            why = why.removesuffix(f"What came first: {reason}").replace(reason, "").strip()
        known.append(why)
        yield replace(each, why=why)


def _stopped(found: Found) -> Iterator[tuple[datetime, str]]:
    """When an execution was stopped, and the reason that was given."""
    for event in found.history:
        if event["type"] == "ExecutionAborted":
            told = event.get("executionAbortedEventDetails", {})
            why = ": ".join(filter(None, (told.get("error"), told.get("cause"))))
            yield event["timestamp"], why or "no reason given"


def _red(found: Found) -> list[Turn]:
    return [turn for turn in found.turns if turn.state == "ALARM"]


def _hands(record: Record, found: Found) -> Iterator[Hand]:
    for worker in replay.workers(record):
        who, did = found.starters.get(worker.execution), f"{worker.did} {_name(worker.execution)}"
        yield Hand(at=worker.at, who=who, did=did, why=worker.why)
    for at, why in _stopped(found):
        yield Hand(at=at, who=found.stopper, did="stopped its execution", why=why)
    for said in journal.said(found.journal):
        yield Hand(at=said.at, who=said.by, did=f"said {said.given}", why=said.why)


def _name(execution: str) -> str:
    return f"execution {execution.rsplit(':', 1)[1]}"


# --- what it rests on -----------------------------------------------------------------------------------------


def _evidence(record: Record, found: Found) -> Iterator[Piece]:
    if (
        record.failure and len(record.failure) > LONGEST
    ):  # what it failed with is said in full as the reason, else
        yield Piece(of="the first failure", text=record.failure)
    for turn in _red(found):
        yield Piece(of=f"alarm {turn.alarm} at {turn.at:%H:%M:%S}", text=turn.reason)
    yield from _kept(record.evidence)
    for entry in found.journal:
        if entry.outcome != "done":
            line = f"{entry.call} of {entry.resource} at {entry.at}: {entry.outcome}"
            yield Piece(of="a write that AWS has not confirmed", text=line)


def _kept(evidence: str | None) -> Iterator[Piece]:
    """What was kept of green before it was removed; too long, it was cut off, and is shown as it is."""
    if evidence is None:
        return
    try:
        found = msgspec.json.decode(evidence)
    except msgspec.DecodeError:
        yield Piece(of="kept before green was removed", text=evidence)
        return
    for name, of in (
        ("alarms", "alarms as green was removed"),
        ("targets", "green's targets as it was removed"),
        ("activities", "green's scaling activities, the last first"),
    ):
        if lines := found.get(name):
            yield Piece(of=of, text=lines if isinstance(lines, str) else "\n".join(map(str.strip, lines)))
    for instance, text in found.get("console", {}).items():
        yield Piece(of=f"console of {instance}", text=text or "nothing yet")


def _stood(record: Record, found: Found) -> Iterator[str]:
    """How long it was in truth that both fleets stood."""
    if stood := (record.past[0].green_at if record.past else None) or record.green_at:
        gone = record.status in ("RolledBack", "Retired") and record.ended_at
        seconds = ((gone or record.emptied_at or found.now) - stood).total_seconds()
        hours, minutes = divmod(round(seconds / 60), 60)
        still = "" if gone or record.emptied_at else " so far"
        yield f"in truth both have stood for {hours} h {minutes} min{still}"


# --- over time ------------------------------------------------------------------------------------------------


def _blue(record: Record) -> str:
    """What blue is called beside green."""
    before = record.plan.blue_version or record.plan.blue.group
    return before if before != record.plan.version else f"{before} before"


def _entered(found: Found) -> list[tuple[datetime, str]]:
    return [
        (event["timestamp"], event["stateEnteredEventDetails"]["name"])
        for event in found.history
        if event["type"].endswith("StateEntered")
    ]


def _until(record: Record, found: Found) -> datetime:
    """The end of what is drawn: blue's time after promotion isn't."""
    over = (record.promoted_at if record.status in ("Promoted", "Retired") else None) or record.ended_at
    return min(over + AFTER, found.now) if over else found.now


def _course(record: Record, found: Found, blue: str, slices: Sequence[Slice]) -> Course:
    plan = record.plan
    names = {plan.blue.target_group: blue, record.green_target_group or "": plan.version}
    states, turned = course.states(found.history), turned_back(record)
    red = min((turn.at for turn in _red(found)), default=None)
    restored = record.restored_at if record.first_weight_at else None
    return Course(
        since=replay.began(record).timestamp(),
        until=_until(record, found).timestamp(),
        blue=blue,
        green=plan.version,
        states=states,
        weights=[
            (journal.moment(entry).timestamp(), course.percent(forward.weights, names))
            for entry, forward in journal.shares(record, found.journal)
        ],
        slices=slices,
        alarm=_seconds(red),
        aborted=next((at for at, state in states if state == course.ABORTED), None),
        ordered=_seconds(turned if record.ordered else None),
        all_blue=_seconds(restored),
    )


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _slices(record: Record, found: Found, blue: str, until: datetime) -> list[Slice]:
    """The minutes of both sides; of a long release some at a time."""
    if not any(found.measured.values()):
        return []
    since = replay.began(record).replace(second=0, microsecond=0).timestamp()
    minutes = max(1, -(-(until.timestamp() - since) // (SLICES * PERIOD)))
    width, edge = minutes * PERIOD, until.timestamp()
    kept: dict[tuple[int, str], list[float]] = {}
    for name, series in found.measured.items():
        for at, value in series.items():
            if since <= at.timestamp() < edge:
                kept.setdefault((int((at.timestamp() - since) // width), name), []).append(value)

    def of(n: int, name: str, how: Any) -> dict[str, float]:
        sides = {blue: kept.get((n, f"blue_{name}")), record.plan.version: kept.get((n, f"green_{name}"))}
        return {version: how(values) for version, values in sides.items() if values}

    return [
        Slice(
            since=since + n * width,
            until=since + (n + 1) * width,
            requests=of(n, "requests", lambda values: sum(values) / minutes),
            errors=of(n, "errors", lambda values: sum(values) / minutes),
            healthy=of(n, "healthy", min),
            latency=of(n, "latency", lambda values: sum(values) / len(values)),
        )
        for n in range(max(n for n, _ in kept) + 1 if kept else 0)
    ]


def _side(version: str, slices: Sequence[Slice]) -> Side:
    def total(name: str) -> int:
        amounts = [getattr(each, name).get(version, 0.0) * (each.until - each.since) for each in slices]
        return round(math.fsum(amounts) / PERIOD)

    answered = [(s.latency[version], s.requests.get(version, 0.0)) for s in slices if version in s.latency]
    count = sum(requests for _, requests in answered)
    mean = sum(seconds * requests for seconds, requests in answered) / count if count else None
    return Side(
        version=version,
        requests=total("requests"),
        errors=total("errors"),
        seconds=mean and round(mean, 4),
    )
