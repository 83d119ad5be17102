"""All that AWS still knows of a release: what is gone by now, or not allowed to be seen, is named instead."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
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
    worked = {each.execution: each.at for each in replay.workers(record)}
    history: list[dict[str, Any]] = had(
        "the executions' histories (kept for 90 days)", lambda: _history(worked), []
    )
    stopped = [event["timestamp"] for event in history if event["type"] == "ExecutionAborted"]
    return Found(
        now=now,
        journal=releases.journal(record),
        history=history,
        turns=_turns(record, since, until, had),
        measured=had("CloudWatch's minutes (kept for 15 days)", lambda: _measured(record, since, until), {}),
        starters=had("who started it (CloudTrail, kept for 90 days)", lambda: _starters(worked), {}),
        stopper=had(
            "who stopped it (CloudTrail)", lambda: _stopper(worked, stopped), None, always=bool(stopped)
        ),
        lacks=lacks,
    )


def _history(worked: Iterable[str]) -> list[dict[str, Any]]:
    return sorted(chain.from_iterable(map(_events, worked)), key=lambda event: event["timestamp"])


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


def _starters(worked: Mapping[str, datetime]) -> Mapping[str, str]:
    found = {execution: trail.starter(execution, at) for execution, at in worked.items()}
    return {execution: who for execution, who in found.items() if who}


def _stopper(worked: Iterable[str], stopped: Iterable[datetime]) -> str | None:
    asked = ((execution, at) for at in stopped for execution in worked)
    return next((who for execution, at in asked if (who := trail.stopper(execution, at))), None)
