"""Reality of AWS that moto leaves out: what is refused, merged, kept and deleted along."""

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from botocore.exceptions import ClientError

from local import seed
from tests.local import alone
from tests.local.alone import standing


@pytest.fixture
def cloud() -> Iterator[alone.World]:
    with standing():
        yield alone.World()


@pytest.fixture
def shop(cloud: alone.World) -> seed.Seeded:
    return seed.service(cloud, tracking="none")


def refusal(call: Callable[..., Any], **request: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**request)
    return str(refused.value.response["Error"]["Code"])


def groups(cloud: alone.World, shop: seed.Seeded, count: int) -> list[str]:
    elb = cloud.client("elbv2")
    return [
        elb.create_target_group(Name=f"more-{n}", Protocol="HTTP", Port=80, VpcId=shop.vpc_id)[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        for n in range(count)
    ]


def forward(*pairs: tuple[str, int], sticky: bool = False) -> list[dict[str, Any]]:
    stickiness = {"Enabled": True, "DurationSeconds": 60} if sticky else {"Enabled": False}
    weighted = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in pairs]
    config = {"TargetGroups": weighted, "TargetGroupStickinessConfig": stickiness}
    return [{"Type": "forward", "ForwardConfig": config}]


class TestRules:
    @pytest.mark.parametrize(
        ("weights", "code"),
        [((1000, 1), "ValidationError"), ((-1, 1), "ValidationError"), ((0, 0), "InvalidLoadBalancerAction")],
    )
    def test_weights_are_0_to_999_and_not_all_zero(
        self, cloud: alone.World, shop: seed.Seeded, weights: tuple[int, int], code: str
    ) -> None:
        """E1."""
        (green,) = groups(cloud, shop, 1)
        actions = forward((shop.target_group_arn, weights[0]), (green, weights[1]))
        assert refusal(cloud.client("elbv2").modify_rule, RuleArn=shop.rule_arn, Actions=actions) == code
        actions = forward((shop.target_group_arn, 999), (green, 0))
        cloud.client("elbv2").modify_rule(RuleArn=shop.rule_arn, Actions=actions)

    def test_several_groups_need_a_weight_each(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """E1; https://github.com/aws/aws-cdk/issues/24805."""
        pairs = [{"TargetGroupArn": arn} for arn in (shop.target_group_arn, *groups(cloud, shop, 1))]
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": pairs}}]
        modify = cloud.client("elbv2").modify_rule
        assert refusal(modify, RuleArn=shop.rule_arn, Actions=actions) == "ValidationError"
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": pairs[:1]}}]
        modify(RuleArn=shop.rule_arn, Actions=actions)

    def test_an_action_has_at_most_five_groups(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """E1."""
        arns = groups(cloud, shop, 6)
        modify = cloud.client("elbv2").modify_rule
        modify(RuleArn=shop.rule_arn, Actions=forward(*((arn, 1) for arn in arns[:5])))
        six = forward(*((arn, 1) for arn in arns))
        assert refusal(modify, RuleArn=shop.rule_arn, Actions=six) == "InvalidLoadBalancerAction"

    def test_a_listener_is_checked_like_a_rule(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """E1."""
        modify = cloud.client("elbv2").modify_listener
        unknown = shop.target_group_arn[:-4] + "0000"
        for actions, code in (
            (forward((unknown, 1)), "TargetGroupNotFound"),
            (forward((shop.target_group_arn, 0)), "InvalidLoadBalancerAction"),
        ):
            assert refusal(modify, ListenerArn=shop.listener_arn, DefaultActions=actions) == code

    def test_a_group_belongs_to_one_load_balancer(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """E1."""
        elb = cloud.client("elbv2")
        other = elb.create_load_balancer(Name="other", Subnets=shop.subnet_ids)["LoadBalancers"][0][
            "LoadBalancerArn"
        ]
        actions = forward((shop.target_group_arn, 1))
        request = {"LoadBalancerArn": other, "Protocol": "HTTP", "Port": 80, "DefaultActions": actions}
        assert refusal(elb.create_listener, **request) == "TargetGroupAssociationLimit"
        elb.delete_rule(RuleArn=shop.rule_arn)
        elb.create_listener(**request)
        described = elb.describe_target_groups(TargetGroupArns=[shop.target_group_arn])["TargetGroups"][0]
        assert described["LoadBalancerArns"] == [other]

    def test_target_stickiness_needs_group_stickiness(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """E3, E12."""
        elb = cloud.client("elbv2")
        (green,) = groups(cloud, shop, 1)
        elb.modify_target_group_attributes(
            TargetGroupArn=green, Attributes=[{"Key": "stickiness.enabled", "Value": "true"}]
        )
        pairs = ((shop.target_group_arn, 90), (green, 10))
        code = refusal(elb.modify_rule, RuleArn=shop.rule_arn, Actions=forward(*pairs))
        assert code == "InvalidConfigurationRequest"
        elb.modify_rule(RuleArn=shop.rule_arn, Actions=forward(*pairs, sticky=True))
        elb.modify_rule(RuleArn=shop.rule_arn, Actions=forward((green, 1)))

    def test_a_priority_is_used_once_and_a_balancer_has_100_rules(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """E1."""
        create = cloud.client("elbv2").create_rule
        condition = [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x", "Values": ["y"]}}]
        request = {
            "ListenerArn": shop.listener_arn,
            "Conditions": condition,
            "Actions": forward((shop.target_group_arn, 1)),
        }
        assert refusal(create, Priority=100, **request) == "PriorityInUse"
        for priority in range(1, 100):
            create(Priority=priority, **request)
        assert refusal(create, Priority=101, **request) == "TooManyRules"

    def test_a_group_in_use_cannot_be_deleted(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """E11."""
        elb = cloud.client("elbv2")
        (green,) = groups(cloud, shop, 1)
        elb.modify_rule(RuleArn=shop.rule_arn, Actions=forward((shop.target_group_arn, 100), (green, 0)))
        assert refusal(elb.delete_target_group, TargetGroupArn=green) == "ResourceInUse"
        elb.modify_rule(RuleArn=shop.rule_arn, Actions=forward((shop.target_group_arn, 100)))
        elb.delete_target_group(TargetGroupArn=green)

    def test_a_forward_to_one_group_is_shown_in_both_forms(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """E2."""
        elb = cloud.client("elbv2")
        elb.modify_rule(
            RuleArn=shop.rule_arn, Actions=[{"Type": "forward", "TargetGroupArn": shop.target_group_arn}]
        )
        (action,) = elb.describe_rules(RuleArns=[shop.rule_arn])["Rules"][0]["Actions"]
        assert action["TargetGroupArn"] == shop.target_group_arn
        assert action["ForwardConfig"]["TargetGroups"] == [
            {"TargetGroupArn": shop.target_group_arn, "Weight": 1}
        ]
        (green,) = groups(cloud, shop, 1)
        elb.modify_rule(RuleArn=shop.rule_arn, Actions=forward((shop.target_group_arn, 3), (green, 1)))
        (action,) = elb.describe_rules(RuleArns=[shop.rule_arn])["Rules"][0]["Actions"]
        assert "TargetGroupArn" not in action

    def test_rules_are_known_and_the_default_one_is_the_listeners(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """E2, E11: the errors that ModifyRule and DeleteRule name."""
        elb = cloud.client("elbv2")
        rules = elb.describe_rules(ListenerArn=shop.listener_arn)["Rules"]
        default = next(rule["RuleArn"] for rule in rules if rule["IsDefault"])
        assert refusal(elb.delete_rule, RuleArn=default) == "OperationNotPermitted"
        actions = forward((shop.target_group_arn, 1))
        assert refusal(elb.modify_rule, RuleArn=default, Actions=actions) == "OperationNotPermitted"
        elb.delete_rule(RuleArn=shop.rule_arn)
        assert refusal(elb.delete_rule, RuleArn=shop.rule_arn) == "RuleNotFound"


class TestTargetGroups:
    def test_the_same_group_made_twice_is_one_group(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """E1 (CreateTargetGroup is idempotent for equal settings)."""
        assert groups(cloud, shop, 1) == groups(cloud, shop, 1)
        create = cloud.client("elbv2").create_target_group
        code = refusal(create, Name="more-0", Protocol="HTTP", Port=8080, VpcId=shop.vpc_id)
        assert code == "DuplicateTargetGroupName"

    def test_a_group_takes_no_instance_of_another_vpc(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """RegisterTargets: InvalidTarget."""
        register = cloud.client("elbv2").register_targets
        stranger = [{"Id": seed.builder(cloud, "2.0.0", service=seed.service(cloud, "store").service)}]
        [group] = groups(cloud, shop, 1)
        assert refusal(register, TargetGroupArn=group, Targets=stranger) == "InvalidTarget"
        register(TargetGroupArn=group, Targets=[{"Id": seed.builder(cloud, "2.0.0")}])

    def test_attributes_can_be_copied_from_group_to_group(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """H1, E9: every attribute shown is one that can be set; DNS failover's are among them."""
        elb = cloud.client("elbv2")
        blue = elb.describe_target_group_attributes(TargetGroupArn=shop.target_group_arn)["Attributes"]
        (green,) = groups(cloud, shop, 1)
        elb.modify_target_group_attributes(TargetGroupArn=green, Attributes=blue)
        copied = elb.describe_target_group_attributes(TargetGroupArn=green)["Attributes"]
        assert copied == blue
        key = "target_group_health.dns_failover.minimum_healthy_targets.count"
        assert {"Key": key, "Value": "1"} in blue
        unknown = [{"Key": "stickyness", "Value": "true"}]
        code = refusal(elb.modify_target_group_attributes, TargetGroupArn=green, Attributes=unknown)
        assert code == "ValidationError"

    def test_a_network_load_balancer_has_no_rules_and_takes_weighted_groups_of_its_protocols(
        self, cloud: alone.World
    ) -> None:
        """E16."""
        elb, flows = cloud.client("elbv2"), seed.service(cloud, route="network", tracking="none")
        assert ":loadbalancer/net/" in flows.load_balancer_arn
        assert ":listener/net/" in flows.route_arn
        made = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=flows.vpc_id)
        web = made["TargetGroups"][0]["TargetGroupArn"]
        made = elb.create_target_group(Name="flows-2", Protocol="TCP", Port=80, VpcId=flows.vpc_id)
        second = made["TargetGroups"][0]["TargetGroupArn"]

        def forward(*weights: tuple[str, int]) -> list[dict[str, Any]]:
            pairs = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights]
            return [{"Type": "forward", "ForwardConfig": {"TargetGroups": pairs}}]

        balancer, listener = {"LoadBalancerArn": flows.load_balancer_arn}, {"ListenerArn": flows.route_arn}
        both = forward((flows.target_group_arn, 50), (second, 50))
        elb.modify_listener(**listener, DefaultActions=both)
        condition = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/"]}}]
        asked = {**listener, "Conditions": condition, "Priority": 1, "Actions": both}
        assert refusal(elb.create_rule, **asked) == "InvalidConfigurationRequest"
        mixed = forward((flows.target_group_arn, 50), (web, 50))
        assert refusal(elb.modify_listener, **listener, DefaultActions=mixed) == "IncompatibleProtocols"
        again = {**balancer, "Protocol": "TCP", "Port": 80, "DefaultActions": both}
        assert refusal(elb.create_listener, **again) == "DuplicateListener"
        beside = elb.create_listener(**{**again, "Port": 81})["Listeners"][0]["ListenerArn"]
        assert refusal(elb.modify_listener, ListenerArn=beside, Port=80, DefaultActions=both) == (
            "DuplicateListener"
        )
        slow = [{"Key": "slow_start.duration_seconds", "Value": "30"}]
        code = refusal(elb.modify_target_group_attributes, TargetGroupArn=second, Attributes=slow)
        assert code == "ValidationError"

    def test_a_resource_can_carry_more_than_ten_tags(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """E1 (ALB quotas: 50)."""
        elb = cloud.client("elbv2")
        tags = [{"Key": f"tag-{n}", "Value": "x"} for n in range(48)]
        for part in (tags[:20], tags[20:]):
            elb.add_tags(ResourceArns=[shop.target_group_arn], Tags=part)
        more = [{"Key": "one-more", "Value": "x"}]
        assert refusal(elb.add_tags, ResourceArns=[shop.target_group_arn], Tags=more) == "TooManyTags"


class TestAutoScalingGroups:
    def create(self, cloud: alone.World, shop: seed.Seeded, **changes: Any) -> None:
        request = {
            "AutoScalingGroupName": "shop-2",
            "MinSize": 0,
            "MaxSize": 4,
            "DesiredCapacity": 0,
            "LaunchTemplate": {"LaunchTemplateId": shop.launch_template_id, "Version": "1"},
            "VPCZoneIdentifier": ",".join(shop.subnet_ids),
            **changes,
        }
        cloud.client("autoscaling").create_auto_scaling_group(**request)

    def described(self, cloud: alone.World, name: str = "shop-2") -> dict[str, Any]:
        found = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return dict(found["AutoScalingGroups"][0])

    def test_an_existing_group_cannot_be_created_again(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """A12."""
        self.create(cloud, shop)
        assert refusal(lambda: self.create(cloud, shop)) == "AlreadyExists"

    def test_a_group_with_instances_is_not_deleted_without_force(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """A4."""
        asg = cloud.client("autoscaling")
        assert refusal(asg.delete_auto_scaling_group, AutoScalingGroupName=shop.group_name) == "ResourceInUse"
        self.create(cloud, shop)
        asg.delete_auto_scaling_group(AutoScalingGroupName="shop-2")

    def test_sizes_must_fit(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """A12 (ValidationError is a 400 that boto3 doesn't retry)."""
        asg = cloud.client("autoscaling")
        for request in ({"DesiredCapacity": 10}, {"MinSize": 10}, {"MaxSize": 1, "DesiredCapacity": 3}):
            code = refusal(asg.update_auto_scaling_group, AutoScalingGroupName=shop.group_name, **request)
            assert code == "ValidationError"
        for desired in (1, 10):
            code = refusal(
                asg.set_desired_capacity, AutoScalingGroupName=shop.group_name, DesiredCapacity=desired
            )
            assert code == "ValidationError"
        assert refusal(lambda: self.create(cloud, shop, DesiredCapacity=5)) == "ValidationError"
        assert self.described(cloud, shop.group_name)["DesiredCapacity"] == 3

    def test_every_member_is_kept(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """A10."""
        members = {
            "DefaultInstanceWarmup": 33,
            "InstanceMaintenancePolicy": {"MinHealthyPercentage": 90, "MaxHealthyPercentage": 120},
            "MaxInstanceLifetime": 86400,
            "CapacityRebalance": True,
            "DesiredCapacityType": "units",
            "Context": "shop",
            "TerminationPolicies": ["NewestInstance"],
            "DefaultCooldown": 17,
            "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-only"},
            "DeletionProtection": "prevent-force-deletion",
        }
        self.create(cloud, shop, **members)
        described = self.described(cloud)
        assert {name: described.get(name) for name in members} == members
        change = {"DefaultInstanceWarmup": 44, "TerminationPolicies": ["Default"]}
        cloud.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="shop-2", **change)
        described = self.described(cloud)
        assert {name: described.get(name) for name in {**members, **change}} == {**members, **change}

    def test_the_grace_period_is_zero_unless_given(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """A1."""
        self.create(cloud, shop)
        assert self.described(cloud)["HealthCheckGracePeriod"] == 0
        assert self.described(cloud, shop.group_name)["HealthCheckGracePeriod"] == 120

    def test_hooks_can_be_given_at_creation(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """A11."""
        hook = {"LifecycleHookName": "warm", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}
        self.create(cloud, shop, LifecycleHookSpecificationList=[hook])
        hooks = cloud.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName="shop-2")
        assert [each["LifecycleHookName"] for each in hooks["LifecycleHooks"]] == ["warm"]

    def test_a_group_keeps_its_mixed_instances_when_only_its_size_changes(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """A10."""
        template = {
            "LaunchTemplateSpecification": {"LaunchTemplateId": shop.launch_template_id, "Version": "1"},
            "Overrides": [{"InstanceType": "t3.medium"}],
        }
        self.create(cloud, shop, LaunchTemplate={}, MixedInstancesPolicy={"LaunchTemplate": template})
        cloud.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName="shop-2", MinSize=0, MaxSize=5
        )
        assert (
            self.described(cloud)["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]
            == template["Overrides"]
        )

    def test_a_template_must_be_launchable(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """A8."""
        for version in ("7", "0"):
            template = {"LaunchTemplateId": shop.launch_template_id, "Version": version}
            code = refusal(lambda asked=template: self.create(cloud, shop, LaunchTemplate=asked))
            assert code == "ValidationError"
        cloud.client("ec2").deregister_image(ImageId=shop.image_id)
        assert refusal(lambda: self.create(cloud, shop)) == "ValidationError"

    def test_unknown_groups_are_named(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """A2, A12."""
        asg = cloud.client("autoscaling")
        arns = [shop.target_group_arn]
        for call, request in (
            (asg.update_auto_scaling_group, {"MinSize": 1}),
            (asg.attach_load_balancer_target_groups, {"TargetGroupARNs": arns}),
            (asg.suspend_processes, {"ScalingProcesses": ["AZRebalance"]}),
        ):
            assert refusal(call, AutoScalingGroupName="nobody", **request) == "ValidationError"
        self.create(cloud, shop)
        detach = asg.detach_load_balancer_target_groups
        assert refusal(detach, AutoScalingGroupName="shop-2", TargetGroupARNs=arns) == "ValidationError"

    def test_ten_target_groups_are_attached_at_a_time(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """A2; https://github.com/kubernetes/kops/issues/14646."""
        attach = cloud.client("autoscaling").attach_load_balancer_target_groups
        arns = groups(cloud, shop, 11)
        code = refusal(attach, AutoScalingGroupName=shop.group_name, TargetGroupARNs=arns)
        assert code == "ValidationError"
        attach(AutoScalingGroupName=shop.group_name, TargetGroupARNs=arns[:10])

    def test_policies_and_actions_of_two_groups_may_share_a_name(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """A10: a clone's policies carry its original's names."""
        asg = cloud.client("autoscaling")
        self.create(cloud, shop)
        for group in (shop.group_name, "shop-2"):
            asg.put_scaling_policy(
                AutoScalingGroupName=group,
                PolicyName="out",
                AdjustmentType="ChangeInCapacity",
                ScalingAdjustment=1,
            )
            asg.put_scheduled_update_group_action(
                AutoScalingGroupName=group, ScheduledActionName="night", MinSize=1, Recurrence="0 0 * * *"
            )
        asg.delete_policy(AutoScalingGroupName="shop-2", PolicyName="out")
        asg.delete_scheduled_action(AutoScalingGroupName="shop-2", ScheduledActionName="night")
        policies = asg.describe_policies()["ScalingPolicies"]
        actions = asg.describe_scheduled_actions()["ScheduledUpdateGroupActions"]
        assert [each["AutoScalingGroupName"] for each in (*policies, *actions)] == [shop.group_name] * 2

    def test_a_policy_is_shown_with_the_alarms_that_act_on_it(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_ScalingPolicy.html"""
        asg = cloud.client("autoscaling")
        arn = asg.put_scaling_policy(
            AutoScalingGroupName=shop.group_name,
            PolicyName="out",
            PolicyType="StepScaling",
            AdjustmentType="ChangeInCapacity",
            StepAdjustments=[{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        )["PolicyARN"]
        cloud.client("cloudwatch").put_metric_alarm(
            AlarmName="busy",
            Namespace="Shop",
            MetricName="Sessions",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=9.0,
            ComparisonOperator="GreaterThanThreshold",
            OKActions=[arn],
        )
        shown = asg.describe_policies(AutoScalingGroupName=shop.group_name, PolicyNames=["out"])
        (alarm,) = shown["ScalingPolicies"][0]["Alarms"]
        assert (alarm["AlarmName"], alarm["AlarmARN"].split(":")[-1]) == ("busy", "busy")

    @pytest.mark.parametrize(
        "asked",
        [
            {"PolicyType": "StepScaling", "AdjustmentType": "ChangeInCapacity"},
            {
                "AdjustmentType": "PercentChangeInCapacity",
                "ScalingAdjustment": 10,
                "MinAdjustmentStep": 1,
                "MinAdjustmentMagnitude": 1,
            },
            {
                "PolicyType": "PredictiveScaling",
                "PredictiveScalingConfiguration": {
                    "MetricSpecifications": [
                        {
                            "TargetValue": 9.0,
                            "PredefinedMetricPairSpecification": {
                                "PredefinedMetricType": "ALBRequestCount",
                                "ResourceLabel": "app/other/1/targetgroup/other/2",
                            },
                        }
                    ]
                },
            },
        ],
        ids=["no steps", "two names for one step", "a forecast of a group that isn't attached"],
    )
    def test_a_policy_that_says_nothing_is_refused(
        self, cloud: alone.World, shop: seed.Seeded, asked: dict[str, Any]
    ) -> None:
        """A15."""
        put = cloud.client("autoscaling").put_scaling_policy
        code = refusal(put, AutoScalingGroupName=shop.group_name, PolicyName="out", **asked)
        assert code == "ValidationError"

    def test_a_scheduled_action_lies_ahead_and_sets_something(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutScheduledUpdateGroupAction.html"""
        put = cloud.client("autoscaling").put_scheduled_update_group_action
        named = {"AutoScalingGroupName": shop.group_name, "ScheduledActionName": "night"}
        for asked in (
            {"MinSize": 1, "StartTime": datetime(2001, 1, 1, tzinfo=UTC)},
            {"MinSize": 1},
            {"Recurrence": "0 0 * * *"},
            {"MinSize": 1, "Recurrence": "0 25 * * *"},
            {"MinSize": 1, "Recurrence": "every night"},
        ):
            assert refusal(put, **named, **asked) == "ValidationError"
        shown = cloud.client("autoscaling").describe_scheduled_actions()["ScheduledUpdateGroupActions"]
        assert shown == []

    def test_a_topic_is_told_of_what_was_said_last(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutNotificationConfiguration.html"""
        asg, named = cloud.client("autoscaling"), {"AutoScalingGroupName": shop.group_name}
        topic = {**named, "TopicARN": "arn:aws:sns:us-east-1:123456789012:people"}
        for kind in ("LAUNCH", "TERMINATE"):
            asg.put_notification_configuration(
                **topic, NotificationTypes=[f"autoscaling:EC2_INSTANCE_{kind}"]
            )
        (told,) = asg.describe_notification_configurations()["NotificationConfigurations"]
        assert told == {**topic, "NotificationType": "autoscaling:EC2_INSTANCE_TERMINATE"}
        put = asg.put_notification_configuration
        assert refusal(put, **topic, NotificationTypes=["whatever"]) == "ValidationError"
        asg.delete_notification_configuration(**topic)
        assert asg.describe_notification_configurations()["NotificationConfigurations"] == []

    def test_a_group_with_a_warm_pool_is_not_deleted(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """A4; terraform-provider-aws deletes the pool first, too."""
        asg = cloud.client("autoscaling")
        self.create(cloud, shop, MinSize=0, DesiredCapacity=0)
        asg.put_warm_pool(AutoScalingGroupName="shop-2", MinSize=1)
        code = refusal(asg.delete_auto_scaling_group, AutoScalingGroupName="shop-2")
        assert code == "ResourceInUse"
        asg.delete_warm_pool(AutoScalingGroupName="shop-2")
        shown = asg.describe_warm_pool(AutoScalingGroupName="shop-2")["WarmPoolConfiguration"]
        assert (shown["MinSize"], shown["Status"]) == (1, "PendingDelete")
        assert refusal(asg.delete_auto_scaling_group, AutoScalingGroupName="shop-2") == "ResourceInUse"
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=3)):
            assert "WarmPoolConfiguration" not in asg.describe_warm_pool(AutoScalingGroupName="shop-2")
            asg.delete_auto_scaling_group(AutoScalingGroupName="shop-2")

    def test_a_warm_pool_goes_at_once_by_force(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteWarmPool.html"""
        asg, named = cloud.client("autoscaling"), {"AutoScalingGroupName": shop.group_name}
        asg.put_warm_pool(**named, MinSize=1)
        asg.delete_warm_pool(**named, ForceDelete=True)
        assert "WarmPoolConfiguration" not in asg.describe_warm_pool(**named)

    def test_request_tracking_needs_the_attached_groups_label(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """A15."""
        asg = cloud.client("autoscaling")
        self.create(cloud, shop)
        balancer = shop.load_balancer_arn.split(":loadbalancer/")[1]
        label = f"{balancer}/{shop.target_group_arn.split(':')[-1]}"
        request = {
            "PolicyName": "requests",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingConfiguration": {
                "TargetValue": 100.0,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ALBRequestCountPerTarget",
                    "ResourceLabel": label,
                },
            },
        }
        assert refusal(asg.put_scaling_policy, AutoScalingGroupName="shop-2", **request) == "ValidationError"
        asg.put_scaling_policy(AutoScalingGroupName=shop.group_name, **request)

    def test_a_deleted_group_takes_its_policies_and_their_only_alarms_along(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """A3."""
        asg, cloudwatch = cloud.client("autoscaling"), cloud.client("cloudwatch")
        self.create(cloud, shop)
        policy = asg.put_scaling_policy(
            AutoScalingGroupName="shop-2",
            PolicyName="out",
            AdjustmentType="ChangeInCapacity",
            ScalingAdjustment=1,
        )["PolicyARN"]
        topic = "arn:aws:sns:us-east-1:123456789012:pages"
        for name, actions in (("alone", [policy]), ("paged", [policy, topic])):
            cloudwatch.put_metric_alarm(
                AlarmName=name,
                Namespace="x",
                MetricName="y",
                Statistic="Sum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanThreshold",
                AlarmActions=actions,
            )
        asg.delete_auto_scaling_group(AutoScalingGroupName="shop-2")
        assert asg.describe_policies(AutoScalingGroupName="shop-2")["ScalingPolicies"] == []
        left = {
            alarm["AlarmName"]: alarm["AlarmActions"]
            for alarm in cloudwatch.describe_alarms()["MetricAlarms"]
        }
        assert "alone" not in left
        assert left["paged"] == [topic]


class TestInstancesAndTemplates:
    def test_a_client_token_launches_once(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """I7."""
        run = cloud.client("ec2").run_instances
        request = {"ImageId": shop.image_id, "MinCount": 1, "MaxCount": 1}
        first, again = (run(ClientToken="one", **request)["Instances"][0]["InstanceId"] for _ in range(2))
        other = run(ClientToken="two", **request)["Instances"][0]["InstanceId"]
        assert first == again != other
        changed = {**request, "InstanceType": "t3.large"}
        assert refusal(run, ClientToken="one", **changed) == "IdempotentParameterMismatch"

    def test_an_instance_needs_an_image_that_is(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """I2."""
        run = cloud.client("ec2").run_instances
        code = refusal(run, ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
        assert code == "InvalidAMIID.NotFound"

    def test_a_template_version_inherits_from_its_source(self, cloud: alone.World, shop: seed.Seeded) -> None:
        """A8."""
        ec2 = cloud.client("ec2")
        request = {
            "LaunchTemplateId": shop.launch_template_id,
            "SourceVersion": "1",
            "ClientToken": "2.0.0",
            "LaunchTemplateData": {"ImageId": "ami-0123456789abcdef0"},
        }
        made, again = (
            ec2.create_launch_template_version(**request)["LaunchTemplateVersion"] for _ in range(2)
        )
        assert made["VersionNumber"] == again["VersionNumber"] == 2
        data = made["LaunchTemplateData"]
        assert data["ImageId"] == "ami-0123456789abcdef0"
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        described = ec2.describe_launch_template_versions(
            LaunchTemplateId=shop.launch_template_id, Versions=["1", "2"]
        )["LaunchTemplateVersions"]
        first, second = (each["LaunchTemplateData"] for each in described)
        assert first["ImageId"] == shop.image_id
        assert {**second, "ImageId": shop.image_id} == first
        assert "TagSpecifications" not in first

    def test_a_template_version_takes_no_snapshot_over_from_its_source(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html, SourceVersion."""
        ec2, template = cloud.client("ec2"), {"LaunchTemplateId": shop.launch_template_id}
        disk = {"DeviceName": "/dev/sdx", "Ebs": {"SnapshotId": "snap-0fedcba9876543210", "VolumeSize": 5}}
        named = {"BlockDeviceMappings": [disk, {"DeviceName": "/dev/sdy", "VirtualName": "ephemeral0"}]}
        said = ec2.create_launch_template_version(**template, SourceVersion="1", LaunchTemplateData=named)
        assert said["LaunchTemplateVersion"]["LaunchTemplateData"]["BlockDeviceMappings"][0] == disk
        made = ec2.create_launch_template_version(**template, SourceVersion="2", LaunchTemplateData={})
        shown = made["LaunchTemplateVersion"]["LaunchTemplateData"]["BlockDeviceMappings"]
        assert shown[0]["Ebs"] == {"VolumeSize": 5}
        assert shown[1:] == named["BlockDeviceMappings"][1:]
        first = ec2.describe_launch_template_versions(**template, Versions=["2"])["LaunchTemplateVersions"]
        assert first[0]["LaunchTemplateData"]["BlockDeviceMappings"][0] == disk

    def test_a_launch_template_shows_the_tags_it_was_given_later(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        ec2 = cloud.client("ec2")
        ec2.create_tags(Resources=[shop.launch_template_id], Tags=[{"Key": "later", "Value": "yes"}])
        found = ec2.describe_launch_templates(LaunchTemplateIds=[shop.launch_template_id])["LaunchTemplates"][
            0
        ]
        assert {"Key": "later", "Value": "yes"} in found["Tags"]

    def test_a_deleted_template_version_is_gone_and_its_number_too(
        self, cloud: alone.World, shop: seed.Seeded
    ) -> None:
        """A8."""
        ec2 = cloud.client("ec2")
        template = {"LaunchTemplateId": shop.launch_template_id}
        for _ in range(2):
            ec2.create_launch_template_version(**template, SourceVersion="1", LaunchTemplateData={})
        answer = ec2.delete_launch_template_versions(**template, Versions=["3", "1", "9"])
        assert [each["VersionNumber"] for each in answer["SuccessfullyDeletedLaunchTemplateVersions"]] == [3]
        assert [each["VersionNumber"] for each in answer["UnsuccessfullyDeletedLaunchTemplateVersions"]] == [
            1,
            9,
        ]
        code = refusal(ec2.describe_launch_template_versions, **template, Versions=["3"])
        assert code == "InvalidLaunchTemplateId.VersionNotFound"
        made = ec2.create_launch_template_version(**template, SourceVersion="2", LaunchTemplateData={})
        assert made["LaunchTemplateVersion"]["VersionNumber"] == 4


class TestAlarms:
    def put(self, cloud: alone.World, **changes: Any) -> None:
        request: dict[str, Any] = {
            "AlarmName": "a",
            "Namespace": "x",
            "MetricName": "y",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 2,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanThreshold",
            **changes,
        }
        cloud.client("cloudwatch").put_metric_alarm(**{k: v for k, v in request.items() if v is not None})

    def test_composite_alarms_are_shown_only_when_asked_for(self, cloud: alone.World) -> None:
        """C7."""
        cloudwatch = cloud.client("cloudwatch")
        self.put(cloud)
        assert cloudwatch.describe_alarms()["CompositeAlarms"] == []
        asked = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])
        assert asked["MetricAlarms"] == []
        assert len(cloudwatch.describe_alarms(AlarmNames=["a", "misspelt"])["MetricAlarms"]) == 1

    def test_an_unknown_alarm_stops_the_deletion_of_all(self, cloud: alone.World) -> None:
        """C7 (ResourceNotFound is DeleteAlarms' own error)."""
        cloudwatch = cloud.client("cloudwatch")
        self.put(cloud)
        assert refusal(cloudwatch.delete_alarms, AlarmNames=["a", "misspelt"]) == "ResourceNotFound"
        assert len(cloudwatch.describe_alarms()["MetricAlarms"]) == 1

    def test_an_alarm_must_make_sense(self, cloud: alone.World) -> None:
        """C5."""
        metric = {"Metric": {"Namespace": "x", "MetricName": "y"}, "Period": 60, "Stat": "Sum"}
        eleven = [{"Id": f"m{n}", "MetricStat": metric, "ReturnData": n == 0} for n in range(11)]
        plain = {"Namespace": None, "MetricName": None, "Statistic": None, "Period": None}
        assert refusal(lambda: self.put(cloud, DatapointsToAlarm=3)) == "ValidationError"
        assert refusal(lambda: self.put(cloud, **plain, Metrics=eleven)) == "ValidationError"
        two = [{**query, "ReturnData": True} for query in eleven[:2]]
        assert refusal(lambda: self.put(cloud, **plain, Metrics=two)) == "ValidationError"
        self.put(cloud, **plain, Metrics=eleven[:10])


class TestLedger:
    @pytest.fixture
    def table(self, cloud: alone.World) -> str:
        cloud.client("dynamodb").create_table(
            TableName="releases",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return "releases"

    def put(self, table: str, key: str, condition: str | None = None) -> dict[str, Any]:
        put = {"TableName": table, "Item": {"pk": {"S": key}}}
        return {"Put": {**put, "ConditionExpression": condition} if condition else put}

    def test_of_many_takers_one_wins_and_nothing_else_is_written(
        self, cloud: alone.World, table: str
    ) -> None:
        """P5, F80: two writers at once don't break each other's transactions."""
        dynamodb = cloud.client("dynamodb")
        for n in range(200):
            dynamodb.put_item(TableName=table, Item={"pk": {"S": f"journal-{n}"}})
        codes: list[str] = []

        def take(lock: int, taker: int) -> None:
            items = [
                self.put(table, f"lock-{lock}", "attribute_not_exists(pk)"),
                self.put(table, f"record-{lock}-{taker}"),
            ]
            try:
                dynamodb.transact_write_items(TransactItems=items)
                codes.append("taken")
            except ClientError as error:
                codes.append(error.response["Error"]["Code"])

        takers = [threading.Thread(target=take, args=(n // 4, n % 4)) for n in range(80)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        for taker in takers:
            taker.start()
        for taker in takers:
            taker.join()
        sys.setswitchinterval(interval)
        assert codes.count("taken") == 20
        assert codes.count("TransactionCanceledException") == 60
        assert dynamodb.scan(TableName=table)["Count"] == 240

    def test_a_repeated_transaction_is_done_once(self, cloud: alone.World, table: str) -> None:
        """I7, for the ledger: a token stands for one transaction."""
        dynamodb = cloud.client("dynamodb")
        count = {
            "Update": {
                "TableName": table,
                "Key": {"pk": {"S": "counter"}},
                "UpdateExpression": "ADD n :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            }
        }
        for _ in range(2):
            dynamodb.transact_write_items(TransactItems=[count], ClientRequestToken="a-token")
        item = dynamodb.get_item(TableName=table, Key={"pk": {"S": "counter"}}, ConsistentRead=True)["Item"]
        assert item["n"] == {"N": "1"}
        other = {"TransactItems": [self.put(table, "x")], "ClientRequestToken": "a-token"}
        assert refusal(dynamodb.transact_write_items, **other) == "IdempotentParameterMismatchException"

    def test_a_cancelled_transaction_says_why_item_by_item(self, cloud: alone.World, table: str) -> None:
        """P5: what the ledger's adapter reads the holder from."""
        dynamodb = cloud.client("dynamodb")
        dynamodb.put_item(TableName=table, Item={"pk": {"S": "lock"}, "by": {"S": "r1"}})
        check: dict[str, Any] = {
            "ConditionCheck": {
                "TableName": table,
                "Key": {"pk": {"S": "lock"}},
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }
        with pytest.raises(ClientError) as cancelled:
            dynamodb.transact_write_items(TransactItems=[self.put(table, "new"), check])
        response: Any = cancelled.value.response
        first, second = response["CancellationReasons"]
        assert first["Code"] == "None"
        assert (second["Code"], second["Item"]["by"]) == ("ConditionalCheckFailed", {"S": "r1"})
        assert "Item" not in dynamodb.get_item(TableName=table, Key={"pk": {"S": "new"}})


def test_a_load_balancer_that_is_asked_for_twice_is_one(cloud: alone.World, shop: seed.Seeded) -> None:
    make = cloud.client("elbv2").create_load_balancer
    asked = {"Name": "twice", "Subnets": shop.subnet_ids}
    first, again = (make(**asked)["LoadBalancers"][0]["LoadBalancerArn"] for _ in range(2))
    assert first == again
    assert refusal(make, **asked, Scheme="internal") == "DuplicateLoadBalancerName"
    named = [
        each["LoadBalancerArn"] for each in cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
    ]
    assert sorted(named) == sorted([first, shop.load_balancer_arn])


def test_a_listener_that_is_gone_has_no_tags_but_an_error(cloud: alone.World, shop: seed.Seeded) -> None:
    elb = cloud.client("elbv2")
    elb.describe_tags(ResourceArns=[shop.listener_arn])
    gone = f"{shop.listener_arn[:-4]}0000"
    assert refusal(elb.describe_tags, ResourceArns=[shop.listener_arn, gone]) == "ListenerNotFound"
