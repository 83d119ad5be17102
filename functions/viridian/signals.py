"""Green's own alarms: what is watched on its target group, from the thresholds in the profile."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import msgspec

from viridian import arns, names, network
from viridian.request import Thresholds

PERIOD = 60  # seconds; Elastic Load Balancing publishes no finer (aws-facts C4)
EVIDENCE = 2 * PERIOD + 120  # seconds; the slowest of green's own alarms says nothing before (aws-facts C3)
APPLICATION, NETWORK = "AWS/ApplicationELB", "AWS/NetworkELB"
FLOWS = "NewFlowCount"

WINDOW = 5  # minutes that a request rate is the mean of
# They are looked for so far back, since CloudWatch has them minutes later.
SPAN = timedelta(minutes=WINDOW + 5)
_COUNTS = {"green": "requests", "blue": "blue_requests"}  # the ids of both fleets' requests

# What was measured by the start of its minute, under the id of the metric or expression.
Measured = Mapping[str, Mapping[datetime, float]]


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudWatch alarm to make: either one metric, or several and an expression over them; `watched` is its id."""

    name: str
    signal: str
    description: str
    threshold: float
    periods: int
    missing: str
    metrics: tuple[dict[str, Any], ...]

    @property
    def watched(self) -> str:
        return _id(self.signal)


def of_green(thresholds: Thresholds, load_balancer: str) -> tuple[str, ...]:
    """The signals that green is watched for, each by an alarm of its own."""
    return tuple(alarm.signal for alarm in green_alarms("", "", thresholds, load_balancer, "", 0))


def green_alarms(
    service: str, release: str, thresholds: Thresholds, load_balancer: str, target_group: str, size: int
) -> list[Alarm]:
    """The alarms of one release: by ARNs, and how many instances green has at the least.

    A Network Load Balancer sees no answers, and counts resets and flows that fail open for all its target groups together.
    """
    metric = partial(_metric, load_balancer, target_group)
    requests = metric("requests", _counted(load_balancer), "Sum")

    def alarm(
        signal: str, words: str, threshold: float, periods: int, missing: str, *metrics: dict[str, Any]
    ) -> Alarm:
        return Alarm(
            name=names.alarm(service, release, signal),
            signal=signal,
            description=words,
            threshold=threshold,
            periods=periods,
            missing=missing,
            metrics=metrics,
        )

    unhealthy = alarm(
        "unhealthy",
        "A green target has been unhealthy for two minutes",
        0,
        2,
        "notBreaching",
        requests,
        metric("hosts", "UnHealthyHostCount", "Maximum"),
        metric("healthy", "HealthyHostCount", "Minimum"),
        # Green is unhealthy while it boots, and metrics come late: only minutes with requests count. So is what it
        # launches once it serves, when the load rises: only while it has fewer healthy ones than it began with.
        _expression(
            "unhealthy",
            f"IF(requests > 0 AND FILL(healthy, 0) < {size}, hosts, 0)",
            "unhealthy targets while serving",
        ),
    )
    no_target = "Green has no healthy target: the load balancer sends it requests all the same"
    if network.is_network(load_balancer):
        able = metric("able", "HealthyHostCount", "Maximum")
        expression = _expression("fail_open", "IF(able < 1, requests, 0)", "flows without a healthy target")
        return [unhealthy, alarm("fail-open", no_target, 0, 1, "notBreaching", requests, able, expression)]
    alarms = [
        alarm(
            "errors",
            f"More than {thresholds.error_percent:g}% of green's requests end in 5xx",
            thresholds.error_percent,
            1,
            "notBreaching",
            requests,
            metric("failures", "HTTPCode_Target_5XX_Count", "Sum"),
            _expression(
                "errors",
                f"IF(requests >= {_floor(thresholds)}, 100 * FILL(failures, 0) / requests, 0)",
                "5xx percent",
            ),
        ),
        unhealthy,
        alarm(
            "fail-open",
            no_target,
            0,
            1,
            "notBreaching",
            metric("fail_open", "UnhealthyRoutingRequestCount", "Sum", returned=True),
        ),
    ]
    if thresholds.latency_seconds is not None:
        alarms.append(
            alarm(
                "latency",
                f"Green's average response takes more than {thresholds.latency_seconds:g} s",
                thresholds.latency_seconds,
                2,
                "notBreaching",
                metric("latency", "TargetResponseTime", "Average", returned=True),
            )
        )
    return alarms


def measures(alarms: Iterable[Alarm]) -> list[dict[str, Any]]:
    """Everything that the alarms look at, once each, as GetMetricData takes it."""
    found = {metric["Id"]: metric for alarm in alarms for metric in alarm.metrics}
    return [{**metric, "ReturnData": True} for metric in found.values()]


def breach(alarms: Iterable[Alarm], measured: Measured, since: datetime) -> str:
    """What has crossed an alarm's threshold since a moment, in words; nothing if all is well.

    An alarm looks at the last few minutes alone: what is published later than that it never sees (aws-facts C3).
    """
    for alarm in alarms:
        minutes = measured.get(alarm.watched, {})
        over = {at for at, value in minutes.items() if at >= since and value > alarm.threshold}
        for at in sorted(over):
            if all(at - timedelta(seconds=PERIOD * back) in over for back in range(alarm.periods)):
                return f"{alarm.description}: {minutes[at]:g} at {at:%H:%M}"
    return ""


def requests_of(side: Literal["blue", "green"], load_balancer: str, target_group: str) -> dict[str, Any]:
    """The requests of one fleet, as GetMetricData takes them; the rest are ARNs."""
    return _metric(load_balancer, target_group, _COUNTS[side], _counted(load_balancer), "Sum", returned=True)


def requests(measured: Measured, since: datetime) -> int:
    """How many requests green has had from the minute that `since` falls in, but for the newest one.

    More of that one may yet be published.
    """
    began = since.replace(second=0, microsecond=0)
    minutes = {at: value for at, value in measured.get(_COUNTS["green"], {}).items() if at >= began}
    newest = max(minutes, default=None)
    return int(sum(value for at, value in minutes.items() if at != newest))


def rate(measured: Measured) -> float:
    """The requests a minute of both fleets together, over the whole window before the newest minute.

    0, which stands for not known, while one of its minutes lacks: a mean of what is there would be no window's.
    """
    counts = [measured.get(id_, {}) for id_ in _COUNTS.values()]
    minutes = {at: sum(count.get(at, 0.0) for count in counts) for count in counts for at in count}
    if not minutes:
        return 0.0
    window = {max(minutes) - timedelta(seconds=PERIOD * back) for back in range(1, WINDOW + 1)}
    return sum(minutes[at] for at in window) / WINDOW if window <= minutes.keys() else 0.0


def _floor(thresholds: Thresholds) -> int:
    """A minute with fewer requests than this says nothing about a rate: a fifth of what a verdict needs."""
    return max(1, thresholds.minimum_requests // 5)


def _counted(load_balancer: str) -> str:
    """What a load balancer counts of what it is asked."""
    return FLOWS if network.is_network(load_balancer) else "RequestCount"


def _metric(
    load_balancer: str, target_group: str, id_: str, name: str, stat: str, *, returned: bool = False
) -> dict[str, Any]:
    space = NETWORK if network.is_network(load_balancer) else APPLICATION
    dimensions = {"TargetGroup": arns.suffix(target_group)}  # by which alone AWS tells flows
    if name != FLOWS:
        dimensions["LoadBalancer"] = arns.suffix(load_balancer)
    return {
        "Id": id_,
        "MetricStat": {
            "Metric": {
                "Namespace": space,
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in sorted(dimensions.items())],
            },
            "Period": PERIOD,
            "Stat": stat,
        },
        "ReturnData": returned,
    }


def _expression(id_: str, text: str, label: str) -> dict[str, Any]:
    return {"Id": id_, "Expression": text, "Label": label, "ReturnData": True}


def _id(signal: str) -> str:
    return signal.replace("-", "_")
