"""CloudWatch: guards, green's own alarms, and the measurements a verdict rests on."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from viridian import leftovers, names
from viridian.aws import clients, ledger
from viridian.fence import Fence
from viridian.leftovers import Thing, thing
from viridian.signals import Alarm, Measured
from viridian.verdict import AlarmState


def states(asked: Iterable[str]) -> tuple[AlarmState, ...]:
    """The alarms of these names that exist, composite ones included; the caller compares (aws-facts C7)."""
    wanted = sorted(set(asked))
    if not wanted:
        return ()
    pages = (
        clients.reader("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNames=wanted, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    )
    found = [
        alarm for page in pages for key in ("MetricAlarms", "CompositeAlarms") for alarm in page.get(key, [])
    ]
    return tuple(_state(alarm) for alarm in found)


def make(alarms: Iterable[Alarm], tags: dict[str, str], fence: Fence) -> None:
    """Makes those of green's alarms that aren't there yet."""
    wanted = list(alarms)
    standing = {alarm.name for alarm in states(alarm.name for alarm in wanted)}
    for alarm in wanted:
        if alarm.name not in standing:
            with ledger.mutation(fence, "PutMetricAlarm", alarm.name):
                clients.writer("cloudwatch").put_metric_alarm(
                    AlarmName=alarm.name,
                    AlarmDescription=alarm.description,
                    ActionsEnabled=False,
                    Metrics=list(alarm.metrics),
                    ComparisonOperator="GreaterThanThreshold",
                    Threshold=alarm.threshold,
                    EvaluationPeriods=alarm.periods,
                    TreatMissingData=alarm.missing,
                    Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
                )


def find(asked: Iterable[str]) -> list[dict[str, Any]]:
    """The metric alarms of these names, as AWS shows them."""
    if not (wanted := sorted(asked)):
        return []
    pages = clients.reader("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNames=wanted)
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def left() -> list[Thing]:
    """Every alarm that a release made; only alarms of our names can be."""
    client = clients.reader("cloudwatch")
    pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix="viridian-")
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    return leftovers.things(
        thing("alarm", alarm["AlarmName"], _tags(alarm), alarm.get("AlarmConfigurationUpdatedTimestamp"))
        for alarm in alarms
    )


def _tags(alarm: dict[str, Any]) -> dict[str, str]:
    return names.tags_on(clients.reader("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"]))


def scaling(service: str, release: str) -> list[str]:
    """The names of the alarms that drive a release's group, found by how they begin."""
    prefix = names.scaling_alarm(service, release)
    pages = clients.reader("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
    return [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]]


def copy(wanted: dict[str, dict[str, Any]], tags: dict[str, str], fence: Fence) -> None:
    """Makes those alarms, given by name, that aren't there yet."""
    standing = {alarm["AlarmName"] for alarm in find(wanted)}
    for name, alarm in wanted.items():
        if name not in standing:
            with ledger.mutation(fence, "PutMetricAlarm", name):
                clients.writer("cloudwatch").put_metric_alarm(
                    AlarmName=name,
                    Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
                    **alarm,
                )


def delete(asked: Iterable[str], fence: Fence) -> None:
    """Deletes those of a release's alarms that are there."""
    wanted = set(asked)
    found = {alarm.name for alarm in states(wanted)}
    if found != wanted:
        found |= {alarm.name for alarm in states(wanted)}  # one answer is not enough to leave an alarm behind
    if standing := sorted(found):
        with ledger.mutation(fence, "DeleteAlarms", ", ".join(standing)):
            clients.writer("cloudwatch").delete_alarms(AlarmNames=standing)


def measure(queries: Iterable[dict[str, Any]], since: datetime, until: datetime) -> Measured:
    """What is asked for, minute by minute from the one that `since` falls in."""
    pages = (
        clients.reader("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(
            MetricDataQueries=list(queries),
            StartTime=since.replace(second=0, microsecond=0),
            EndTime=until + timedelta(minutes=1),
        )
    )
    measured: dict[str, dict[datetime, float]] = {}
    for result in (result for page in pages for result in page["MetricDataResults"]):
        minutes = measured.setdefault(result["Id"], {})
        minutes.update(zip(result["Timestamps"], result["Values"], strict=True))
    return measured


def _state(alarm: dict[str, Any]) -> AlarmState:
    periods = [alarm.get("Period") or 0]
    periods += [
        m.get("Period") or m.get("MetricStat", {}).get("Period") or 0 for m in alarm.get("Metrics", [])
    ]
    return AlarmState(
        name=alarm["AlarmName"],
        arn=alarm["AlarmArn"],
        state=alarm["StateValue"],
        reason=alarm.get("StateReason", "")[:300],
        since=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
        evaluation_seconds=max(periods) * int(alarm.get("EvaluationPeriods") or 1),
        actions=tuple(
            action
            for key in ("AlarmActions", "OKActions", "InsufficientDataActions")
            for action in alarm.get(key, [])
        ),
    )
