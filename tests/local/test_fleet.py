"""Instances, targets and groups take their time and end as on AWS, where moto jumps."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.ec2.models import ec2_backends

from local.control.session import ACCOUNT, REGION
from local.fleet.fleet import Fleet
from local.hooks import Hooks
from local.plane.balancer import HAProxyPlane
from local.plane.plane import ModelPlane
from local.reality import Reality
from local.strict import refreshes
from tests.speed import fast


@cache
def client(service: str) -> Any:
    return boto3.client(service, "us-east-1")  # type: ignore[call-overload]


class Hand:
    """A clock that a test turns by hand."""

    speed = 1.0

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def now(self) -> float:
        return self.at


class Disks:
    def __init__(self) -> None:
        self.fault: str | None = None
        self.imaged: str | None = None

    def disk_of(self, image_id: str) -> dict[str, Any]:
        return {"version": image_id, "fault": self.fault}

    def disk_of_instance(self, instance_id: str) -> dict[str, Any] | None:
        return None

    def rebooting(self, instance_id: str) -> bool:
        return instance_id == self.imaged


class World:
    """A load balancer over two zones, one target group in its path rule, no fleet yet."""

    def __init__(self, reality: Reality, out: Path | None = None) -> None:
        self.clock, self.disks = Hand(), Disks()
        self.plane: Any = ModelPlane(self.clock, reality)
        if out is not None:
            self.plane = HAProxyPlane(self.clock, reality, out)
        self.fleet = Fleet(self.clock, self.plane, reality, self.disks)
        self.ec2, self.elb, self.groups = client("ec2"), client("elbv2"), client("autoscaling")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{z}"
            )["Subnet"]["SubnetId"]
            for n, z in enumerate("ab")
        ]
        self.image = self.ec2.register_image(Name="shop")["ImageId"]
        ec2_backends[ACCOUNT][REGION].amis[self.image].architecture = "x86_64"
        self.template = self.ec2.create_launch_template(
            LaunchTemplateName="shop", LaunchTemplateData={"ImageId": self.image, "InstanceType": "t3.small"}
        )["LaunchTemplate"]["LaunchTemplateId"]
        made = self.elb.create_load_balancer(Name="shop", Subnets=self.subnets)["LoadBalancers"][0]
        self.balancer, self.dns = made["LoadBalancerArn"], made["DNSName"]
        self.blue = self.target_group("blue")
        self.listener = self.elb.create_listener(
            LoadBalancerArn=self.balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )["Listeners"][0]["ListenerArn"]
        self.rule = self.elb.create_rule(
            ListenerArn=self.listener,
            Priority=100,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
            Actions=forward((self.blue, 100)),
        )["Rules"][0]["RuleArn"]

    def target_group(self, name: str) -> str:
        arn = self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=80,
            VpcId=self.vpc,
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=10,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        return str(arn)

    def group(self, name: str = "shop-1", desired: int = 2, **given: Any) -> None:
        settings: dict[str, Any] = {
            "AutoScalingGroupName": name,
            "MinSize": 1,
            "MaxSize": 6,
            "DesiredCapacity": desired,
            "LaunchTemplate": {"LaunchTemplateId": self.template, "Version": "1"},
            "VPCZoneIdentifier": ",".join(self.subnets),
            "TargetGroupARNs": [self.blue],
            "HealthCheckType": "ELB",
            "HealthCheckGracePeriod": 60,
        }
        self.groups.create_auto_scaling_group(**{**settings, **given})

    def after(self, seconds: float, step: float = 5.0) -> None:
        until = self.clock.at + seconds
        while self.clock.at < until:
            self.clock.at = min(until, self.clock.at + step)
            self.fleet.tick(self.clock.at)

    def members(self, name: str = "shop-1") -> list[dict[str, Any]]:
        found = self.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return list(found[0]["Instances"]) if found else []

    def health(self, group: str = "") -> dict[str, tuple[str, str | None]]:
        shown = self.elb.describe_target_health(TargetGroupArn=group or self.blue)["TargetHealthDescriptions"]
        return {
            each["Target"]["Id"]: (each["TargetHealth"]["State"], each["TargetHealth"].get("Reason"))
            for each in shown
        }

    def states(self, group: str = "") -> list[str]:
        return sorted(state for state, _ in self.health(group).values())

    def activities(self, **asked: Any) -> list[dict[str, Any]]:
        return list(self.groups.describe_scaling_activities(**asked)["Activities"])

    def get(self, path: str = "/", **headers: str) -> tuple[int, str]:
        address = self.plane.address(self.dns, 80)
        assert address is not None
        request = urllib.request.Request(f"http://{address[0]}:{address[1]}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.headers.get("X-Version", "")
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers.get("X-Version", "")


def forward(*weights: tuple[str, int], sticky: bool = False) -> list[dict[str, Any]]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights]
    config: dict[str, Any] = {"TargetGroups": groups}
    if sticky:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": 3600}
    return [{"Type": "forward", "ForwardConfig": config}]


@pytest.fixture
def reality() -> Reality:
    return Reality()


@contextmanager
def standing(world: World) -> Iterator[World]:
    world.fleet.install()
    world.plane.start()
    try:
        yield world
    finally:
        world.plane.stop()
        world.fleet.uninstall()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with fast(), mock_aws():
        yield


@pytest.fixture
def world(aws: None, reality: Reality) -> Iterator[World]:
    with standing(World(reality)) as world:
        yield world


def test_an_instance_is_pending_then_in_service_then_boots_then_is_healthy(world: World) -> None:
    world.group()
    assert world.members() == []  # the call returns before anything was launched
    world.after(10)
    assert {each["LifecycleState"] for each in world.members()} == {"Pending"}
    world.after(25)
    assert {each["LifecycleState"] for each in world.members()} == {"InService"}
    assert world.states() == ["initial", "initial"]
    world.after(50)
    assert world.states() == ["healthy", "healthy"]
    assert world.get() == (200, world.image)


def test_instances_are_spread_over_all_zones(world: World) -> None:
    world.group(desired=5)
    world.after(10)
    zones = [each["AvailabilityZone"] for each in world.members()]
    assert sorted(map(zones.count, set(zones))) == [2, 3]


def test_scaling_in_keeps_the_zones_even(world: World) -> None:
    world.group(desired=4)
    world.after(100)
    world.groups.set_desired_capacity(AutoScalingGroupName="shop-1", DesiredCapacity=2)
    world.after(10)
    staying = [each for each in world.members() if each["LifecycleState"] == "InService"]
    assert len({each["AvailabilityZone"] for each in staying}) == len(staying) == 2


def test_a_group_that_no_rule_uses_is_never_healthy_until_one_does(world: World) -> None:
    """aws-facts: fact 4."""
    green = world.target_group("green")
    world.group("shop-2", TargetGroupARNs=[green])
    world.after(300)
    assert set(world.health(green).values()) == {("unused", "Target.NotInUse")}
    world.elb.create_rule(
        ListenerArn=world.listener,
        Priority=1,
        Conditions=[
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "X-Standby", "Values": ["s3cret"]},
            }
        ],
        Actions=forward((green, 1)),
    )
    world.after(30)
    assert world.states(green) == ["healthy", "healthy"]
    assert world.get()[0] == 503  # blue has no targets
    assert world.get(**{"X-Standby": "s3cret"}) == (200, world.image)


def test_a_failing_app_is_unhealthy_and_replaced_one_at_a_time_after_the_grace(world: World) -> None:
    """aws-facts: A7."""
    world.disks.fault = "unhealthy"
    world.group()
    world.after(80)
    assert set(world.health().values()) == {("unhealthy", "Target.FailedHealthChecks")}
    assert {each["LifecycleState"] for each in world.members()} == {"InService"}
    world.after(60)
    assert [each["LifecycleState"] for each in world.members()].count("Terminating") == 1
    assert len(world.members()) == 3
    causes = [each["Cause"] for each in world.activities(AutoScalingGroupName="shop-1")]
    assert sum("health check failure" in cause for cause in causes) == 1


def test_scale_in_drains_first_and_shows_it(world: World) -> None:
    """aws-facts: E7."""
    world.group()
    world.after(100)
    world.groups.set_desired_capacity(AutoScalingGroupName="shop-1", DesiredCapacity=1)
    world.after(10)
    assert sorted(world.health().values(), key=str) == [
        ("draining", "Target.DeregistrationInProgress"),
        ("healthy", None),
    ]
    leaving = next(each["InstanceId"] for each in world.members() if each["LifecycleState"] == "Terminating")
    assert (
        world.ec2.describe_instances(InstanceIds=[leaving])["Reservations"][0]["Instances"][0]["State"][
            "Name"
        ]
        == "running"
    )
    world.after(300)
    assert world.states() == ["healthy"]
    assert len(world.members()) == 1
    gone = world.ec2.describe_instances(InstanceIds=[leaving])["Reservations"][0]["Instances"][0]
    assert gone["State"]["Name"] == "terminated"


def test_what_is_in_flight_drains_even_when_the_group_has_just_left_its_rule(world: World) -> None:
    world.group()
    world.after(100)
    green = world.target_group("green")
    world.elb.modify_rule(RuleArn=world.rule, Actions=forward((green, 1)))
    world.after(30)
    assert world.states() == ["unused", "unused"]
    world.groups.set_desired_capacity(AutoScalingGroupName="shop-1", DesiredCapacity=1)
    world.after(10)
    assert world.states() == ["draining", "unused"]
    world.after(300)
    world.groups.update_auto_scaling_group(AutoScalingGroupName="shop-1", MinSize=0, DesiredCapacity=0)
    world.after(10)  # a delay after the last request there's nothing left to wait for
    assert world.states() == []


def test_a_target_registered_again_stops_draining(world: World) -> None:
    world.group(desired=1)
    world.after(100)
    target = [{"Id": world.members()[0]["InstanceId"]}]
    world.groups.suspend_processes(AutoScalingGroupName="shop-1", ScalingProcesses=["AddToLoadBalancer"])
    world.elb.deregister_targets(TargetGroupArn=world.blue, Targets=target)
    world.after(50)
    assert world.states() == ["draining"]
    assert world.get()[0] == 503
    world.elb.register_targets(TargetGroupArn=world.blue, Targets=target)
    world.after(10)
    assert world.states() == ["healthy"]
    world.after(300)
    assert world.get()[0] == 200


def test_a_terminated_instance_is_replaced_and_its_successor_registered(world: World) -> None:
    world.group()
    world.after(100)
    before = {each["InstanceId"] for each in world.members()}
    world.ec2.terminate_instances(InstanceIds=[min(before)])
    world.after(200)
    after = {each["InstanceId"] for each in world.members()}
    assert len(after) == 2
    assert after - before
    assert world.health().keys() == after
    assert world.states() == ["healthy", "healthy"]


@pytest.fixture
def refreshed(world: World) -> Iterator[World]:
    hooks = Hooks()
    refreshes.install(hooks)
    yield world
    hooks.undo()


def test_a_refresh_replaces_one_instance_at_a_time_and_a_second_is_refused(refreshed: World) -> None:
    world = refreshed
    group = {"AutoScalingGroupName": "shop-1"}
    world.group(desired=3, HealthCheckGracePeriod=60)
    world.after(120)
    before = {each["InstanceId"] for each in world.members()}
    scaling = client("autoscaling")
    scaling.start_instance_refresh(**group)
    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        scaling.start_instance_refresh(**group)
    standing = []
    for _ in range(200):
        world.after(5)
        standing.append(sum(each["LifecycleState"] == "InService" for each in world.members()))
    (shown,) = scaling.describe_instance_refreshes(**group)["InstanceRefreshes"]
    assert (shown["Status"], shown["InstancesToUpdate"]) == ("Successful", 0)
    assert min(standing) == 2
    assert not before & {each["InstanceId"] for each in world.members()}
    scaling.start_instance_refresh(**group, Preferences={"InstanceWarmup": 5})
    newest, _ = scaling.describe_instance_refreshes(**group)["InstanceRefreshes"]
    assert newest["Status"] == "Pending"
    with pytest.raises(ClientError, match="name not found"):
        scaling.describe_instance_refreshes(AutoScalingGroupName="nobody")


def test_terminating_one_member_drains_and_may_shrink_the_group(world: World) -> None:
    world.group()
    world.after(100)
    victim = world.members()[0]["InstanceId"]
    world.groups.terminate_instance_in_auto_scaling_group(
        InstanceId=victim, ShouldDecrementDesiredCapacity=True
    )
    assert world.health()[victim][0] == "draining"
    world.after(400)
    assert [each["InstanceId"] != victim for each in world.members()] == [True]


def test_detaching_a_target_group_drains_the_members(world: World) -> None:
    world.group()
    world.after(100)
    world.groups.detach_load_balancer_target_groups(
        AutoScalingGroupName="shop-1", TargetGroupARNs=[world.blue]
    )
    assert world.states() == ["draining", "draining"]
    world.after(310)
    assert world.states() == []
    assert len(world.members()) == 2


def test_raising_the_minimum_raises_desired_and_desired_stays_within_bounds(world: World) -> None:
    world.group(desired=2)
    world.groups.update_auto_scaling_group(AutoScalingGroupName="shop-1", MinSize=4)
    world.after(10)
    assert len(world.members()) == 4
    with pytest.raises(ClientError, match="below min value 4"):
        world.groups.set_desired_capacity(AutoScalingGroupName="shop-1", DesiredCapacity=3)
    with pytest.raises(ClientError, match="between the specified min size"):
        world.groups.update_auto_scaling_group(AutoScalingGroupName="shop-1", DesiredCapacity=7)


def test_activities_tell_what_happened(world: World) -> None:
    world.group(desired=1)
    world.after(10)
    assert [each["StatusCode"] for each in world.activities(AutoScalingGroupName="shop-1")] == ["InProgress"]
    world.after(30)
    done = world.activities(AutoScalingGroupName="shop-1")[0]
    assert done["StatusCode"] == "Successful"
    assert done["Description"].startswith("Launching a new EC2 instance: i-")
    assert done["EndTime"] > done["StartTime"]


def test_a_launch_that_fails_is_an_activity_and_is_tried_again(world: World) -> None:
    template = world.ec2.create_launch_template_version(
        LaunchTemplateId=world.template,
        LaunchTemplateData={"ImageId": "ami-00000000", "InstanceType": "t3.small"},
    )["LaunchTemplateVersion"]["VersionNumber"]
    chosen = {"LaunchTemplateId": world.template, "Version": str(template)}
    world.group(LaunchTemplate=chosen)
    world.after(100)
    tried = world.activities(AutoScalingGroupName="shop-1")
    assert {each["StatusCode"] for each in tried} == {"Failed"}
    assert "ami-00000000" in tried[0]["StatusMessage"]
    assert 2 <= len(tried) <= 5


def test_members_show_the_template_version_they_were_launched_from(world: World) -> None:
    """moto shows the template's default version, whatever the group says."""
    world.ec2.create_launch_template_version(
        LaunchTemplateId=world.template,
        LaunchTemplateData={"ImageId": world.image, "InstanceType": "t3.large"},
    )
    world.group(desired=1, LaunchTemplate={"LaunchTemplateId": world.template, "Version": "2"})
    world.after(10)
    member = world.members()[0]
    assert member["LaunchTemplate"]["Version"] == "2"
    assert member["InstanceType"] == "t3.large"


def test_instances_have_the_metadata_options_and_the_interfaces_groups_of_their_template(
    world: World,
) -> None:
    """moto leaves both behind in the template."""
    group = world.ec2.create_security_group(GroupName="app", Description="app", VpcId=world.vpc)["GroupId"]
    said = {
        "ImageId": world.image,
        "InstanceType": "t3.small",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": [group]}],
    }
    world.ec2.create_launch_template_version(LaunchTemplateId=world.template, LaunchTemplateData=said)
    world.group(desired=1, LaunchTemplate={"LaunchTemplateId": world.template, "Version": "2"})
    world.after(10)
    (instance,) = launched(world)
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert [each["GroupId"] for each in instance["SecurityGroups"]] == [group]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"InstanceType": "t4g.small"}, "architecture 'arm64' of the specified instance type"),
        (
            {"SecurityGroupIds": ["sg-1"], "NetworkInterfaces": [{"DeviceIndex": 0}]},
            "may not be specified on the same request",
        ),
    ],
)
def test_what_ec2_would_not_launch_fails_as_an_activity(
    world: World, said: dict[str, Any], words: str
) -> None:
    """CreateLaunchTemplateVersion takes both: only the launch finds out (EC2 API reference)."""
    data = {"ImageId": world.image, "InstanceType": "t3.small", **said}
    world.ec2.create_launch_template_version(LaunchTemplateId=world.template, LaunchTemplateData=data)
    world.group(desired=1, LaunchTemplate={"LaunchTemplateId": world.template, "Version": "2"})
    world.after(10)
    failed = world.activities(AutoScalingGroupName="shop-1")[0]
    assert failed["StatusCode"] == "Failed"
    assert words in failed["StatusMessage"]


def test_a_mixed_group_launches_the_first_of_its_types(world: World) -> None:
    """On demand, types are taken in the order of the list (Auto Scaling User Guide, allocation strategies)."""
    specification = {"LaunchTemplateId": world.template, "Version": "1"}
    overrides = [{"InstanceType": "t3a.small"}, {"InstanceType": "t3.small"}]
    mixed = {"LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": overrides}}
    groups = {"AutoScalingGroupName": "mixed", "MinSize": 1, "MaxSize": 1, "MixedInstancesPolicy": mixed}
    world.groups.create_auto_scaling_group(**groups, VPCZoneIdentifier=",".join(world.subnets))
    world.after(10)
    assert [each["InstanceType"] for each in launched(world)] == ["t3a.small"]


def launched(world: World) -> list[dict[str, Any]]:
    found = world.ec2.describe_instances()["Reservations"]
    return [instance for reservation in found for instance in reservation["Instances"]]


def test_a_rule_reaches_the_data_plane_late(world: World) -> None:
    """aws-facts: fact 7."""
    green = world.target_group("green")
    world.group()
    world.group("shop-2", desired=1, TargetGroupARNs=[green])
    world.elb.modify_rule(RuleArn=world.rule, Actions=forward((world.blue, 100), (green, 0)))
    world.after(120)
    world.elb.modify_rule(RuleArn=world.rule, Actions=forward((world.blue, 0), (green, 100)))
    world.fleet.tick(world.clock.now())
    world.plane.traffic(10)
    world.after(9, step=1)
    early = world.plane.counts()
    world.after(10, step=1)
    late = world.plane.counts()
    assert early[world.blue].requests == 90
    assert green not in early
    assert late[green].requests >= 80
    assert late[world.blue].requests <= 110


def test_a_new_target_needs_one_good_check_a_sick_one_as_many_as_set(world: World) -> None:
    world.group(desired=1, HealthCheckType="EC2")
    world.after(40)
    assert world.health() != {}
    instance = next(iter(world.health()))
    world.after(60)
    assert world.states() == ["healthy"]
    world.plane.kill(instance)
    world.after(10)
    assert world.states() == ["healthy"]
    world.after(10)
    assert world.states() == ["unhealthy"]
    world.plane.launch(instance, {"version": "1"})
    world.after(10)
    assert world.states() == ["unhealthy"]
    world.after(10)
    assert world.states() == ["healthy"]


def test_a_rebooted_instance_is_away_until_it_has_booted(world: World) -> None:
    """aws-facts: A20."""
    world.group(desired=1, HealthCheckType="EC2")
    world.after(100)
    world.ec2.reboot_instances(InstanceIds=[world.members()[0]["InstanceId"]])
    assert world.get()[0] == 502
    world.after(25)
    assert world.get()[0] == 200
    world.disks.imaged = world.members()[0]["InstanceId"]
    world.after(5)
    assert world.get()[0] == 502
    world.disks.imaged = None
    world.after(25)
    assert world.get()[0] == 200


@pytest.mark.parametrize("reality", [replace(Reality(), instances_boot=False, targets_are_checked=False)])
def test_reality_can_be_switched_off(world: World) -> None:
    world.group()
    world.after(10)
    assert {each["LifecycleState"] for each in world.members()} == {"InService"}
    assert world.states() == ["healthy", "healthy"]


@pytest.mark.usefixtures("aws")
def test_real_instances_and_haproxy_follow_the_same_fleet(reality: Reality, tmp_path: Path) -> None:
    with standing(World(reality, tmp_path)) as world:
        world.group(HealthCheckType="EC2")
        world.after(60)
        until(lambda: world.states() == ["healthy", "healthy"], world)
        assert world.get() == (200, world.image)
        world.groups.set_desired_capacity(AutoScalingGroupName="shop-1", DesiredCapacity=1)
        world.after(10)
        assert [world.get()[0] for _ in range(10)] == [200] * 10
        world.after(300)
        assert len(world.members()) == 1
        assert [world.get()[0] for _ in range(10)] == [200] * 10
        world.ec2.terminate_instances(InstanceIds=[world.members()[0]["InstanceId"]])
        world.after(1)
        assert world.get()[0] in (502, 503)


def until(holds: Callable[[], bool], world: World) -> None:
    """Real processes take real time to start; the world's clock waits for them."""
    give_up = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.02)
        world.after(10)
