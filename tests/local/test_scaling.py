"""Reality of AWS that moto leaves out: target tracking changes the size of groups."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from local import seed
from local.fleet.scaling import Scaling
from local.reality import Reality
from tests.local import alone
from tests.local.alone import Clock, standing


class World(alone.World):
    """A shop whose requests per target a test publishes, minute by minute."""

    scaling: Scaling

    def minutes(self, shop: seed.Seeded, *per_target: float | None) -> None:
        for value in per_target:
            begun = datetime.fromtimestamp(self.clock.now(), UTC)
            for _ in range(12):
                self.clock.time += 5
                self.scaling.tick(self.clock.now())
            if value is not None:
                self.publish(shop, value, begun)
        for _ in range(6):
            self.clock.time += 5
            self.scaling.tick(self.clock.now())
        self.clock.time += 30

    def publish(self, shop: seed.Seeded, value: float, at: datetime) -> None:
        balancer = shop.load_balancer_arn.split(":loadbalancer/")[1]
        dimensions = {"LoadBalancer": balancer, "TargetGroup": shop.target_group_arn.split(":")[-1]}
        if not self.requests:
            dimensions = {"AutoScalingGroupName": shop.group_name}
        datum = {
            "MetricName": "RequestCountPerTarget" if self.requests else "CPUUtilization",
            "Dimensions": [{"Name": name, "Value": of} for name, of in dimensions.items()],
            "Value": value,
            "Timestamp": at,
        }
        namespace = "AWS/ApplicationELB" if self.requests else "AWS/EC2"
        self.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])

    def desired(self, shop: seed.Seeded) -> int:
        groups = self.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[shop.group_name]
        )
        return int(groups["AutoScalingGroups"][0]["DesiredCapacity"])


@pytest.fixture(params=["requests", "cpu"])
def cloud(request: pytest.FixtureRequest) -> Iterator[World]:
    clock = Clock()
    scaling = Scaling(clock, Reality())
    with standing(scaling):
        yield World(clock=clock, scaling=scaling, requests=request.param == "requests")


@pytest.fixture
def shop(cloud: World) -> seed.Seeded:
    return seed.service(
        cloud, tracking="requests" if cloud.requests else "cpu", tracking_target=50.0, instances=4
    )


def test_a_loaded_group_grows_up_to_its_maximum(cloud: World, shop: seed.Seeded) -> None:
    """A16."""
    cloud.minutes(shop, 80, 80)
    assert cloud.desired(shop) == 7
    cloud.minutes(shop, 90, 90, 90)
    assert cloud.desired(shop) == 9


def test_an_idle_group_shrinks_to_its_minimum(cloud: World, shop: seed.Seeded) -> None:
    """A16: an idle green at weight 0 is scaled in."""
    cloud.minutes(shop, *[None] * 4)
    assert cloud.desired(shop) == 4
    cloud.minutes(shop, *[None] * 3)
    assert cloud.desired(shop) == 2


def test_the_floor_holds(cloud: World, shop: seed.Seeded) -> None:
    """A16: scaling in can't pass MinSize."""
    cloud.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=shop.group_name, MinSize=4)
    cloud.minutes(shop, *[None] * 10)
    assert cloud.desired(shop) == 4


def test_a_group_that_loses_its_traffic_shrinks_by_its_share(cloud: World, shop: seed.Seeded) -> None:
    """A16, F44b: blue scales in as traffic leaves."""
    cloud.minutes(shop, *[33] * 7)
    assert cloud.desired(shop) == 3


def test_a_busy_group_keeps_its_size(cloud: World, shop: seed.Seeded) -> None:
    """A16: within 10% under the target nothing happens."""
    cloud.minutes(shop, *[47] * 12)
    assert cloud.desired(shop) == 4


def test_one_busy_minute_puts_off_scaling_in(cloud: World, shop: seed.Seeded) -> None:
    """A16."""
    cloud.minutes(shop, 10, 10, 49, 10, 10, 10, 10)
    assert cloud.desired(shop) == 4


def test_suspended_alarm_notification_stops_it(cloud: World, shop: seed.Seeded) -> None:
    """A5."""
    cloud.client("autoscaling").suspend_processes(
        AutoScalingGroupName=shop.group_name, ScalingProcesses=["AlarmNotification"]
    )
    cloud.minutes(shop, 100, 100, *[None] * 8)
    assert cloud.desired(shop) == 4


def test_a_policy_may_leave_out_scaling_in_or_be_off(cloud: World, shop: seed.Seeded) -> None:
    """A16."""
    asg = cloud.client("autoscaling")
    (policy,) = asg.describe_policies()["ScalingPolicies"]
    request = {name: policy[name] for name in ("AutoScalingGroupName", "PolicyName", "PolicyType")}
    tracking = policy["TargetTrackingConfiguration"]
    asg.put_scaling_policy(**request, TargetTrackingConfiguration={**tracking, "DisableScaleIn": True})
    cloud.minutes(shop, *[None] * 8)
    assert cloud.desired(shop) == 4
    asg.put_scaling_policy(**request, TargetTrackingConfiguration=tracking, Enabled=False)
    cloud.minutes(shop, 100, 100, *[None] * 8)
    assert cloud.desired(shop) == 4
