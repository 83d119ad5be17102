"""Every kind of route and source that a release can start from."""

from typing import Any

from tests.workflow.world import STEPS, World, opened


def test_a_listeners_default_action_is_a_route_too() -> None:
    with opened(route="listener") as world:
        release = world.release()
        assert release.end == "Promoted"
        assert release.wrote_weights() == [{"shop-1": 50, release.green: 50}, {release.green: 100}]
        assert world.weights() == {release.green: 100}
        assert "ModifyListener" in [call["call"] for call in release.mutations()]
        assert world.standby() == {release.green: 0, "shop-1": 100}


def test_a_ready_image_is_released_as_it_is_and_outlives_a_rollback(world: World) -> None:
    ec2 = world.cloud.client("ec2")
    image = ec2.register_image(
        Name="ready",
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        TagSpecifications=[
            {"ResourceType": "image", "Tags": [{"Key": "local:disk", "Value": '{"version": "2.0.0"}'}]}
        ],
    )["ImageId"]
    release = world.release(
        source={"type": "ami", "image_id": image}, smoke_tests=[{"path": "/", "contains": "3.0.0"}]
    )
    assert release.end == "RolledBack"
    assert ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available"

    release = world.release(source={"type": "ami", "image_id": image})
    assert release.end == "Promoted"
    assert world.cloud.plane.by_version()["2.0.0"].requests > 0
    assert "CreateImage" not in [call["call"] for call in release.mutations()]


def test_sticky_clients_move_with_the_final_weight(world: World) -> None:
    with_cookies = {"Enabled": True, "DurationSeconds": 3600}
    _forward_with(world, with_cookies, {"shop-1": 100})
    world.cloud.plane.traffic(rate_per_second=20, sticky_share=0.5)
    release = world.release()
    assert release.end == "Promoted"
    assert world.weights() == {release.green: 100}
    assert world.sticky_seconds() == 3600
    before = world.cloud.plane.by_version()["1.0.0"].requests
    world.pass_minutes(2)
    assert world.cloud.plane.by_version()["1.0.0"].requests == before


def test_sticky_clients_leave_green_when_it_is_rolled_back(world: World) -> None:
    _forward_with(world, {"Enabled": True, "DurationSeconds": 3600}, {"shop-1": 100})
    world.cloud.plane.traffic(rate_per_second=20, sticky_share=0.5)
    release = world.release(fault="third")
    assert release.end == "RolledBack"
    assert world.weights() == {"shop-1": 100}
    assert world.sticky_seconds() == 3600
    before = world.cloud.plane.by_version()["2.0.0"].requests
    world.pass_minutes(2)
    assert world.cloud.plane.by_version()["2.0.0"].requests == before


def test_sticky_targets_have_group_stickiness_while_two_groups_serve_and_only_then(world: World) -> None:
    world.cloud.client("elbv2").modify_target_group_attributes(
        TargetGroupArn=world.shop.target_group_arn,
        Attributes=[
            {"Key": "stickiness.enabled", "Value": "true"},
            {"Key": "stickiness.type", "Value": "lb_cookie"},
            {"Key": "stickiness.lb_cookie.duration_seconds", "Value": "600"},
        ],
    )
    release = world.start().until("ShiftTraffic").until("JudgeGreen")
    assert world.weights() == {"shop-1": 50, release.green: 50}
    assert world.sticky_seconds() == 600
    assert release.wait().end == "Promoted"
    assert world.weights() == {release.green: 100}
    assert world.sticky_seconds() == 0


def test_a_third_group_without_weight_keeps_its_place(world: World) -> None:
    elb = world.cloud.client("elbv2")
    elb.create_target_group(Name="maintenance", Protocol="HTTP", Port=80, VpcId=world.shop.vpc_id)
    world.set_weights(shop_1=100, maintenance=0)
    release = world.release()
    assert release.end == "Promoted"
    assert release.wrote_weights() == [
        {"shop-1": 50, release.green: 50, "maintenance": 0},
        {release.green: 100, "maintenance": 0},
    ]
    bad = world.release("3.0.0", fault="third")
    assert bad.end == "RolledBack"
    assert world.weights() == {release.green: 100, "maintenance": 0}


def test_without_cross_zone_balancing_green_has_blues_share_in_each_zone() -> None:
    with opened(instances=4) as world:
        world.cloud.client("elbv2").modify_target_group_attributes(
            TargetGroupArn=world.shop.target_group_arn,
            Attributes=[{"Key": "load_balancing.cross_zone.enabled", "Value": "false"}],
        )
        release = world.start().until("JudgeGreen")
        assert release.plan["cross_zone"] is False
        found = world._group(release.group)
        assert found
        zones = [instance["AvailabilityZone"] for instance in found["Instances"]]
        assert sorted(zones) == ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1b"]
        assert release.wait().end == "Promoted"


def test_without_cross_zone_balancing_a_thin_zone_keeps_green_from_its_traffic() -> None:
    with opened(instances=4) as world:
        world.cloud.client("elbv2").modify_target_group_attributes(
            TargetGroupArn=world.shop.target_group_arn,
            Attributes=[{"Key": "load_balancing.cross_zone.enabled", "Value": "false"}],
        )
        release = world.start(deadlines={"healthy_minutes": 5}).until("CheckGreen")
        zone_b = world.shop.subnet_ids[1]
        world.cloud.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=release.group, VPCZoneIdentifier=world.shop.subnet_ids[0]
        )
        found = world._group(release.group)
        assert found
        world.cloud.until(lambda: world.sizes(release.group).in_service == 4, 120)  # type: ignore[union-attr]
        instances = world.cloud.client("ec2").describe_instances(
            Filters=[{"Name": "subnet-id", "Values": [zone_b]}]
        )
        there = [i["InstanceId"] for r in instances["Reservations"] for i in r["Instances"]]
        world.lose(*[i for i in world.instances(release.group) if i in there])
        release.wait()
        assert release.end == "RolledBack"
        assert "zone us-east-1b" in release.cause
        assert release.wrote_weights() == []


def test_a_release_takes_its_own_steps_over_those_of_the_profile(world: World) -> None:
    release = world.release(steps=[{"weight": 10, "observe_minutes": 4}, *STEPS])
    assert release.end == "Promoted"
    assert [weights[release.green] for weights in release.wrote_weights()] == [10, 50, 100]


def test_the_host_that_a_rule_asks_for_is_the_host_of_the_smoke_tests(world: World) -> None:
    world.cloud.client("elbv2").modify_rule(
        RuleArn=world.shop.rule_arn,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}}],
    )
    release = world.start().until("ShiftTraffic")
    assert release.plan["endpoint"]["host"] == "standby.example.com"


def _forward_with(world: World, stickiness: dict[str, Any], weights: dict[str, int]) -> None:
    groups = {group["TargetGroupName"]: group["TargetGroupArn"] for group in world.target_groups()}
    config = {
        "TargetGroups": [{"TargetGroupArn": groups[name], "Weight": w} for name, w in weights.items()],
        "TargetGroupStickinessConfig": stickiness,
    }
    world.cloud.client("elbv2").modify_rule(
        RuleArn=world.shop.rule_arn, Actions=[{"Type": "forward", "ForwardConfig": config}]
    )
