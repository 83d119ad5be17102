"""How both fleets are, what they serve, and what the alarms of a release say."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from viridian import names
from viridian.fleet import Side
from viridian.record import Record
from viridian.traffic import WHOLE
from viridian_cli.seen import Seen

_MINUTES = 5  # that the fleets are compared over
_TREND = 12  # minutes


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


def shares(seen: Seen) -> tuple[int | None, int]:
    """Green's share as the route shows it, None where that isn't known, and that of others."""
    if seen.forward is None:
        return None, 0
    blue = round(WHOLE * seen.forward.share(seen.record.plan.blue.target_group))
    green = seen.record.percent(seen.forward)
    return green, max(0, WHOLE - blue - green)


def fleets(seen: Seen) -> Iterator[Fleet]:
    """Both sides, or the one that stands."""
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
    full = lately[:-1]  # more of the newest may come: that changes its count, not its share of errors
    whole = sum(requests[minute] for minute in lately)
    timed = {minute: requests[minute] for minute in lately if minute in latency and requests[minute]}
    seconds = sum(latency[minute] * count for minute, count in timed.items())
    told = Fleet(
        side=name,
        group=group,
        requests=sum(requests[minute] for minute in full) / len(full) if full else None,
        error_percent=100 * sum(errors.get(minute, 0.0) for minute in lately) / whole if whole else None,
        latency_seconds=seconds / sum(timed.values()) if timed else None,
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


def alarms(seen: Seen) -> Iterator[Alarm]:
    """The guards, whether they exist or not, and green's own that exist."""
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
