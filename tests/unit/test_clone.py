"""What green takes over from blue, and a release that is told when AWS adds something to a group."""

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest

from viridian import clone
from viridian.errors import Refusal

MODEL = botocore.session.get_session().get_service_model("autoscaling")
CLOUDWATCH = botocore.session.get_session().get_service_model("cloudwatch")
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
CREATE: Any = MODEL.operation_model("CreateAutoScalingGroup").input_shape
MEMBERS = set(CREATE.members)
TEMPLATE = {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "shop", "Version": "3"}
BLUE = {"AutoScalingGroupName": "shop-1", "LaunchTemplate": TEMPLATE}


@pytest.mark.parametrize("member", sorted(MEMBERS))
def test_every_member_of_a_group_is_carried_set_or_left_for_a_reason(member: str) -> None:
    places = [member in place for place in (clone.CARRIED, clone.SET, clone.LEFT)]
    assert sum(places) == 1, "a new member of CreateAutoScalingGroup needs a decision"


def test_nothing_is_decided_that_a_group_does_not_have() -> None:
    assert {*clone.CARRIED, *clone.SET, *clone.LEFT} == MEMBERS
    assert all(clone.LEFT.values())


def example(shape: Any) -> Any:
    """Some value of a member's type, one that counts as given."""
    match shape.type_name:
        case "structure":
            return {name: example(member) for name, member in shape.members.items()}
        case "list":
            return [example(shape.member)]
        case "integer":
            return 7
        case "boolean":
            return False
        case _:
            return "x"


@pytest.mark.parametrize("member", [name for name in clone.CARRIED if name != "MixedInstancesPolicy"])
def test_what_is_carried_arrives_as_it_was(member: str) -> None:
    value = example(CREATE.members[member])
    assert clone.members({**BLUE, member: value}, "9")[member] == value
    assert member not in clone.members(BLUE, "9")


@pytest.mark.parametrize("member", ["Instances", "CreatedTime", "Status", *clone.LEFT])
def test_what_is_left_or_is_no_setting_stays_behind(member: str) -> None:
    assert member not in clone.members({**BLUE, member: "x"}, "9")


def test_aws_own_service_role_is_not_named() -> None:
    role = "arn:aws:iam::1:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    assert "ServiceLinkedRoleARN" not in clone.members({**BLUE, "ServiceLinkedRoleARN": role}, "9")
    own = {**BLUE, "ServiceLinkedRoleARN": f"{role}_shop"}
    assert clone.members(own, "9")["ServiceLinkedRoleARN"] == f"{role}_shop"


def test_green_launches_its_own_version_by_number() -> None:
    assert clone.members(BLUE, "9")["LaunchTemplate"] == {"LaunchTemplateId": "lt-1", "Version": "9"}


def test_a_mixed_group_stays_mixed_on_the_new_version() -> None:
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": TEMPLATE,
            "Overrides": [{"InstanceType": "m7g.large", "WeightedCapacity": "2"}],
        },
        "InstancesDistribution": {"OnDemandBaseCapacity": 1},
    }
    members = clone.members({"AutoScalingGroupName": "shop-1", "MixedInstancesPolicy": policy}, "9")
    assert "LaunchTemplate" not in members
    mixed = members["MixedInstancesPolicy"]
    assert mixed["LaunchTemplate"]["LaunchTemplateSpecification"] == {
        "LaunchTemplateId": "lt-1",
        "Version": "9",
    }
    assert mixed["LaunchTemplate"]["Overrides"] == policy["LaunchTemplate"]["Overrides"]  # type: ignore[index]
    assert mixed["InstancesDistribution"] == policy["InstancesDistribution"]
    assert policy["LaunchTemplate"]["LaunchTemplateSpecification"] is TEMPLATE, "blue's own is left alone"  # type: ignore[index]


@pytest.mark.parametrize(
    ("blue", "found"),
    [
        (BLUE, TEMPLATE),
        ({"MixedInstancesPolicy": {"LaunchTemplate": {"LaunchTemplateSpecification": TEMPLATE}}}, TEMPLATE),
        ({"LaunchConfigurationName": "old"}, None),
        (
            {
                "MixedInstancesPolicy": {
                    "LaunchTemplate": {
                        "LaunchTemplateSpecification": TEMPLATE,
                        "Overrides": [{"LaunchTemplateSpecification": {"LaunchTemplateId": "lt-2"}}],
                    }
                }
            },
            None,
        ),
    ],
)
def test_a_group_has_one_launch_template(blue: dict[str, Any], found: dict[str, str] | None) -> None:
    group = {"AutoScalingGroupName": "shop-1", **blue}
    if found:
        assert clone.launch_template(group) == found
    else:
        with pytest.raises(Refusal, match="shop-1"):
            clone.launch_template(group)


def test_tags_are_blues_and_over_them_the_releases() -> None:
    blue = {
        "Tags": [
            {"Key": "Name", "Value": "shop", "PropagateAtLaunch": True},
            {"Key": "team", "Value": "web", "PropagateAtLaunch": False},
            {"Key": "aws:cloudformation:stack-name", "Value": "s", "PropagateAtLaunch": True},
            {"Key": "viridian:release", "Value": "1.0.0-a", "PropagateAtLaunch": True},
        ]
    }
    found = clone.tags(blue, {"viridian:release": "2.0.0-b"}, "green")
    assert {tag["Key"]: (tag["Value"], tag["PropagateAtLaunch"]) for tag in found} == {
        "Name": ("shop", True),
        "team": ("web", False),
        "viridian:release": ("2.0.0-b", True),
    }
    assert {tag["ResourceId"] for tag in found} == {"green"}


def test_hooks_go_along_as_they_are_given_at_creation() -> None:
    described = {
        "LifecycleHookName": "drain",
        "AutoScalingGroupName": "shop-1",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "HeartbeatTimeout": 60,
        "GlobalTimeout": 6000,
        "DefaultResult": "CONTINUE",
    }
    (hook,) = clone.hooks([described])
    shape: Any = MODEL.shape_for("LifecycleHookSpecification")
    assert set(hook) <= set(shape.members)
    assert hook == {k: v for k, v in described.items() if k not in ("AutoScalingGroupName", "GlobalTimeout")}


def test_every_part_of_a_hook_that_can_be_given_is() -> None:
    shape: Any = MODEL.shape_for("LifecycleHookSpecification")
    given = dict.fromkeys(shape.members, "x")
    assert clone.hooks([given]) == [given]


SWAP = {
    "shop-1": "viridian-shop-2",
    "targetgroup/blue/2": "targetgroup/green/3",
    "app/shop/1/targetgroup/blue/2": "app/shop/1/targetgroup/green/3",
    "policy-of-blue": "policy-of-green",
}


def required(operation: str) -> set[str]:
    shape: Any = MODEL.operation_model(operation).input_shape
    return set(shape.members) - {"AutoScalingGroupName"}


def test_every_part_of_a_policy_that_can_be_given_is() -> None:
    given = dict.fromkeys(required("PutScalingPolicy"), "x")
    (copy,) = clone.policies([{**given, "PolicyARN": "arn", "Alarms": [{"AlarmName": "x"}]}], {})
    assert copy == {key: value for key, value in given.items() if key != "MinAdjustmentStep"}


def test_the_old_name_of_a_step_is_kept_where_it_stands_alone() -> None:
    (copy,) = clone.policies([{"PolicyName": "out", "MinAdjustmentStep": 2}], {})
    assert copy == {"PolicyName": "out", "MinAdjustmentStep": 2}


def test_every_part_of_an_alarm_that_can_be_given_is() -> None:
    shape: Any = CLOUDWATCH.operation_model("PutMetricAlarm").input_shape
    given: dict[str, Any] = dict.fromkeys(set(shape.members) - {"AlarmName", "Tags"}, "x")
    given |= {key: ["x"] for key in ("AlarmActions", "OKActions", "InsufficientDataActions")}
    assert clone.alarm({**given, "AlarmArn": "arn", "StateValue": "OK"}, {}) == given


def test_every_part_of_a_scheduled_action_that_can_be_given_is() -> None:
    given: dict[str, Any] = dict.fromkeys(required("PutScheduledUpdateGroupAction") - {"Time"}, 1)
    later = {"StartTime": NOW + timedelta(days=1), "EndTime": NOW + timedelta(days=9)}
    assert clone.actions([{**given, **later, "Time": later["StartTime"]}], NOW) == [{**given, **later}]


def test_every_part_of_a_warm_pool_that_can_be_given_is() -> None:
    given = dict.fromkeys(required("PutWarmPool"), 1)
    assert clone.warm_pool({"WarmPoolConfiguration": given}) == given
    assert clone.warm_pool({"WarmPoolConfiguration": {**given, "Status": "PendingDelete"}}) == {}
    assert clone.warm_pool({}) == {}


def test_a_policy_follows_greens_own_requests() -> None:
    policy: dict[str, Any] = {
        "PolicyName": "shop-1",
        "PolicyType": "TargetTrackingScaling",
        "Enabled": False,
        "TargetTrackingConfiguration": {
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ALBRequestCountPerTarget",
                "ResourceLabel": "app/shop/1/targetgroup/blue/2",
            },
            "TargetValue": 100.0,
        },
    }
    (copy,) = clone.policies([policy], SWAP)
    assert copy["TargetTrackingConfiguration"]["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "ALBRequestCountPerTarget",
        "ResourceLabel": "app/shop/1/targetgroup/green/3",
    }
    assert copy["TargetTrackingConfiguration"]["TargetValue"] == 100.0
    assert (copy["Enabled"], copy["PolicyName"]) == (False, "shop-1")


def test_a_metric_of_blues_group_becomes_greens_wherever_it_stands() -> None:
    def stat(group: str) -> dict[str, Any]:
        dimensions = [{"Name": "AutoScalingGroupName", "Value": group}, {"Name": "Stage", "Value": "live"}]
        return {"MetricStat": {"Metric": {"Dimensions": dimensions, "Namespace": "shop-1"}}}

    found = {"PolicyName": "out", "TargetTrackingConfiguration": {"Metrics": [stat("shop-1")]}}
    (copy,) = clone.policies([found], SWAP)
    assert copy["TargetTrackingConfiguration"] == {"Metrics": [stat("viridian-shop-2")]}
    assert found["TargetTrackingConfiguration"] == {"Metrics": [stat("shop-1")]}, "blue's own is left alone"


def test_an_alarm_acts_on_greens_policies_and_on_nobody_elses() -> None:
    other = "arn:aws:autoscaling:::scalingPolicy:1:autoScalingGroupName/other:policyName/out"
    found = {"AlarmName": "busy", "AlarmActions": ["policy-of-blue", other, "topic"], "OKActions": [other]}
    assert clone.alarm(found, SWAP) == {"AlarmActions": ["policy-of-green", "topic"]}


def test_only_step_and_simple_policies_are_driven_by_alarms_of_their_own() -> None:
    def policy(name: str, kind: str, *alarms: str) -> dict[str, Any]:
        return {"PolicyName": name, "PolicyType": kind, "Alarms": [{"AlarmName": each} for each in alarms]}

    found = [
        policy("out", "StepScaling", "z", "a"),
        policy("in", "SimpleScaling", "z", "b"),
        policy("tracking", "TargetTrackingScaling", "TargetTracking-shop-1-AlarmHigh-1"),
        policy("ahead", "PredictiveScaling"),
    ]
    assert clone.driving(found) == {"a": "out-1", "z": "out-2", "b": "in-1"}


def test_an_action_whose_time_has_passed_is_left_unless_it_comes_again() -> None:
    past, ahead = NOW - timedelta(days=1), NOW + timedelta(days=1)
    found = [
        {"ScheduledActionName": "once", "StartTime": past, "MinSize": 0},
        {"ScheduledActionName": "at once", "StartTime": NOW + timedelta(seconds=30), "MinSize": 0},
        {"ScheduledActionName": "later", "StartTime": ahead, "MinSize": 0},
        {"ScheduledActionName": "daily", "StartTime": past, "Recurrence": "0 1 * * *", "MinSize": 0},
        {"ScheduledActionName": "monthly", "StartTime": ahead, "Recurrence": "0 1 1 * *", "MinSize": 0},
        {"ScheduledActionName": "over", "Recurrence": "0 1 * * *", "EndTime": past, "MinSize": 0},
    ]
    assert clone.actions(found, NOW) == [
        found[2],
        {"ScheduledActionName": "daily", "Recurrence": "0 1 * * *", "MinSize": 0},
        found[4],
    ]


@pytest.mark.parametrize(("minutes", "inside"), [(-1, False), (0, True), (60, True), (61, False)])
def test_an_action_falls_inside_from_the_first_moment_to_the_last(minutes: int, inside: bool) -> None:
    action = {
        "ScheduledActionName": "night",
        "AutoScalingGroupName": "shop-1",
        "StartTime": NOW + timedelta(minutes=minutes),
    }
    told = clone.falls_inside([action, {"ScheduledActionName": "x"}], NOW, NOW + timedelta(hours=1))
    assert len(told) == inside
    assert all("night of shop-1" in line for line in told)


def test_a_topic_is_told_of_the_same_things_in_the_same_order() -> None:
    found = [{"TopicARN": "b", "NotificationType": "2"}, {"TopicARN": "b", "NotificationType": "1"}]
    assert clone.notifications(found) == {"b": ["1", "2"]}


@pytest.mark.parametrize("process", ["Launch", "Terminate", "AddToLoadBalancer", "SomethingNew"])
def test_a_process_that_a_release_needs_may_not_be_suspended(process: str) -> None:
    group = {**BLUE, "SuspendedProcesses": [{"ProcessName": "AZRebalance"}, {"ProcessName": process}]}
    with pytest.raises(Refusal, match=f"shop-1 has suspended {process}"):
        clone.ensure_runs(group)


def test_a_process_that_does_nothing_any_more_is_no_matter() -> None:
    group = {**BLUE, "SuspendedProcesses": [{"ProcessName": "RemoveFromLoadBalancerLowPriority"}]}
    clone.ensure_runs(group)
    assert clone.suspended(group) == []


def test_only_what_a_release_goes_on_without_is_suspended_on_green() -> None:
    """A person may have suspended launches of blue since the plan was made."""
    found = [{"ProcessName": process} for process in ("Launch", "ScheduledActions", "AZRebalance")]
    assert clone.resting({"SuspendedProcesses": found}) == ["AZRebalance", "ScheduledActions"]


@pytest.mark.parametrize("unit", ["vcpu", "memory-mib"])
def test_a_size_must_be_told_in_what_instances_count_for(unit: str) -> None:
    clone.ensure_runs({**BLUE, "DesiredCapacityType": "units"})
    with pytest.raises(Refusal, match=f"has its size in {unit}"):
        clone.ensure_runs({**BLUE, "DesiredCapacityType": unit})


def test_a_group_without_subnets_keeps_its_zones() -> None:
    zones = {"AvailabilityZones": ["us-east-1a"]}
    assert clone.members({**BLUE, **zones, "VPCZoneIdentifier": ""}, "9")["AvailabilityZones"] == [
        "us-east-1a"
    ]
    assert "AvailabilityZones" not in clone.members({**BLUE, **zones, "VPCZoneIdentifier": "subnet-1"}, "9")


def test_what_green_would_silently_lack_is_refused_by_name() -> None:
    clone.ensure_carried("shop-1", {"a warm pool": [], "a scheduled action": []})
    with pytest.raises(Refusal, match="shop-1 has a scheduled action: night, morning"):
        clone.ensure_carried("shop-1", {"a warm pool": [], "a scheduled action": ["night", "morning"]})


def test_a_group_of_one_type_becomes_a_mixed_one() -> None:
    members = clone.members(BLUE, "9", ["t3.small", "t3a.small"])
    assert "LaunchTemplate" not in members
    assert members["MixedInstancesPolicy"]["LaunchTemplate"] == {
        "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1", "Version": "9"},
        "Overrides": [{"InstanceType": "t3.small"}, {"InstanceType": "t3a.small"}],
    }


def test_a_mixed_group_keeps_its_weights_and_its_distribution() -> None:
    weighed = {"InstanceType": "m7g.large", "WeightedCapacity": "2"}
    policy = {
        "LaunchTemplate": {"LaunchTemplateSpecification": TEMPLATE, "Overrides": [weighed]},
        "InstancesDistribution": {"OnDemandBaseCapacity": 1},
    }
    blue = {"AutoScalingGroupName": "shop-1", "MixedInstancesPolicy": policy}
    mixed = clone.members(blue, "9", ["m7i.large", "m7g.large"])["MixedInstancesPolicy"]
    assert mixed["InstancesDistribution"] == {"OnDemandBaseCapacity": 1}
    assert mixed["LaunchTemplate"]["Overrides"] == [{"InstanceType": "m7i.large"}, weighed]
    assert mixed["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] == "9"


def test_a_target_that_is_asked_for_is_greens_and_the_others_are_blues() -> None:
    def policy(name: str) -> dict[str, Any]:
        metric = {"PredefinedMetricType": "ASGAverageCPUUtilization"}
        tracking = {"PredefinedMetricSpecification": metric, "TargetValue": 50.0}
        return {
            "PolicyName": name,
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingConfiguration": tracking,
        }

    blue = [policy("cpu"), policy("network")]
    found = clone.policies(blue, {}, {"cpu": 60.0})
    assert [each["TargetTrackingConfiguration"]["TargetValue"] for each in found] == [60.0, 50.0]
    assert blue == [policy("cpu"), policy("network")]


def test_a_setup_is_what_the_group_its_template_and_its_policies_say() -> None:
    overrides = [{"InstanceType": "m7g.large", "WeightedCapacity": "2"}, {"InstanceType": "m7g.xlarge"}]
    mixed = {"LaunchTemplate": {"LaunchTemplateSpecification": TEMPLATE, "Overrides": overrides}}
    policies: list[dict[str, Any]] = [
        {
            "PolicyName": "cpu",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingConfiguration": {"TargetValue": 50.0},
        },
        {"PolicyName": "steps", "PolicyType": "StepScaling"},
    ]
    group = {"MinSize": 2, "MaxSize": 9, "MixedInstancesPolicy": mixed}
    found = clone.setup(group, {"InstanceType": "m5.large"}, policies)
    assert found.instance_types() == ("m7g.large", "m7g.xlarge")
    assert (found.weighted, found.minimum, found.maximum) == (True, 2, 9)
    assert found.targets == {"cpu": 50.0}
    plain = clone.setup({"MinSize": 2, "MaxSize": 9}, {"InstanceType": "m5.large"}, [])
    assert (plain.instance_types(), plain.weighted) == (("m5.large",), False)
