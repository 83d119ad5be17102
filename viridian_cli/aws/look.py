"""One look at a release: everything that its screen shows, in few calls; what can't be had of it says why."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from viridian.acts import evidence, green
from viridian.aws import alarms, clients, ledger, router
from viridian.fleet import Side
from viridian.record import OVER, Record
from viridian.signals import Measured
from viridian_cli import exits, failures
from viridian_cli.aws import clock, machines, measuring, releases
from viridian_cli.exits import Stop
from viridian_cli.seen import Planning, Seen, State

MEASURED_BACK = timedelta(minutes=15)
_MEASURED_EACH = timedelta(seconds=30)  # a metric costs something, and has nothing new before a minute
_LAST = 50  # events: the last state is entered within them, whatever is tried again

T = TypeVar("T")


def anew(record: Record, named: str) -> str | None:
    """The execution that plans another release, if `named` means that as well as this one, which is over."""
    if named not in ("", record.plan.version) or record.status not in OVER:
        return None
    execution = machines.underway(record.plan.service, named)
    return None if execution == record.plan.execution else execution


def meant(service: str, named: str) -> Record:
    """The release of this id or version, or the last; Stop if a version could be one that is being planned as well."""
    record, twice = releases.pick(service, named), None
    with suppress(ClientError):  # whoever may not ask that still means the one that the ledger has
        twice = named and anew(record, named)
    if twice:
        raise Stop(
            f"release: {named}. It is {record.plan.release}, which is {record.status}, and one that is being planned. "
            f"Name that id; the other is shown by `viridian watch {service} {named}`."
        )
    return record


class Looker:
    """Looks at one release again and again, from its plan on."""

    def __init__(self, execution: str, record: Record | None = None) -> None:
        self._execution, self._record = execution, record
        self._measured: tuple[datetime, Measured] | None = None

    @classmethod
    def at(cls, service: str, named: str) -> "Looker":
        """The release of this id or version, or the one that runs or ran last; before one that is over, one that is being planned."""
        try:
            record = releases.pick(service, named)
        except Stop:
            if (execution := machines.underway(service, named)) is None:
                raise
            return cls(execution)
        if execution := anew(record, named):
            return cls(execution)
        return cls(record.plan.execution, record)

    def look(self) -> Seen | Planning:
        """What AWS shows now. Raises what keeps it from being known at all."""
        record = self._record = self._found()
        now = clock.now()
        if record is None:
            return planned(self._execution, now)
        unknown: dict[str, str] = {}

        def part(name: str, look: Callable[[], T], instead: T) -> T:
            try:
                return look()
            except Exception as error:
                unknown[name] = str(failures.told(error))
                return instead

        nobody: tuple[Side | None, Side | None] = (None, None)
        blue, candidate = part("fleets", lambda: green.seen(record), nobody)
        own = evidence.own_alarms(record)
        asked = (*record.plan.profile.guards, *own)
        return Seen(
            now=now,
            record=record,
            state=part("state", lambda: _state(_entered(record.worker)), None),
            forward=part("route", lambda: router.forward(record.plan.route), None),
            blue=blue,
            green=candidate,
            measured=part("measures", lambda: self._measure(record, now), {}),
            alarms=part("alarms", lambda: alarms.states(asked), ()),
            own=own,
            entries=part("events", lambda: tuple(releases.journal(record)), ()),
            unknown=unknown,
        )

    def _found(self) -> Record | None:
        if self._record is None:
            return ledger.find_by_execution(self._execution)
        return ledger.find(self._record.plan.service, self._record.plan.release)

    def _measure(self, record: Record, now: datetime) -> Measured:
        if self._measured is None or now >= self._measured[0] + _MEASURED_EACH:
            self._measured = now, measuring.measure(record, now - MEASURED_BACK, now)
        return self._measured[1]


def _state(entered: dict[str, Any] | None) -> State | None:
    """The state that an event has entered, with what the one before it said."""
    if entered is None:
        return None
    told = _told(entered)
    says = str(told.get("reason") or told.get("doing") or "")
    return State(name=entered["stateEnteredEventDetails"]["name"], since=entered["timestamp"], says=says)


def _entered(execution: str) -> dict[str, Any] | None:
    """The last event that an execution has entered a state by."""
    history = clients.reader("stepfunctions").get_execution_history(
        executionArn=execution, reverseOrder=True, maxResults=_LAST
    )
    return next((event for event in history["events"] if "stateEnteredEventDetails" in event), None)


def _told(entered: dict[str, Any]) -> dict[str, Any]:
    """What a state was given: the answer of the one before it."""
    try:
        told = json.loads(entered["stateEnteredEventDetails"].get("input", ""))
    except ValueError:  # cut short, or none
        return {}
    return told if isinstance(told, dict) else {}


def planned(execution: str, now: datetime) -> Planning:
    """An execution that has taken no route yet. Raises Stop with its words if it never will."""
    stands = machines.described(execution)
    if stands["status"] != "RUNNING":
        code = exits.code(stands.get("error", ""))
        raise Stop(failures.cause(stands) or f"It ended {stands['status']} before it touched anything.", code)
    asked, entered = json.loads(stands["input"]), _entered(execution)
    waits = (_told(entered).get("waits") if entered else None) or {}
    return Planning(
        now=now,
        service=asked["service"],
        version=asked["version"],
        execution=execution,
        began=stands["startDate"],
        state=_state(entered),
        opens_at=datetime.fromisoformat(waits["until"]) if waits else None,
        why=str(waits.get("why", "")),
    )
