"""What the screen shows of a release, made of what one look at AWS has seen; nobody is asked anything here."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

import msgspec

from viridian import dns, gates, names, tellings, traffic
from viridian.converge import LATE_WRITER_SECONDS
from viridian.fleet import Side
from viridian.moment import at
from viridian.record import KEEPS_LOCK, OVER, Record
from viridian.signals import Measured
from viridian.tellings import Telling, Write
from viridian.traffic import Forward
from viridian.verdict import AlarmState
from viridian_cli import journal
from viridian_cli.aws.releases import Entry
from viridian_cli.journal import Event

_MINUTES = 5  # that the fleets are compared over
_TREND = 12  # minutes

# What a part of the plot is called, by the states of the machines that belong to it.
STAGES = {
    "PlanRelease": ("PlanRelease", "IsDryRun", "HasItEnded", "WaitForRelease", "WaitForWindow"),
    "BakeImage": ("AcquireLock", "BakeImage", "WaitForImage", "CheckImage", "IsImageAvailable"),
    "CreateGreen": ("CreateGreen", "WaitForGreen", "CheckGreen", "IsGreenHealthy", "HoldFloorsFirst"),
    "RunSmokeTests": ("RunSmokeTests", "DidSmokeTestsPass"),
    "PassGate": ("PassGate", "IsGateOpen", "AwaitApproval", "WaitAtGate", "HoldFloorsAtGate"),
    "Observe": ("ShiftTraffic", "Observe", "JudgeGreen", "IsGreenGood", "TakeNextStep", "HoldFloors"),
    "Promoted": ("Promote",),
    "RestoreBlue": ("AcceptOrder", "RestoreBlue"),
    "Converge": (
        "Converge",
        "IsItOver",
        "WaitToConverge",
        "PagePerson",
        "PassGateAfterRollback",
        "IsHookDone",
        "WaitForHook",
    ),
}
_STAGE_OF = {state: stage for stage, states in STAGES.items() for state in states}

Mark = Literal["done", "now", "ahead", "failed"]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The state that an execution is in, since when, and what the last one before it has said."""

    name: str
    since: datetime
    says: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at AWS has shown. What it could not see is named in `unknown`, with the reason, by its part."""

    now: datetime
    record: Record
    state: State | None = None
    forward: Forward | None = None
    blue: Side | None = None
    green: Side | None = None
    measured: Measured = {}
    alarms: tuple[AlarmState, ...] = ()
    own: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    unknown: dict[str, str] = {}


class Stage(msgspec.Struct, frozen=True):
    """One part of the plot, and how the release stands to it."""

    name: str
    mark: Mark


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Something that takes long, and how much of it is over: of a time, or of a number of instances.

    `then` is what comes after it; with `at_most`, that may come sooner.
    """

    what: str
    done: float
    words: str
    then: str = ""
    at_most: bool = False


class Zone(msgspec.Struct, frozen=True):
    """A fleet's share of a zone."""

    zone: str
    healthy: int
    standing: int


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """One side: how much of it is healthy, and what it has served a minute lately; None where that isn't known."""

    side: Literal["blue", "green"]
    group: str
    healthy: int | None = None
    wanted: int | None = None
    zones: tuple[Zone, ...] = ()
    ails: str = ""
    requests: float | None = None
    error_percent: float | None = None
    latency_seconds: float | None = None
    trend: tuple[int, ...] = ()


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm of the release: a guard, or one of green's own."""

    name: str
    own: bool
    state: str
    since: datetime | None = None
    reason: str = ""
    waived: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What one may type now, and what it does."""

    type: str
    does: str


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the screen. `percent` is green's share as the route shows it, `others` that of foreign groups.

    `soonest` and `latest` are when it is over; `lost` says why this is an old picture, and `age` how old, in seconds.
    """

    service: str
    release: str
    version: str
    at: datetime
    status: str
    what: str
    why: str
    next: str
    cause: str = ""
    plot: tuple[Stage, ...]
    execution: str
    link: str | None = None
    state: State | None = None
    percent: int | None = None
    others: int = 0
    waits: tuple[Wait, ...] = ()
    soonest: datetime | None = None
    latest: datetime | None = None
    fleets: tuple[Fleet, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    events: tuple[Event, ...] = ()
    orders: tuple[Order, ...] = ()
    hands_off: str | None = None
    unknown: dict[str, str] = {}
    lost: str | None = None
    age: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing more happens by itself but what is due later."""
        return self.status in OVER


class Planning(msgspec.Struct, frozen=True, kw_only=True):
    """A release that the ledger doesn't have yet: its execution plans, or waits for a window to open."""

    now: datetime
    service: str
    version: str
    execution: str
    began: datetime
    state: State | None = None
    opens_at: datetime | None = None
    why: str = ""

    @property
    def release(self) -> str:
        """The id that it will have."""
        return names.release(self.version, self.execution)


def planned(seen: Planning) -> Picture:
    """The picture of a release that has touched nothing yet."""
    then = "it is planned anew"
    waits = (_until("window", seen.began, seen.opens_at, seen.now, then),) if seen.opens_at else ()
    stages = [*_BEFORE, "Promoted"]
    return Picture(
        service=seen.service,
        release=seen.release,
        version=seen.version,
        at=seen.now,
        status="Planning",
        what=f"{seen.service} {seen.version} {'waits for its window' if waits else 'is being planned'}",
        why=f"{seen.why[:1].upper()}{seen.why[1:]}." if seen.why else "Everything is looked at first.",
        next="Nothing is touched or held until then.",
        plot=tuple(Stage(name, "ahead" if n else "now") for n, name in enumerate(stages)),
        execution=seen.execution,
        link=tellings.link(seen.execution),
        state=seen.state,
        waits=waits,
        orders=(
            Order(
                type=f"aws stepfunctions stop-execution --execution-arn {seen.execution}",
                does="it never begins",
            ),
        ),
    )


def drawn(seen: Seen) -> Picture:
    """The picture of a release, as one look has shown it."""
    record, plan = seen.record, seen.record.plan
    told = headline(record, seen.now)
    percent, others = _shares(seen)
    soonest, latest = _ends(seen)
    return Picture(
        service=plan.service,
        release=plan.release,
        version=plan.version,
        at=seen.now,
        status=record.status,
        what=told.what,
        why=told.why,
        next=told.next.partition("\n")[0],
        cause=turned_back.why if (turned_back := way_back(record, seen.now)) else "",
        plot=plot(record, seen.state.name if seen.state else None),
        execution=record.worker,
        link=tellings.link(record.worker),
        state=seen.state if record.status not in OVER else None,
        percent=percent,
        others=others,
        waits=tuple(waits(seen)),
        soonest=soonest,
        latest=latest,
        fleets=tuple(_fleets(seen)),
        alarms=tuple(_alarms(seen)),
        events=tuple(events(seen)),
        orders=tuple(orders(seen)),
        hands_off=record.hands_off,
        unknown=seen.unknown,
    )


def differs(before: Picture | None, after: Picture) -> bool:
    """Whether something has changed but the time, and what was measured."""
    return before is None or _lasting(before) != _lasting(after)


def turned(before: Picture | None, after: Picture) -> Iterator[str]:
    """Alarms that have changed, and fleets that have lost or got somebody, in words."""
    states = {alarm.name: alarm.state for alarm in before.alarms} if before else {}
    for alarm in after.alarms:
        if alarm.state != states.get(alarm.name, "OK"):
            yield f"alarm {alarm.name} is {alarm.state}: {alarm.reason}".removesuffix(": ")
    healthy = {fleet.side: fleet.healthy for fleet in before.fleets} if before else {}
    for fleet in after.fleets:
        if fleet.healthy is not None and fleet.healthy != healthy.get(fleet.side):
            yield f"{fleet.side}: {fleet.healthy} of {fleet.wanted} healthy"


def _lasting(picture: Picture) -> object:
    fleets = [(fleet.side, fleet.healthy, fleet.wanted, fleet.zones) for fleet in picture.fleets]
    alarms = [(alarm.name, alarm.state) for alarm in picture.alarms]
    waits_ = [wait.what for wait in picture.waits]
    lost = picture.lost is not None
    return (
        picture.status,
        picture.plot,
        picture.what,
        picture.percent,
        fleets,
        alarms,
        waits_,
        picture.events,
        lost,
    )


# --- what is happening, and where in the plot -----------------------------------------------------------------


def since(before: Record | None, after: Record, now: datetime) -> list[Telling]:
    """What there is to tell of what has happened between two looks."""
    return list(tellings.of(Write(id="", sequence="", at=now, old=before, new=after)))


def headline(record: Record, now: datetime) -> Telling:
    """What it has come to last, in the words of its tellings."""
    told = since(None, record, now)[:1] + since(_fresh(record), record, now)
    if asked(record):
        return next(telling for telling in told if telling.phase == "AwaitingApproval")
    return told[-1]


def way_back(record: Record, now: datetime) -> Telling | None:
    """What was told as it was taken over to be brought back; None if it wasn't."""
    if record.converger is None or record.failure is None:
        return None
    before = msgspec.structs.replace(record, status="RollingBack")
    phases = ("RollingBack", "TakingBack")
    return next((each for each in since(_fresh(record), before, now) if each.phase in phases), None)


def _fresh(record: Record) -> Record:
    """The record as it began."""
    return Record(plan=record.plan, status="Releasing", epoch=0, written=(record.plan.before,))


def asked(record: Record) -> bool:
    """Whether it waits for a person's answer."""
    return record.status == "Releasing" and any(p.approval and not p.passed for p in record.passages)


def step(record: Record) -> int | None:
    """The step whose share green has, or had last; None before its first."""
    shares = [_percent(forward, record) for forward in record.written]
    had = next((share for share in reversed(shares) if share), 0)
    return max((n for n, each in enumerate(record.plan.profile.steps) if each.weight <= had), default=None)


_BEFORE = ("PlanRelease", "BakeImage", "CreateGreen", "RunSmokeTests")


def plot(record: Record, state: str | None) -> tuple[Stage, ...]:
    """The way of a release: forth, or forth as far as it came and then back."""
    stages = list(_stages(record))
    here = [name for name, _ in stages].index(_reached(record, state))
    if record.status in ("Promoted", "Retired"):
        return tuple(Stage(label, "done") for _, label in stages)
    if record.status == "Releasing":
        return tuple(Stage(label, _mark(n, here)) for n, (_, label) in enumerate(stages))
    forth = stages if record.taken_back else stages[: here + 1]
    failed: Mark = "done" if record.taken_back or record.ordered else "failed"
    back: Mark = "done" if record.restored_at else "ahead" if record.status in OVER else "now"
    end = record.status if record.status in OVER else "RolledBack"
    return (
        *(Stage(label, "done") for _, label in forth[:-1]),
        Stage(forth[-1][1], failed),
        Stage("RestoreBlue", back),
        Stage("Converge", "done" if record.status in OVER else "now" if record.restored_at else "ahead"),
        Stage(
            end,
            "done" if end == record.status == "RolledBack" else "failed" if end in KEEPS_LOCK else "ahead",
        ),
    )


def _stages(record: Record) -> Iterator[tuple[str, str]]:
    """The parts of a release on its way forth, each with what it is called."""
    plan, steps = record.plan, record.plan.profile.steps
    yield from ((name, name) for name in _BEFORE)
    for n, each in enumerate(steps):
        gate, after = gates.before(n)
        if gate in plan.gates:
            yield gates.name(gate, after), _gate(record, gate)
        yield f"step {n}", f"{each.weight}%"
    if "before_promote" in plan.gates:
        yield "before_promote", _gate(record, "before_promote")
    yield "Promoted", "Promoted"


def _gate(record: Record, gate: gates.Gate) -> str:
    return "AwaitApproval" if gates.approves(record.plan.profile, gate) else "PassGate"


def _reached(record: Record, state: str | None) -> str:
    """The part of the plot that a release is at, or failed at: by its execution's state, else by its record."""
    stage = _STAGE_OF.get(state or "")
    waits_at = next((passage.gate for passage in record.passages if not passage.passed), None)
    if stage in (*_BEFORE, "Promoted") and record.status == "Releasing":
        return stage
    if waits_at is not None:
        return waits_at
    if (n := step(record)) is not None:
        return f"step {n}"
    if record.launch_template_version is None:
        return "BakeImage"
    return "step 0" if stage == "Observe" else "CreateGreen"


def _mark(n: int, here: int) -> Mark:
    return "done" if n < here else "now" if n == here else "ahead"


# --- how long it takes ----------------------------------------------------------------------------------------


def waits(seen: Seen) -> Iterator[Wait]:
    """Everything that it waits for now."""
    record, now = seen.record, seen.now
    if record.status == "Releasing":
        yield from _forth(seen)
    elif record.status == "RollingBack":
        yield from _back(seen)
    elif record.status == "Promoted" and record.retire_at and record.ended_at:
        then = f"{record.plan.blue.group} retires"
        yield _until("blue is kept", record.ended_at, record.retire_at, now, then)


def _forth(seen: Seen) -> Iterator[Wait]:
    record, now, profile = seen.record, seen.now, seen.record.plan.profile
    if paused := journal.paused(seen.entries, now):
        yield _until("paused", paused.at, paused.until, now, "it goes on")
    began, stage = record.taken_at or now, _reached(record, seen.state.name if seen.state else None)
    passage = next((each for each in record.passages if not each.passed), None)
    if passage is not None and stage == passage.gate:
        hook = gates.hook(profile, passage.gate.partition(".")[0])  # type: ignore[arg-type]
        until = passage.until or passage.reached_at + timedelta(minutes=hook.minutes if hook else 0)
        what = "approval" if passage.approval else "hook"
        yield _until(what, passage.reached_at, until, now, "silence is a no", at_most=True)
    elif stage == "BakeImage":
        until = began + timedelta(minutes=profile.deadlines.image_minutes)
        yield _until("bake", began, until, now, "green is made", at_most=True)
    elif stage == "CreateGreen" and record.green_at:
        if seen.green:
            yield _count("launch", seen.green.standing(), record.need)
            yield _count("health", seen.green.healthy(), record.need)
        until = record.green_at + timedelta(minutes=profile.deadlines.healthy_minutes)
        yield _until("until healthy", record.green_at, until, now, "the smoke tests run", at_most=True)
    elif (shifted := _shifted(seen)) is not None and (n := step(record)) is not None:
        until = shifted + _observed(record, n)
        last = n == len(profile.steps) - 1
        then = "promoted" if last else f"step {n + 2} of {len(profile.steps)}, {profile.steps[n + 1].weight}%"
        what = f"observe step {n + 1}"
        if now < until:
            yield _until(what, shifted, until, now, then)
        else:
            longest = until + timedelta(minutes=profile.inconclusive.minutes)
            then = "it is held" if profile.inconclusive.then == "hold" else "it goes back"
            yield _until("evidence", until, longest, now, then, at_most=True)


def _back(seen: Seen) -> Iterator[Wait]:
    record, now = seen.record, seen.now
    settle = timedelta(seconds=max(record.plan.settle_seconds, LATE_WRITER_SECONDS))
    if record.restored_at is None and seen.blue:
        yield _count("blue's capacity", seen.blue.healthy(), record.need)
    elif record.restored_at and now < record.restored_at + settle:
        yield _until("settle", record.restored_at, record.restored_at + settle, now, "green is removed")
    if record.rollback_by and record.taken_at:
        then = "a person is paged"
        yield _until("the way back", record.taken_at, record.rollback_by, now, then, at_most=True)


def _until(
    what: str, began: datetime, until: datetime, now: datetime, then: str, *, at_most: bool = False
) -> Wait:
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


def _ends(seen: Seen) -> tuple[datetime | None, datetime | None]:
    """When it is promoted at the soonest, and when it is over at the latest."""
    record, now, n = seen.record, seen.now, step(seen.record)
    if record.status == "RollingBack":
        return None, record.rollback_by
    if record.status != "Releasing":
        return None, None
    rest = timedelta()
    if n is not None and (shifted := _shifted(seen)):
        rest = max(timedelta(), shifted + _observed(record, n) - now)
    if paused := journal.paused(seen.entries, now):
        rest = max(rest, paused.until - now)
    following = range(0 if n is None else n + 1, len(record.plan.profile.steps))
    return now + sum((_observed(record, each) for each in following), rest), record.deadline


# --- both fleets ----------------------------------------------------------------------------------------------


def _percent(forward: Forward, record: Record) -> int:
    return round(traffic.WHOLE * forward.share(record.green_target_group or ""))


def _shares(seen: Seen) -> tuple[int | None, int]:
    if seen.forward is None:
        return None, 0
    blue = round(traffic.WHOLE * seen.forward.share(seen.record.plan.blue.target_group))
    green = _percent(seen.forward, seen.record)
    return green, max(0, traffic.WHOLE - blue - green)


def _fleets(seen: Seen) -> Iterator[Fleet]:
    record, plan = seen.record, seen.record.plan
    known = "fleets" not in seen.unknown
    if seen.blue or not known:
        yield _fleet("blue", plan.blue.group, seen.blue, seen)
    if seen.green or (not known and record.green_at and not record.ended):
        yield _fleet("green", plan.green_group, seen.green, seen)


def _fleet(name: Literal["blue", "green"], group: str, side: Side | None, seen: Seen) -> Fleet:
    requests, errors, latency = (
        seen.measured.get(f"{name}_{what}", {}) for what in ("requests", "errors", "latency")
    )
    recent = (minute for minute in sorted(requests) if minute > seen.now - timedelta(minutes=2 * _MINUTES))
    lately = list(recent)[-_MINUTES - 1 :]
    full = lately[
        :-1
    ]  # more of the newest may yet be published: that changes its count, not its share of errors
    whole = sum(requests[minute] for minute in lately)
    timed = [minute for minute in lately if minute in latency and requests[minute]]
    told = Fleet(
        side=name,
        group=group,
        requests=sum(requests[minute] for minute in full) / len(full) if full else None,
        error_percent=100 * sum(errors.get(minute, 0.0) for minute in lately) / whole if whole else None,
        latency_seconds=sum(latency[minute] * requests[minute] for minute in timed)
        / sum(requests[minute] for minute in timed)
        if timed
        else None,
        trend=tuple(round(requests[minute]) for minute in sorted(requests)[:-1][-_TREND:]),
    )
    if side is None:
        return told
    zones = side.healthy_by_zone()
    standing: dict[str, int] = {}
    for member in side.members:
        standing[member.zone] = standing.get(member.zone, 0) + member.capacity
    return msgspec.structs.replace(
        told,
        healthy=side.healthy(),
        wanted=max(side.desired, seen.record.need if _holds_floor(name, seen.record) else 0),
        zones=tuple(Zone(zone, zones.get(zone, 0), standing[zone]) for zone in sorted(standing)),
        ails="" if side.healthy() >= side.standing() else side.ailing(),
    )


def _holds_floor(name: str, record: Record) -> bool:
    """Whether a side is to stand at the need: both while a release goes forth, blue while it goes back."""
    return record.status == "Releasing" or (name == "blue" and record.status == "RollingBack")


def _alarms(seen: Seen) -> Iterator[Alarm]:
    if "alarms" in seen.unknown:
        return
    plan, found = seen.record.plan, {alarm.name: alarm for alarm in seen.alarms}
    waived = set(plan.waive.alarms if plan.waive else ()) - set(seen.record.reinstated)
    for name in (*plan.profile.guards, *seen.own):
        alarm, own = found.get(name), name in seen.own
        if alarm is None and own:
            continue  # not made yet, or deleted with green
        yield Alarm(
            name=name.removeprefix(names.alarm(plan.service, plan.release, "")) if own else name,
            own=own,
            state=alarm.state if alarm else "GONE",
            since=alarm.since if alarm else None,
            reason=alarm.reason if alarm else "",
            waived=name in waived,
        )


# --- what was, and what may be --------------------------------------------------------------------------------


def events(seen: Seen) -> list[Event]:
    """What has happened, oldest first: the phases whose moment the record has, and the journal."""
    record, plan = seen.record, seen.record.plan
    moments = {
        "CreatingGreen": record.green_at,
        "TrafficRestored": record.restored_at,
        "BlueEmptied": record.emptied_at,
        **dict.fromkeys(OVER, record.ended_at),
    }
    turned_back = way_back(record, seen.now)
    told = [
        *((plan.started_at, telling) for telling in since(None, record, seen.now)[:1]),
        *(((record.taken_at, turned_back),) if turned_back else ()),
        *((moments.get(telling.phase), telling) for telling in since(_fresh(record), record, seen.now)),
    ]
    phases = [Event(at=moment, what=_short(telling), why=telling.why) for moment, telling in told if moment]
    return sorted([*journal.events(seen.entries, record), *phases], key=lambda event: event.at)


def _short(telling: Telling) -> str:
    return telling.what.removeprefix(f"{telling.service} {telling.version} ")


def orders(seen: Seen) -> Iterator[Order]:
    """What one may type now: what keeps users safe comes first where something is wrong."""
    record, now = seen.record, seen.now
    plan, blue = record.plan, record.plan.blue.group
    say = partial(_order, f"{plan.service} {plan.release}")
    if record.hands_off:
        yield Order(type=f"viridian hands-off {plan.service} --off", does="let Viridian write again")
    match record.status:
        case "Releasing":
            yield from _while_it_runs(seen)
        case "RollingBack" if record.restored_at is None:
            yield Order(type=f"viridian brake {plan.service} -m WHY", does=f"all traffic to {blue}, at once")
            yield Order(
                type=f"viridian brake {plan.service} --without-ledger -m WHY",
                does="the same with your own credentials, if nothing else moves",
            )
        case "Held":
            yield say("rollback", f"all traffic to {blue}, then green is removed")
            yield say("resume", "green gets its shares again, from the first step")
            yield say("resolve", "it is over as it stands: whoever serves alone stays")
        case "RollbackIncomplete":
            yield say("rollback", "go on with the way back, once what is named here is seen to")
            yield say("resolve", "it is over as it stands: whoever serves alone stays")
        case "Promoted":
            until = f" (blue is kept until {at(record.retire_at)})" if record.retire_at else ""
            kept = record.emptied_at is None and record.retire_at and now < record.retire_at
            yield say("rollback", f"take it back{until if kept else ': blue launches first'}")
        case "Retired":
            yield Order(
                type=f"viridian history {plan.service}", does="the way back is a release of an older one"
            )
    if record.failure and record.status != "Releasing":
        yield Order(type=f"viridian explain {plan.service} {plan.release}", does="what happened, and why")


def _while_it_runs(seen: Seen) -> Iterator[Order]:
    record, plan = seen.record, seen.record.plan
    say, carries = partial(_order, f"{plan.service} {plan.release}"), step(record) is not None
    if asked(record):
        yield say("approve", "let it go on")
        yield say("reject", "say no: it goes back to blue")
    if journal.paused(seen.entries, seen.now):
        yield say("resume", "go on where it stands")
    else:
        yield say(
            "pause", "no more traffic for green, for an hour" if carries else "no traffic for green yet"
        )
    if carries:
        yield say("promote", "skip what is left of the observing")
    yield say(
        "rollback", "all traffic to blue, then green is removed" if carries else "stop it, and remove green"
    )
    if carries:
        yield Order(
            type=f"viridian brake {plan.service} -m WHY", does="the same, and stay until blue serves alone"
        )


def _order(release: str, name: str, does: str) -> Order:
    return Order(type=f"viridian {name} {release} -m WHY", does=does)
