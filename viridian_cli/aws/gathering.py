"""All that AWS still knows of a release: what is gone by now, or not allowed to be seen, is named instead."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from viridian.acts import evidence
from viridian.aws import clients, trail
from viridian.record import Record
from viridian.signals import Measured
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
    history: list[dict[str, Any]] = had(
        "the executions' histories (kept for 90 days)", lambda: _history(record), []
    )
    stopped = [event["timestamp"] for event in history if event["type"] == "ExecutionAborted"]
    trailed = "(CloudTrail, kept for 90 days)"
    return Found(
        now=now,
        journal=releases.journal(record),
        history=history,
        turns=_turns(record, since, until, had),
        measured=had("CloudWatch's minutes (kept for 15 days)", lambda: _measured(record, since, until), {}),
        starters=had(f"who started it {trailed}", lambda: _starters(record), {}),
        stopper=had(f"who stopped it {trailed}", lambda: _stopper(record, stopped[-1]), None)
        if stopped
        else None,
        lacks=lacks,
    )


def _history(record: Record) -> list[dict[str, Any]]:
    known = dict.fromkeys(each.execution for each in replay.workers(record))
    return sorted(chain.from_iterable(map(_events, known)), key=lambda event: event["timestamp"])


def _events(execution: str) -> Iterator[dict[str, Any]]:
    client = clients.reader("stepfunctions")
    pages = client.get_paginator("get_execution_history")
    with suppress(client.exceptions.ExecutionDoesNotExist):  # a brake that found a hold has started none
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
    found = {each.execution: trail.starter(each.execution, each.at) for each in replay.workers(record)}
    return {execution: who for execution, who in found.items() if who}


def _stopper(record: Record, at: datetime) -> str | None:
    known = dict.fromkeys(each.execution for each in replay.workers(record))
    return next((who for execution in known if (who := trail.stopper(execution, at))), None)
