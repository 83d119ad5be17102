"""What is seeded is a service that a release would accept: found, tagged, and registered."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from local import seed
from local.fleet.images import Images
from local.reality import Reality
from tests.local import alone
from tests.local.alone import standing
from viridian import request


@pytest.fixture
def cloud() -> Iterator[alone.World]:
    images = Images(SimpleNamespace(now=lambda: 0.0), Reality())
    with standing(images):
        yield alone.World(images=images)


def tags(pairs: list[dict[str, str]]) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in pairs}


LENT = {"viridian:managed": "true", "viridian:service": "shop"}


def test_what_the_service_lends_is_tagged(cloud: alone.World) -> None:
    shop = seed.service(cloud)
    arns = [shop.rule_arn, shop.listener_arn, shop.load_balancer_arn, shop.target_group_arn]
    described = cloud.client("elbv2").describe_tags(ResourceArns=arns)["TagDescriptions"]
    lent: list[dict[str, Any]] = [tags(each["Tags"]) for each in described]
    group = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    lent.append(tags(group["Tags"]))
    templates = cloud.client("ec2").describe_launch_templates()["LaunchTemplates"]
    lent += [tags(each["Tags"]) for each in templates]
    instance = seed.builder(cloud, "2.0.0")
    reservation = cloud.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]
    lent.append(tags(reservation["Instances"][0]["Tags"]))
    assert len(lent) == 7
    assert all(each.items() >= LENT.items() for each in lent)


def test_nothing_is_tagged_when_nothing_is_lent(cloud: alone.World) -> None:
    shop = seed.service(cloud, tagged=False)
    described = cloud.client("elbv2").describe_tags(ResourceArns=[shop.rule_arn])["TagDescriptions"]
    assert "viridian:managed" not in tags(described[0]["Tags"])


@pytest.mark.parametrize("route", ["rule", "listener"])
def test_the_route_forwards_to_the_one_group(cloud: alone.World, route: str) -> None:
    shop = seed.service(cloud, route=route, sticky=True)
    elb = cloud.client("elbv2")
    if route == "rule":
        (action,) = elb.describe_rules(RuleArns=[shop.rule_arn])["Rules"][0]["Actions"]
        assert shop.route_arn == shop.rule_arn
    else:
        (action,) = elb.describe_listeners(ListenerArns=[shop.listener_arn])["Listeners"][0]["DefaultActions"]
        assert shop.route_arn == shop.listener_arn
    (only,) = action["ForwardConfig"]["TargetGroups"]
    assert only["TargetGroupArn"] == shop.target_group_arn
    assert action["ForwardConfig"]["TargetGroupStickinessConfig"]["Enabled"]


def test_the_fleet_stands_in_two_zones_on_a_numbered_version(cloud: alone.World) -> None:
    """A8."""
    shop = seed.service(cloud, instances=4)
    group = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (2, 4, 9)
    assert group["LaunchTemplate"]["Version"] == "1"
    assert sorted(group["AvailabilityZones"]) == ["us-east-1a", "us-east-1b"]
    assert group["TargetGroupARNs"] == [shop.target_group_arn]
    (policy,) = cloud.client("autoscaling").describe_policies()["ScalingPolicies"]
    label = policy["TargetTrackingConfiguration"]["PredefinedMetricSpecification"]["ResourceLabel"]
    assert label.endswith(shop.target_group_arn.split(":")[-1])
    assert cloud.images.disk_of(shop.image_id)["version"] == "1.0.0"


def test_the_profile_is_one_that_the_product_reads(cloud: alone.World) -> None:
    steps = [{"weight": 50, "observe_minutes": 1}, {"weight": 100, "observe_minutes": 1}]
    shop = seed.service(cloud, register=True, steps=steps, settle_seconds=30)
    stored = cloud.client("ssm").get_parameter(Name="/viridian/services/shop")["Parameter"]
    asked = request.parse(
        {
            "service": "shop",
            "version": "2.0.0",
            "source": {"type": "instance", "instance_id": seed.builder(cloud, "2.0.0")},
        }
    )
    profile = request.merge(asked, json.loads(stored["Value"]))
    assert profile.route == shop.route_arn
    assert profile.guards == (shop.guard_alarm,)
    assert [step.weight for step in profile.steps] == [50, 100]


def test_a_builder_belongs_to_no_group_and_has_its_disk(cloud: alone.World) -> None:
    """A20."""
    seed.service(cloud)
    instance = seed.builder(cloud, "3.0.0", fault="third")
    members = cloud.client("autoscaling").describe_auto_scaling_instances()["AutoScalingInstances"]
    assert instance not in [member["InstanceId"] for member in members]
    assert cloud.images.disk_of_instance(instance) == {"version": "3.0.0", "fault": "third", "command": None}


def test_two_services_can_stand_side_by_side(cloud: alone.World) -> None:
    shop, cart = seed.service(cloud), seed.service(cloud, name="cart")
    assert shop.route_arn != cart.route_arn
    assert seed.builder(cloud, "2.0.0", service="cart") != seed.builder(cloud, "2.0.0")


def test_ones_own_app_is_on_the_image_and_its_load_balancer_asks_for_its_own_path(
    cloud: alone.World,
) -> None:
    shop = seed.service(cloud, app="serve {port}", health_path="/ready", tagged=False)
    image = seed.ready_image(cloud, "2.0.0", app="serve {port}")
    assert cloud.images.disk_of(shop.image_id)["command"] == "serve {port}"
    assert cloud.images.disk_of(image) == {"version": "2.0.0", "fault": None, "command": "serve {port}"}
    named = {"TargetGroupArns": [shop.target_group_arn]}
    (group,) = cloud.client("elbv2").describe_target_groups(**named)["TargetGroups"]
    assert group["HealthCheckPath"] == "/ready"
