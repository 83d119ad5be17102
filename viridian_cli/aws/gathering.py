"""All that AWS still knows of a release: what is gone by now, or not allowed to be seen, is named instead."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from viridian.acts import evidence
from viridian.aws import clients, trail
from viridian.record import Record
from viridian.signals import Measured
from viridian.tellings import turned_back
from viridian_cli import failures, replay
from viridian_cli.aws import clock, measuring, releases
from viridian_cli.narrating import Found, Turn

Part = TypeVar("Part")


def gather(record: Record) -> Found:
    """Reads each part by itself: one that can't be had leaves the others as they are."""
    now, lacks = clock.now(), list[str]()

    def had(what: str, look: Callable[[], Part], otherwise: Part, *, always: bool = True) -> Part:
        """`always` if there must be something: nothing is a lack then."""
        try:
            if (found := look()) or not always:
                return found
            lacks.append(f"{what}: AWS has none of it any more, or not yet")
        except (ClientError, BotoCoreError) as error:
            lacks.append(f"{what}: {failures.told(error)}")
        return otherwise

    until = min(record.ended_at or now, now) + timedelta(minutes=5)
    since = replay.began(record)
    return Found(
        now=now,
        journal=releases.journal(record),
        history=had("the executions' histories (kept for 90 days)", lambda: _history(record), []),
        turns=_turns(record, since, until, had),
        measured=had("CloudWatch's minutes (kept for 15 days)", lambda: _measured(record, since, until), {}),
        starters=had("who started it (CloudTrail, kept for 90 days)", lambda: _starters(record), {}),
        lacks=lacks,
    )


def _executions(record: Record) -> dict[str, datetime]:
    """Those that worked for it, and about when they were started."""
    found = {record.plan.execution: replay.began(record)}
    if record.converger and (turned := turned_back(record)):
        found.setdefault(record.converger, turned)
    return found


def _history(record: Record) -> list[dict[str, Any]]:
    events = [event for execution in _executions(record) for event in _events(execution)]
    return sorted(events, key=lambda event: event["timestamp"])


def _events(execution: str) -> Iterator[dict[str, Any]]:
    pages = clients.reader("stepfunctions").get_paginator("get_execution_history")
    for page in pages.paginate(executionArn=execution, includeExecutionData=False):
        yield from page["events"]


def _turns(record: Record, since: datetime, until: datetime, had: Callable[..., Any]) -> list[Turn]:
    """How its alarms changed: CloudWatch remembers that of an alarm that is deleted, too."""

    def look() -> list[Turn]:
        names = (*record.plan.profile.guards, *evidence.own_alarms(record))
        return sorted((turn for name in names for turn in _of(name, since, until)), key=lambda turn: turn.at)

    return list(had("the alarms' history (kept for 30 days)", look, [], always=False))


def _of(alarm: str, since: datetime, until: datetime) -> Iterator[Turn]:
    pages = clients.reader("cloudwatch").get_paginator("describe_alarm_history")
    for page in pages.paginate(
        AlarmName=alarm,
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        HistoryItemType="StateUpdate",
        StartDate=since,
        EndDate=until,
    ):
        for item in page["AlarmHistoryItems"]:
            new = json.loads(item["HistoryData"])["newState"]
            yield Turn(
                at=item["Timestamp"],
                alarm=alarm,
                state=str(new["stateValue"]),
                reason=str(new.get("stateReason", "")),
            )


def _measured(record: Record, since: datetime, until: datetime) -> Measured:
    measured = measuring.measure(record, since, until)
    return measured if any(measured.values()) else {}


def _starters(record: Record) -> Mapping[str, str]:
    begun = record.plan.begun
    worked = {begun.execution: begun.at, **_executions(record)}
    found = {execution: trail.starter(execution, at) for execution, at in worked.items()}
    return {execution: who for execution, who in found.items() if who}
