"""What the screen shows of a release, made of what one look at AWS has seen; nobody is asked anything here."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from viridian import tellings
from viridian.record import OVER
from viridian_cli import choices, health, journal, plot, replay, waits
from viridian_cli.health import Alarm, Fleet
from viridian_cli.plot import Stage
from viridian_cli.seen import Planning, Seen, State
from viridian_cli.story import Choice, Happened
from viridian_cli.waits import Wait


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
    events: tuple[Happened, ...] = ()
    orders: tuple[Choice, ...] = ()
    hands_off: str | None = None
    unknown: dict[str, str] = {}
    lost: str | None = None
    age: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing more happens by itself but what is due later."""
        return self.status in OVER


def drawn(seen: Seen | Planning) -> Picture:
    """The picture of a release, as one look has shown it."""
    return _planned(seen) if isinstance(seen, Planning) else _drawn(seen)


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
    waited = [wait.what for wait in picture.waits]
    said = (picture.status, picture.plot, picture.what, picture.percent, picture.events, picture.lost is None)
    return said, fleets, alarms, waited


def _planned(seen: Planning) -> Picture:
    """That of a release that has touched nothing yet."""
    then = "it is planned anew"
    window = (waits.timed("window", seen.began, seen.opens_at, seen.now, then),) if seen.opens_at else ()
    return Picture(
        service=seen.service,
        release=seen.release,
        version=seen.version,
        at=seen.now,
        status="Planning",
        what=f"{seen.service} {seen.version} {'waits for its window' if window else 'is being planned'}",
        why=f"{seen.why[:1].upper()}{seen.why[1:]}." if seen.why else "Everything is looked at first.",
        next="Nothing is touched or held until then.",
        plot=plot.planned(),
        execution=seen.execution,
        link=tellings.link(seen.execution),
        state=seen.state,
        waits=window,
        orders=(choices.say(seen.service, seen.release, "abort", "it never begins"),),
    )


def _drawn(seen: Seen) -> Picture:
    record, plan = seen.record, seen.record.plan
    read = replay.read(record, seen.entries, seen.now)
    percent, others = health.shares(seen)
    soonest, latest = waits.ends(seen)
    waited = tuple(waits.of(seen))
    return Picture(
        service=plan.service,
        release=plan.release,
        version=plan.version,
        at=seen.now,
        status=record.status,
        what=read.come_to.what,
        why=read.come_to.why,
        next=_next(read, waited),
        cause=read.cause,
        plot=plot.drawn(record, seen.state.name if seen.state else None),
        execution=record.worker,
        link=tellings.link(record.worker),
        state=seen.state if record.status not in OVER else None,
        percent=percent,
        others=others,
        waits=waited,
        soonest=soonest,
        latest=latest,
        fleets=tuple(health.fleets(seen)),
        alarms=tuple(health.alarms(seen)),
        events=tuple(_events(seen, read)),
        orders=tuple(_orders(seen)),
        hands_off=record.hands_off,
        unknown=seen.unknown,
    )


def _next(read: replay.Reading, waited: tuple[Wait, ...]) -> str:
    """What comes next; once the load balancer has settled, what was to come then."""
    then = read.next.partition("; then ")[2]
    settled = read.come_to.phase == "TrafficRestored" and all(wait.what != "settle" for wait in waited)
    return f"{then[:1].upper()}{then[1:]}" if settled else read.next


def _events(seen: Seen, read: replay.Reading) -> list[Happened]:
    """What has happened, oldest first: the phases, people's answers, and what was written."""
    beside = (*journal.answers(seen.entries), *journal.writes(seen.record, seen.entries))
    return sorted([*map(replay.happened, read.phases), *beside], key=lambda each: each.at)


def _orders(seen: Seen) -> Iterator[Choice]:
    record = seen.record
    yield from choices.of(record, seen.now, paused=journal.paused(seen.entries, seen.now) is not None)
    if record.failure and record.status != "Releasing":
        shown = f"viridian explain {record.plan.service} {record.plan.release}"
        yield Choice(type=shown, does="what happened, and why")
