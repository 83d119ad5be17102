"""Green's own alarms: made as CloudWatch takes them, red on what harms users and silent on what doesn't."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from local.metrics import metric_math
from viridian import signals
from viridian.request import Thresholds
from viridian.signals import Alarm, Measured

BEGAN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
ELB = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
APPLICATION, NETWORK = f"{ELB}:loadbalancer/app/shop/1", f"{ELB}:loadbalancer/net/shop/1"
GROUP = f"{ELB}:targetgroup/g/2"


def alarms(**thresholds: Any) -> dict[str, Alarm]:
    found = signals.green_alarms("shop", "2.0.0-a", Thresholds(**thresholds), APPLICATION, GROUP, 3)
    return {alarm.signal: alarm for alarm in found}


SIDES: tuple[Literal["green", "blue"], ...] = ("green", "blue")


def green_of_group(group: str) -> list[Alarm]:
    return signals.green_alarms("shop", "2.0.0-a", Thresholds(), APPLICATION, group, 3)


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
    assert [metric["Id"] for metric in returned] == [alarm.watched]
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
    ("requests", "unhealthy", "healthy", "red"),
    [
        (5, 1, 2, True),
        (5, 1, None, True),
        (5, 0, 3, False),
        (0, 3, 0, False),
        (None, 3, 0, False),
        (5, 3, 3, False),
        (5, 3, 2, True),
    ],
)
def test_an_unhealthy_target_counts_while_green_serves_with_fewer_than_it_began_with(
    requests: float | None, unhealthy: float, healthy: float | None, red: bool
) -> None:
    assert _red(alarms()["unhealthy"], requests=requests, hosts=unhealthy, healthy=healthy) is red
    assert alarms()["unhealthy"].periods == 2


def _red(alarm: Alarm, **values: float | None) -> bool:
    """Whether one minute with these values breaches, by CloudWatch's own mathematics."""
    series = {name: {} if value is None else {0: float(value)} for name, value in values.items()}
    (expression,) = [metric["Expression"] for metric in alarm.metrics if "Expression" in metric]
    shown = metric_math.evaluate(expression, series, [0]).get(0)
    return shown is not None and shown > alarm.threshold


def network_alarms(**thresholds: Any) -> dict[str, Alarm]:
    limits = Thresholds(**thresholds)
    found = signals.green_alarms("shop", "2.0.0-a", limits, NETWORK, GROUP, 3)
    return {alarm.signal: alarm for alarm in found}


def test_flows_stand_for_requests_where_the_load_balancer_sees_no_others() -> None:
    """NewFlowCount is told by target group alone, health by both."""
    both = {"LoadBalancer": "net/shop/1", "TargetGroup": "targetgroup/g/2"}
    shown = {}
    for query in signals.measures(network_alarms().values()):
        if "MetricStat" in query:
            metric, stat = query["MetricStat"]["Metric"], query["MetricStat"]["Stat"]
            assert metric["Namespace"] == "AWS/NetworkELB"
            shown[metric["MetricName"], stat] = {d["Name"]: d["Value"] for d in metric["Dimensions"]}
    assert shown == {
        ("NewFlowCount", "Sum"): {"TargetGroup": "targetgroup/g/2"},
        ("HealthyHostCount", "Minimum"): both,
        ("HealthyHostCount", "Maximum"): both,
        ("UnHealthyHostCount", "Maximum"): both,
    }
    assert set(network_alarms()) == set(signals.of_green(Thresholds(), NETWORK))
    asked = signals.requests_of("blue", NETWORK, GROUP)["MetricStat"]["Metric"]
    assert asked == signals.measures(network_alarms().values())[0]["MetricStat"]["Metric"]


@pytest.mark.parametrize(
    ("requests", "able", "red"),
    [(5, 0, True), (5, 1, False), (0, 0, False), (5, None, False), (None, 0, False)],
)
def test_flows_to_a_green_without_a_healthy_target_are_seen_by_its_hosts(
    requests: float | None, able: float | None, red: bool
) -> None:
    assert _red(network_alarms()["fail-open"], requests=requests, able=able) is red


def test_silence_is_no_failure() -> None:
    assert {alarm.missing for alarm in alarms(latency_seconds=1.0).values()} == {"notBreaching"}


def minutes(*values: float | None) -> dict[datetime, float]:
    return {BEGAN + timedelta(minutes=n): value for n, value in enumerate(values) if value is not None}


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ({}, ""),
        ({"errors": minutes(0, 1, 0)}, ""),
        ({"errors": minutes(0, 1.5, 0)}, "More than 1% of green's requests end in 5xx: 1.5 at 09:01"),
        ({"unhealthy": minutes(0, 1, 0, 1)}, ""),
        ({"unhealthy": minutes(1, None, 1)}, ""),
        ({"unhealthy": minutes(0, 1, 2)}, "A green target has been unhealthy for two minutes: 2 at 09:02"),
        (
            {"fail_open": minutes(None, None, 4)},
            "Green has no healthy target: the load balancer sends it requests all the same: 4 at 09:02",
        ),
        ({"requests": minutes(9000), "failures": minutes(9000)}, ""),
    ],
)
def test_a_threshold_is_crossed_for_as_many_minutes_on_end_as_its_alarm_needs(
    measured: Measured, said: str
) -> None:
    assert signals.breach(alarms().values(), measured, BEGAN) == said


def test_what_was_measured_before_a_step_began_says_nothing_of_it() -> None:
    measured = {"errors": minutes(50, 0)}
    assert signals.breach(alarms().values(), measured, BEGAN + timedelta(seconds=1)) == ""
    assert signals.breach(alarms().values(), measured, BEGAN) != ""


def test_requests_count_once_their_minute_is_over_and_published() -> None:
    assert signals.requests({}, BEGAN) == 0
    assert signals.requests({"requests": minutes(50)}, BEGAN) == 0
    assert signals.requests({"requests": minutes(50, None, 3)}, BEGAN) == 50


def test_requests_count_from_the_minute_in_which_a_step_began() -> None:
    measured = {"requests": minutes(1000, 50, 7, 3)}
    assert signals.requests(measured, BEGAN + timedelta(seconds=60)) == 57
    assert signals.requests(measured, BEGAN + timedelta(seconds=119)) == 57
    assert signals.requests(measured, BEGAN + timedelta(seconds=120)) == 7


@pytest.mark.parametrize(
    ("blue", "green", "rate"),
    [
        (minutes(100, 110, 120, 130, 140, 9), {}, 120),
        (minutes(999, 100, 110, 120, 130, 140, 9), {}, 120),
        (minutes(100, 100, 100, 50, 0, 0), minutes(0, 0, 0, 50, 100, 100), 100),
        (minutes(100, 100, 100), minutes(None, None, None, 200, 200, 9), 140),
        (minutes(100, 100, 100, 100, 9), {}, 0),
        (minutes(100, 100, None, 100, 100, 9), {}, 0),
        (minutes(100), {}, 0),
        ({}, {}, 0),
    ],
    ids=[
        "the newest minute doesn't count",
        "nor do those before the window",
        "both fleets together",
        "each where it is",
        "too few minutes",
        "one lacks",
        "only the newest",
        "none",
    ],
)
def test_a_request_rate_is_that_of_a_whole_window(blue: Any, green: Any, rate: float) -> None:
    assert signals.rate({"blue_requests": blue, "requests": green, "failures": minutes(9)}) == rate


def test_each_fleet_is_counted_by_its_own_target_group() -> None:
    green, blue = (signals.requests_of(side, APPLICATION, f"{ELB}:targetgroup/{side}/2") for side in SIDES)
    assert green in signals.measures(green_of_group(f"{ELB}:targetgroup/green/2"))
    assert blue["Id"] != green["Id"]
    assert blue["MetricStat"]["Metric"]["Dimensions"][1]["Value"] == "targetgroup/blue/2"


def test_every_measure_is_asked_for_once() -> None:
    asked = [query["Id"] for query in signals.measures(alarms(latency_seconds=1.0).values())]
    assert sorted(asked) == sorted(set(asked))
    assert {alarm.watched for alarm in alarms(latency_seconds=1.0).values()} < set(asked)
