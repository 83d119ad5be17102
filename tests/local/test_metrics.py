"""Reality of AWS that moto leaves out: metrics by the minute, late, with exact dimensions and metric math."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.elbv2.models import ELBv2Backend

from local import seed
from local.metrics import metric_math
from local.metrics.metrics import Metrics
from local.plane.plane import Counts
from local.reality import Reality
from tests.local import alone
from tests.local.alone import START, Clock, standing


class Plane:
    """Counts that a test sets."""

    def __init__(self) -> None:
        self.seen: dict[str, Counts] = {}
        self.own = 0

    def counts(self) -> dict[str, Counts]:
        return self.seen

    def no_target_5xx(self) -> int:
        return self.own


class World(alone.World):
    """A shop, its metrics, and a clock that a test moves."""

    plane: Plane
    metrics: Metrics

    def later(self, seconds: float) -> None:
        for _ in range(int(seconds // 5)):
            self.clock.time += 5
            self.metrics.tick(self.clock.now())

    def serve(self, shop: seed.Seeded, requests: int, **counts: float) -> None:
        seen = self.plane.seen.setdefault(shop.target_group_arn, Counts())
        seen.requests += requests
        for name, count in counts.items():
            setattr(seen, name, getattr(seen, name) + count)

    def read(self, query: list[dict[str, Any]], since: float = START) -> dict[str, dict[float, float]]:
        found = self.client("cloudwatch").get_metric_data(
            MetricDataQueries=query,
            StartTime=datetime.fromtimestamp(since, UTC),
            EndTime=datetime.fromtimestamp(self.clock.now(), UTC),
        )["MetricDataResults"]
        return {
            each["Id"]: {
                at.timestamp() - START: value
                for at, value in zip(each["Timestamps"], each["Values"], strict=True)
            }
            for each in found
        }


def of(shop: seed.Seeded, name: str, stat: str = "Sum", group: bool = True, key: str = "m") -> dict[str, Any]:
    dimensions = [{"Name": "LoadBalancer", "Value": shop.load_balancer_arn.split(":loadbalancer/")[1]}]
    if group:
        dimensions.append({"Name": "TargetGroup", "Value": shop.target_group_arn.split(":")[-1]})
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions}
    return {"Id": key, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}


@pytest.fixture
def cloud() -> Iterator[World]:
    clock, plane = Clock(), Plane()
    metrics = Metrics(clock, Reality(), plane)
    with standing(metrics):
        yield World(clock=clock, plane=plane, metrics=metrics)


@pytest.fixture
def shop(cloud: World) -> seed.Seeded:
    shop = seed.service(cloud, tracking="none")
    cloud.metrics.tick(cloud.clock.now())
    return shop


def test_a_minute_is_seen_when_it_is_over_and_its_delay_has_passed(cloud: World, shop: seed.Seeded) -> None:
    """Fact 9: 60 s grain; F63: metrics come late."""
    cloud.serve(shop, 100)
    query = [of(shop, "RequestCount")]
    cloud.later(85)
    assert cloud.read(query)["m"] == {}
    cloud.later(5)
    assert cloud.read(query)["m"] == {0.0: 100.0}


def test_errors_are_published_only_when_there_are_some(cloud: World, shop: seed.Seeded) -> None:
    """Fact 9."""
    names = (
        "HTTPCode_Target_5XX_Count",
        "UnhealthyRoutingRequestCount",
        "HTTPCode_ELB_5XX_Count",
        "RequestCount",
    )
    query = [
        of(shop, name, group=name != "HTTPCode_ELB_5XX_Count", key=f"m{n}") for n, name in enumerate(names)
    ]
    cloud.later(60)
    cloud.serve(shop, 60, target_5xx=7, unhealthy_routing=2, elb_5xx=10)
    cloud.plane.own += 3
    cloud.later(120)
    read = cloud.read(query)
    assert [read[f"m{n}"] for n in range(4)] == [{60.0: 7.0}, {60.0: 2.0}, {60.0: 13.0}, {60.0: 50.0}]


def test_a_network_load_balancer_counts_flows_by_target_group_alone_and_resets_for_all(cloud: World) -> None:
    flows = seed.service(cloud, route="network", tracking="none")
    cloud.metrics.tick(cloud.clock.now())
    cloud.serve(flows, 40, elb_5xx=3)
    cloud.later(150)
    balancer, group = (
        flows.load_balancer_arn.split(":loadbalancer/")[1],
        flows.target_group_arn.split(":")[-1],
    )

    def read(name: str, **dimensions: str) -> dict[float, float]:
        where = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        metric = {"Namespace": "AWS/NetworkELB", "MetricName": name, "Dimensions": where}
        query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
        return cloud.read([query])["m"]

    assert read("NewFlowCount", TargetGroup=group) == {0.0: 40.0, 60.0: 0.0}
    assert read("NewFlowCount", LoadBalancer=balancer) == {0.0: 40.0, 60.0: 0.0}
    assert read("NewFlowCount", LoadBalancer=balancer, TargetGroup=group) == {}
    assert read("TCP_ELB_Reset_Count", LoadBalancer=balancer) == {0.0: 3.0, 60.0: 0.0}
    assert read("TCP_ELB_Reset_Count", TargetGroup=group) == {}
    assert read("HealthyHostCount", LoadBalancer=balancer, TargetGroup=group)


def test_dimensions_must_be_exact(cloud: World, shop: seed.Seeded) -> None:
    """Fact 9: a load balancer's figures aren't those of its groups."""
    cloud.serve(shop, 40)
    cloud.later(90)
    query = [
        of(shop, "RequestCount", group=False),
        of(shop, "HealthyHostCount", "Maximum", group=False, key="h"),
    ]
    assert cloud.read(query) == {"m": {0.0: 40.0}, "h": {}}
    dimension = [{"Name": "LoadBalancer", "Value": shop.load_balancer_arn.split(":loadbalancer/")[1]}]
    (point,) = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName="RequestCount",
        Dimensions=dimension,
        StartTime=datetime.fromtimestamp(START, UTC),
        EndTime=datetime.fromtimestamp(cloud.clock.now(), UTC),
        Period=60,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert (point["Sum"], point["SampleCount"], point["Timestamp"].timestamp()) == (40.0, 40.0, START)


def test_hosts_are_counted_as_their_health_shows(
    cloud: World, shop: seed.Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C2: HealthyHostCount always reports while targets are registered."""
    health = [SimpleNamespace(status=state) for state in ("healthy", "unhealthy", "draining")]
    cloud.later(55)
    monkeypatch.setattr(ELBv2Backend, "describe_target_health", lambda *_: health)
    cloud.later(30)
    health[0].status = "unhealthy"
    cloud.later(65)
    query = [
        of(shop, "HealthyHostCount", "Maximum", key="best"),
        of(shop, "HealthyHostCount", "Minimum", key="worst"),
        of(shop, "UnHealthyHostCount", "Maximum", key="ill"),
    ]
    read = {key: series[60.0] for key, series in cloud.read(query).items()}
    assert read == {"best": 1.0, "worst": 0.0, "ill": 2.0}


def test_requests_are_shared_by_healthy_targets(cloud: World, shop: seed.Seeded) -> None:
    """A15: what request tracking tracks."""
    cloud.serve(shop, 300)
    cloud.later(90)
    assert cloud.read([of(shop, "RequestCountPerTarget")])["m"] == {0.0: 100.0}


def test_latency_has_a_mean_and_a_longest(cloud: World, shop: seed.Seeded) -> None:
    """C6."""
    cloud.serve(shop, 10, response_count=10, response_seconds_sum=2.0, response_seconds_max=1.1)
    cloud.later(60)
    cloud.serve(shop, 10, response_count=10, response_seconds_sum=1.0)
    cloud.later(60)
    query = [of(shop, "TargetResponseTime", stat, key=stat.lower()) for stat in ("Average", "Maximum", "p50")]
    cloud.later(30)
    read = cloud.read(query)
    assert read["average"] == {0.0: 0.2, 60.0: 0.1}
    assert read["maximum"] == {0.0: 1.1, 60.0: pytest.approx(0.1)}
    assert read["p50"][0.0] < 0.2


def test_a_group_that_no_rule_names_has_no_metrics(cloud: World, shop: seed.Seeded) -> None:
    """Fact 4."""
    cloud.client("elbv2").delete_rule(RuleArn=shop.rule_arn)
    fresh = Metrics(cloud.clock, Reality(), cloud.plane)
    for _ in range(40):
        cloud.clock.time += 5
        fresh.tick(cloud.clock.now())
    assert cloud.client("cloudwatch").list_metrics(Namespace="AWS/ApplicationELB")["Metrics"] == []


def test_the_model_cpu_follows_the_requests(cloud: World, shop: seed.Seeded) -> None:
    """A16: what CPU tracking tracks."""
    cloud.serve(shop, 60 * 3 * 20)
    cloud.later(90)
    metric = {
        "Namespace": "AWS/EC2",
        "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": shop.group_name}],
    }
    query = [{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}}]
    assert cloud.read(query)["m"] == {0.0: 22.0}


def test_custom_metrics_and_math_are_read_together(cloud: World) -> None:
    """C5."""
    cloudwatch = cloud.client("cloudwatch")
    for minute, errors in ((0, 1), (2, 3)):
        at = datetime.fromtimestamp(START + minute * 60 + 7, UTC)
        cloudwatch.put_metric_data(
            Namespace="app", MetricData=[{"MetricName": "errors", "Value": errors, "Timestamp": at}]
        )
    cloud.clock.time += 240
    metric = {"Metric": {"Namespace": "app", "MetricName": "errors"}, "Period": 60, "Stat": "Sum"}
    read = cloud.read(
        [
            {"Id": "twice", "Expression": "filled * 2"},
            {"Id": "filled", "Expression": "FILL(e, 0)", "ReturnData": False},
            {"Id": "e", "MetricStat": metric, "ReturnData": False},
        ]
    )
    assert read == {"twice": {0.0: 2.0, 60.0: 0.0, 120.0: 6.0, 180.0: 0.0}}
    for broken in ("e +", "nobody", "SUM(e)"):
        with pytest.raises(ClientError, match="ValidationError"):
            cloud.read([{"Id": "e", "MetricStat": metric}, {"Id": "x", "Expression": broken}])


def test_old_data_are_let_go(cloud: World, shop: seed.Seeded) -> None:
    cloud.serve(shop, 1)
    cloud.later(90)
    cloud.clock.time += 9 * 3600
    cloud.later(5)
    cloud.serve(shop, 5)
    cloud.later(150)
    assert cloud.read([of(shop, "RequestCount")])["m"] == {9 * 3600.0 + 60: 5.0}


GRID = (0, 60, 120)
METRICS = {"a": {0: 1.0, 60: 2.0, 120: 3.0}, "b": {0: 0.0, 120: 6.0}, "none": {}}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", {0: 1.0, 120: 9.0}),
        ("100 * a / b", {120: 50.0}),
        ("-a + 2 * 3 ^ 2", {0: 17.0, 60: 16.0, 120: 15.0}),
        ("FILL(b, 0)", {0: 0.0, 60: 0.0, 120: 6.0}),
        ("FILL(b, REPEAT)", {0: 0.0, 60: 0.0, 120: 6.0}),
        ("FILL(b, LINEAR)", {0: 0.0, 60: 3.0, 120: 6.0}),
        ("FILL(b, a)", {0: 0.0, 60: 2.0, 120: 6.0}),
        ("FILL(none, 4)", {0: 4.0, 60: 4.0, 120: 4.0}),
        ("IF(a >= 2, 100 * a, 0)", {0: 0.0, 60: 200.0, 120: 300.0}),
        ("IF(a > 1 AND FILL(b, 0) == 0, 1, 0)", {0: 0.0, 60: 1.0, 120: 0.0}),
        ("IF(a < 3, a)", {0: 1.0, 60: 2.0}),
        ("SUM([a, b])", {0: 1.0, 60: 2.0, 120: 9.0}),
        ("MAX([a, FILL(b, 0)]) - MIN([a, FILL(b, 0)])", {0: 1.0, 60: 2.0, 120: 3.0}),
        ("a / SUM(a)", {0: 1 / 6, 60: 2 / 6, 120: 3 / 6}),
        ("AVG([a,b]) || 0", {0: 1.0, 60: 1.0, 120: 1.0}),
        ("CEIL(a / 2) - ABS(FLOOR(-a / 2))", {0: 0.0, 60: 0.0, 120: 0.0}),
        ("none + a", {}),
        ("(a != 2) && b", {0: 0.0, 120: 1.0}),
    ],
)
def test_metric_math_computes_as_cloudwatch_does(expression: str, expected: dict[int, float]) -> None:
    """C5: points meet where both are; x / 0 is no point; FILL fills the grid."""
    assert metric_math.evaluate(expression, METRICS, GRID) == pytest.approx(expected)


@pytest.mark.parametrize(
    "expression", ["", "a +", "a b", "SUM(a)", "NOPE(a)", "a $ b", "c", "(a", "[a, b]", "3"]
)
def test_what_is_not_metric_math_is_refused(expression: str) -> None:
    with pytest.raises(metric_math.MathError):
        metric_math.evaluate(expression, METRICS, GRID)
