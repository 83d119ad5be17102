"""CloudWatch: what either side of a release served, minute by minute."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from viridian import signals
from viridian.aws import alarms
from viridian.record import Record
from viridian.signals import Measured

# Beside its requests, which are flows behind a Network Load Balancer; what is not measured there has no minutes.
_BESIDE = {
    "errors": ("HTTPCode_Target_5XX_Count", "Sum"),
    "healthy": ("HealthyHostCount", "Minimum"),
    "latency": ("TargetResponseTime", "Average"),
}


def measure(record: Record, since: datetime, until: datetime) -> Measured:
    """`blue_requests`, `green_errors` and so on, each by the minute; green's only once it has a target group."""
    plan, green = record.plan, record.green_target_group
    queries = [*_queries("blue", plan.load_balancer, plan.blue.target_group)]
    queries += _queries("green", record.serves_green, green) if green else ()
    return alarms.measure(queries, since, until)


def _queries(side: Literal["blue", "green"], balancer: str, target_group: str) -> Iterator[dict[str, Any]]:
    asked = signals.requests_of(side, balancer, target_group)
    stat = asked["MetricStat"]
    yield {**asked, "Id": f"{side}_requests"}
    for name, (metric, how) in _BESIDE.items():
        other = {**stat, "Metric": {**stat["Metric"], "MetricName": metric}, "Stat": how}
        yield {**asked, "Id": f"{side}_{name}", "MetricStat": other}
