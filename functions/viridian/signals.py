"""Green's own alarms: what is watched on its target group, from the thresholds in the profile."""

from typing import Any

import msgspec

from viridian import names
from viridian.request import Thresholds

PERIOD = 60  # seconds; Elastic Load Balancing publishes no finer (aws-facts C4)
EVIDENCE = (
    2 * PERIOD + 120
)  # seconds: what the longest of green's own alarms needs to say anything (aws-facts C3)
NAMESPACE = "AWS/ApplicationELB"


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudWatch alarm to make: either one metric, or several and an expression over them named `value`."""

    name: str
    signal: str
    description: str
    threshold: float
    periods: int
    missing: str
    metrics: tuple[dict[str, Any], ...]


def of_green(thresholds: Thresholds) -> tuple[str, ...]:
    """The signals that green is watched for, each by an alarm of its own."""
    return tuple(alarm.signal for alarm in green_alarms("", "", thresholds, "", ""))


def green_alarms(
    service: str, release: str, thresholds: Thresholds, load_balancer: str, target_group: str
) -> list[Alarm]:
    """The alarms of one release; `load_balancer` and `target_group` are CloudWatch dimension values."""
    dims = {"LoadBalancer": load_balancer, "TargetGroup": target_group}

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

    alarms = [
        alarm(
            "errors",
            f"More than {thresholds.error_percent:g}% of green's requests end in 5xx",
            thresholds.error_percent,
            1,
            "notBreaching",
            _metric("requests", "RequestCount", "Sum", dims),
            _metric("failures", "HTTPCode_Target_5XX_Count", "Sum", dims),
            _expression(
                f"IF(requests >= {_floor(thresholds)}, 100 * FILL(failures, 0) / requests, 0)", "5xx percent"
            ),
        ),
        alarm(
            "unhealthy",
            "A green target has been unhealthy for two minutes",
            0,
            2,
            "notBreaching",
            _metric("requests", "RequestCount", "Sum", dims),
            _metric("unhealthy", "UnHealthyHostCount", "Maximum", dims),
            # Green is unhealthy while it boots, and metrics come late: only minutes with requests count.
            _expression("IF(requests > 0, unhealthy, 0)", "unhealthy targets while serving"),
        ),
        alarm(
            "fail-open",
            "Green has no healthy target: the load balancer sends it requests all the same",
            0,
            1,
            "notBreaching",
            _metric("value", "UnhealthyRoutingRequestCount", "Sum", dims, returned=True),
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
                _metric("value", "TargetResponseTime", "Average", dims, returned=True),
            )
        )
    return alarms


def _floor(thresholds: Thresholds) -> int:
    """A minute with fewer requests than this says nothing about a rate: a fifth of what a verdict needs."""
    return max(1, thresholds.minimum_requests // 5)


def _metric(
    id_: str, name: str, stat: str, dimensions: dict[str, str], *, returned: bool = False
) -> dict[str, Any]:
    return {
        "Id": id_,
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE,
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in sorted(dimensions.items())],
            },
            "Period": PERIOD,
            "Stat": stat,
        },
        "ReturnData": returned,
    }


def _expression(text: str, label: str) -> dict[str, Any]:
    return {"Id": "value", "Expression": text, "Label": label, "ReturnData": True}
