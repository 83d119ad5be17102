"""What a verdict rests on while a release runs, and what is kept of green before it is deleted."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from viridian import signals, verdict
from viridian.acts import floors, green
from viridian.aws import alarms, auto_scaling, images, ledger
from viridian.fleet import Side
from viridian.record import Record
from viridian.verdict import AlarmState, Signals

_CONSOLES = 3  # of instances that aren't healthy; what ails one of them ails most
_LIMIT = 30_000  # characters; an item of the ledger holds 400 KB


def weighed(record: Record, blue: Side, candidate: Side, since: datetime, now: datetime) -> Signals:
    """Every alarm of the release as it is now, the waived ones that count again among them, and what was asked of it."""
    plan = record.plan
    asked = (*plan.profile.guards, *own_alarms(record))
    states = alarms.states(asked)
    own = green.wanted_alarms(record, candidate.target_group)
    counted = signals.requests_of("blue", plan.load_balancer, plan.blue.target_group)
    measured = alarms.measure((*signals.measures(own), counted), min(since, now - signals.SPAN), now)
    return Signals(
        asked=asked,
        alarms=states,
        waived=_still_waived(record, states, now),
        breach=signals.breach(own, measured, since),
        requests=signals.requests(measured, since),
        minimum_requests=plan.profile.thresholds.minimum_requests,
        observed_seconds=(now - since).total_seconds(),
        green_lacks=green.lacks(record, blue, candidate),
        green_dead=candidate.healthy() == 0,
        blue_lacks=floors.unfilled(record, blue),
        rate=signals.rate(measured),
    )


def own_alarms(record: Record) -> tuple[str, ...]:
    """The names of green's own alarms; none before its target group was made."""
    if record.green_target_group is None:
        return ()
    return tuple(alarm.name for alarm in green.wanted_alarms(record, record.green_target_group))


def keep(record: Record, candidate: Side | None) -> None:
    """Stores in the record what is about to be deleted: alarms, target health, scaling activities, console output.

    A part that can't be had is named in its place: the way back waits for none of them.
    """
    members = candidate.members if candidate else ()
    ailing = [member.instance for member in members if member.health != "healthy"]
    found = {
        "alarms": _had(partial(_alarms, record)),
        "targets": [f"{m.instance} in {m.zone}: {m.health} {m.reason}" for m in members],
        "activities": _had(partial(auto_scaling.activities, candidate.group)) if candidate else [],
        "console": {instance: _had(partial(images.console, instance)) for instance in ailing[:_CONSOLES]},
    }
    ledger.note(record.fence(), evidence=msgspec.json.encode(found).decode()[:_LIMIT])


def _alarms(record: Record) -> list[str]:
    states = alarms.states((*record.plan.profile.guards, *own_alarms(record)))
    return [f"{alarm.name} {alarm.state} since {alarm.since:%H:%M:%S}: {alarm.reason}" for alarm in states]


def _had(look: Callable[[], Any]) -> Any:
    try:
        return look()
    except Exception as error:  # kept as what was found
        return f"not to be had: {error}"[:300]


def _still_waived(record: Record, states: tuple[AlarmState, ...], now: datetime) -> frozenset[str]:
    waived = frozenset(record.plan.waive.alarms if record.plan.waive else ()) - frozenset(record.reinstated)
    if back := verdict.reinstated(waived, states, now):
        ledger.watch(record, reinstated=(*record.reinstated, *sorted(back)))
    return waived - back
