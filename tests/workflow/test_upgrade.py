"""Upgrades that ride along with a release: from t2 to t3, IMDSv2 on, a tighter security group, room for twice as many."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.workflow.world import Release, World, opened

OLD = {
    "InstanceType": "t2.small",
    "MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"},
}


@dataclass
class Story:
    """A world in which one release upgraded the fleet; `tight` is its new security group."""

    world: World
    release: Release
    tight: str
    stood: dict[str, Any]


def behind_the_balancer(world: World) -> str:
    """A security group that lets in only the load balancer, where blue's lets in everybody."""
    ec2 = world.cloud.client("ec2")
    (open_to_all,) = blue_template(world)["SecurityGroupIds"]
    tight = ec2.create_security_group(
        GroupName="shop-app", Description="from the load balancer", VpcId=world.shop.vpc_id
    )
    peer = {"UserIdGroupPairs": [{"GroupId": open_to_all}]}
    ec2.authorize_security_group_ingress(
        GroupId=tight["GroupId"],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, **peer}],
    )
    return str(tight["GroupId"])


def blue_template(world: World) -> dict[str, Any]:
    return template(world, "1")


def template(world: World, version: str) -> dict[str, Any]:
    asked = {"LaunchTemplateId": world.shop.launch_template_id, "Versions": [version]}
    found = world.cloud.client("ec2").describe_launch_template_versions(**asked)
    return dict(found["LaunchTemplateVersions"][0]["LaunchTemplateData"])


def blue(world: World) -> dict[str, Any]:
    """Everything of blue's that a release could have changed."""
    group = world._group(world.shop.group_name) or {}
    moving = ("Instances", "MinSize", "DesiredCapacity")
    scaling = world.cloud.client("autoscaling").describe_policies(AutoScalingGroupName="shop-1")
    policies = [policy["TargetTrackingConfiguration"] for policy in scaling["ScalingPolicies"]]
    standing = {key: value for key, value in group.items() if key not in moving}
    return {"group": standing, "template": blue_template(world), "policies": policies}


def instances(world: World, group: str) -> list[dict[str, Any]]:
    ids = world.instances(group)
    found = world.cloud.client("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    return [instance for reservation in found for instance in reservation["Instances"]]


def upgrade(tight: str) -> dict[str, Any]:
    return {
        "instance_type": "t3.small",
        "security_groups": [tight],
        "metadata": {"http_tokens": "required", "hop_limit": 2},
        "min_size": 3,
        "max_size": 18,
        "targets": [{"policy": "requests", "value": 1200}],
    }


def test_a_bad_upgrade_is_rolled_back_to_a_blue_as_it_was(world: World) -> None:
    tight, stood, sizes = behind_the_balancer(world), blue(world), world.group()
    asked = {**upgrade(tight), "max_size": 4}
    release = world.release(fault="unhealthy", fleet=asked, deadlines={"healthy_minutes": 5})
    assert release.end == "RolledBack", release.cause
    assert blue(world) == stood
    assert (world.group().minimum, world.group().maximum) == (sizes.minimum, sizes.maximum)
    assert world.weights() == {"shop-1": 100}
    assert world.orphans() == []


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with opened(launched=OLD) as world:
        tight, stood = behind_the_balancer(world), blue(world)
        yield Story(world, world.release(fleet=upgrade(tight)), tight, stood)


def test_it_is_promoted_and_nothing_is_lost(story: Story) -> None:
    assert story.release.end == "Promoted", story.release.cause
    assert story.world.weights() == {story.release.green: 100}
    assert story.world.cloud.plane.no_target_5xx() == 0


def test_greens_instances_are_what_was_asked_for(story: Story) -> None:
    launched = instances(story.world, story.release.group)
    assert len(launched) >= 3
    assert {each["InstanceType"] for each in launched} == {"t3.small"}
    assert {group["GroupId"] for each in launched for group in each["SecurityGroups"]} == {story.tight}
    assert {each["MetadataOptions"]["HttpTokens"] for each in launched} == {"required"}
    assert {each["MetadataOptions"]["HttpPutResponseHopLimit"] for each in launched} == {2}


def test_green_scales_as_was_asked_for(story: Story) -> None:
    green = story.world.group(story.release.group)
    assert (green.minimum, green.maximum) == (3, 18)
    (policy,) = story.world.cloud.client("autoscaling").describe_policies(
        AutoScalingGroupName=story.release.group
    )["ScalingPolicies"]
    assert policy["TargetTrackingConfiguration"]["TargetValue"] == 1200


def test_what_nobody_asked_to_change_is_blues(story: Story) -> None:
    was, made = blue_template(story.world), template(story.world, "2")
    changed = ("ImageId", "InstanceType", "SecurityGroupIds", "MetadataOptions")
    assert {k: v for k, v in made.items() if k not in changed} == {
        k: v for k, v in was.items() if k not in changed
    }
    assert made["MetadataOptions"]["HttpEndpoint"] == "enabled"


def test_the_record_says_in_words_what_differs(story: Story) -> None:
    (open_to_all,) = blue_template(story.world)["SecurityGroupIds"]
    image, *rest = story.release.record["plan"]["diff"]
    assert (image["field"], image["blue"]) == ("image", story.world.shop.image_id)
    assert [(each["field"], each["blue"], each["green"]) for each in rest] == [
        ("instance type", "t2.small", "t3.small"),
        ("security groups", open_to_all, story.tight),
        ("metadata http_tokens", "optional", "required"),
        ("metadata hop_limit", "not said", "2"),
        ("MinSize", "2", "3"),
        ("MaxSize", "9", "18"),
        ("target of requests", "2400", "1200"),
    ]


def test_blue_is_not_touched_by_any_of_it(story: Story) -> None:
    assert blue(story.world) == story.stood
    standing = instances(story.world, story.world.shop.group_name)
    assert {each["InstanceType"] for each in standing} == {"t2.small"}
    written = [
        call["request"]
        for call in story.world.calls()
        if call["request"].get("AutoScalingGroupName") == story.world.shop.group_name
    ]
    assert {key for each in written for key in each} <= {"AutoScalingGroupName", "MinSize"}


def test_the_next_release_keeps_it_without_asking(story: Story) -> None:
    """The fleet that was upgraded is blue now, and green is its clone."""
    again = story.world.release("3.0.0")
    assert again.end == "Promoted", again.cause
    assert [each["field"] for each in again.record["plan"]["diff"]] == ["image"]
    launched = instances(story.world, again.group)
    assert {each["InstanceType"] for each in launched} == {"t3.small"}
    assert {each["MetadataOptions"]["HttpTokens"] for each in launched} == {"required"}
    green = story.world.group(again.group)
    assert (green.minimum, green.maximum) == (3, 18)
