"""Green's own alarms: made as CloudWatch takes them, red on what harms users and silent on what doesn't."""

from typing import Any

import pytest

from local.metrics import metric_math
from viridian import signals
from viridian.request import Thresholds
from viridian.signals import Alarm


def alarms(**thresholds: Any) -> dict[str, Alarm]:
    found = signals.green_alarms("shop", "2.0.0-a", Thresholds(**thresholds), "app/shop/1", "targetgroup/g/2")
    return {alarm.signal: alarm for alarm in found}


def test_latency_is_watched_only_with_a_limit() -> None:
    assert set(alarms()) == {"errors", "unhealthy", "fail-open"}
    assert set(alarms(latency_seconds=0.5)) == {"errors", "unhealthy", "fail-open", "latency"}
    assert alarms(latency_seconds=0.5)["latency"].threshold == 0.5
    assert alarms(error_percent=2.5)["errors"].threshold == 2.5


@pytest.mark.parametrize("signal", ["errors", "unhealthy", "fail-open", "latency"])
def test_an_alarm_is_greens_own_and_whole(signal: str) -> None:
    alarm = alarms(latency_seconds=1.0)[signal]
    assert alarm.name == f"viridian-shop-2.0.0-a-{signal}"
    returned = [metric for metric in alarm.metrics if metric["ReturnData"]]
    assert [metric["Id"] for metric in returned] == ["value"]
    stats = [metric["MetricStat"] for metric in alarm.metrics if "MetricStat" in metric]
    assert stats
    for stat in stats:
        assert stat["Period"] == 60
        assert stat["Metric"]["Namespace"] == "AWS/ApplicationELB"
        assert {d["Name"]: d["Value"] for d in stat["Metric"]["Dimensions"]} == {
            "LoadBalancer": "app/shop/1",
            "TargetGroup": "targetgroup/g/2",
        }


@pytest.mark.parametrize(
    ("requests", "failures", "red"),
    [
        (100, 0, False),
        (100, 1, False),
        (100, 2, True),
        (9, 9, False),
        (10, 1, True),
        (100, None, False),
        (None, None, False),
    ],
)
def test_a_share_of_failures_counts_once_enough_have_asked(
    requests: float | None, failures: float | None, red: bool
) -> None:
    """One percent allowed; a verdict needs 50 requests, so a minute needs 10."""
    assert _red(alarms(minimum_requests=50)["errors"], requests=requests, failures=failures) is red


@pytest.mark.parametrize(
    ("requests", "unhealthy", "red"), [(5, 1, True), (5, 0, False), (0, 3, False), (None, 3, False)]
)
def test_an_unhealthy_target_counts_only_while_green_serves(
    requests: float | None, unhealthy: float, red: bool
) -> None:
    assert _red(alarms()["unhealthy"], requests=requests, unhealthy=unhealthy) is red
    assert alarms()["unhealthy"].periods == 2


def _red(alarm: Alarm, **values: float | None) -> bool:
    """Whether one minute with these values breaches, by CloudWatch's own mathematics."""
    series = {name: {} if value is None else {0: float(value)} for name, value in values.items()}
    (expression,) = [metric["Expression"] for metric in alarm.metrics if "Expression" in metric]
    shown = metric_math.evaluate(expression, series, [0]).get(0)
    return shown is not None and shown > alarm.threshold


def test_silence_is_no_failure() -> None:
    assert {alarm.missing for alarm in alarms(latency_seconds=1.0).values()} == {"notBreaching"}
