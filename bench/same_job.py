"""The yardstick for AWS calls: a script that does the whole job of a release from top to bottom, in one process.

It checks the same before it begins, clones the same, looks at green as often and as closely, and leaves the same behind.
What it has seen it remembers. It has no ledger and no fence, reads nothing back, looks for no earlier try of its own and
for nobody else's weights, and has no way back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.straight_line import Client, keep_in_use, weigh

POLL_SECONDS = 30  # as WaitForImage and WaitForGreen
JUDGE_SECONDS = 60  # as Observe
_TARGET_GROUP = ("Protocol", "Port", "VpcId", "HealthCheckPath", "HealthCheckIntervalSeconds", "HealthyThresholdCount")  # fmt: skip
_SIGNALS = ("HTTPCode_Target_5XX_Count", "UnHealthyHostCount", "UnhealthyRoutingRequestCount")


class InTheWay(Exception):
    """What a release should not begin with, or go on with."""


@dataclass(frozen=True)
class Blue:
    """What stands before a release, as far as it is cloned or asked for again."""

    group: dict[str, Any]
    target_group: dict[str, Any]
    attributes: list[dict[str, str]]
    balancer: str
    policies: list[dict[str, Any]]

    @property
    def name(self) -> str:
        return str(self.group["AutoScalingGroupName"])

    @property
    def arn(self) -> str:
        return str(self.target_group["TargetGroupArn"])

    @property
    def need(self) -> int:
        return int(self.group["DesiredCapacity"])


class Script:
    """One release by the script."""

    def __init__(self, client: Client, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep
        self._ec2, self._elbv2, self._scaling, self._cloudwatch = (
            client(service) for service in ("ec2", "elbv2", "autoscaling", "cloudwatch")
        )
        self._quotas, self._prices = client("service-quotas"), client("pricing")

    def release(
        self,
        *,
        route: str,
        group: str,
        guards: Sequence[str],
        steps: Sequence[tuple[int, int]],
        instance: str,
        version: str,
    ) -> str:
        """Releases `version` from an instance onto a rule that forwards to one group; answers with green's group name.

        `steps` are weights, each with its minutes.
        """
        blue = self._survey(route, group, guards, instance)
        image = self._bake(instance, version)
        name, green = f"script-{version.replace('.', '-')}", self._target_group(blue, version)
        standby = keep_in_use(self._elbv2, route, green)
        self._green_group(blue, name, green, image)
        alarms = self._alarms(blue, name, green)
        self._sleep(POLL_SECONDS)
        while not self._carries(blue, name, green):
            self._sleep(POLL_SECONDS)
        for weight, minutes in steps:
            self._ensure_idle(group)
            self._ensure_idle(name)
            if not self._carries(blue, name, green):
                raise InTheWay(f"{name} has lost instances")
            if weight == steps[0][0]:
                self._elbv2.modify_target_group_attributes(TargetGroupArn=green, Attributes=blue.attributes)
            weigh(self._elbv2, route, {blue.arn: 100 - weight, green: weight})
            for _ in range(minutes * 60 // JUDGE_SECONDS):
                self._sleep(JUDGE_SECONDS)
                self._judge(blue, name, green, [*guards, *alarms])
        weigh(self._elbv2, standby, {blue.arn: 100, green: 0})
        self._scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=blue.group["MinSize"])
        self._ec2.enable_image_deregistration_protection(ImageId=image)
        self._cloudwatch.delete_alarms(AlarmNames=alarms)
        return name

    def _survey(self, route: str, name: str, guards: Sequence[str], instance: str) -> Blue:
        """Blue, and all that could stand in the way: quotas, alarms, tags, prices; each asked for once."""
        rule = self._elbv2.describe_rules(RuleArns=[route])["Rules"][0]
        listener = "/".join(route.replace(":listener-rule/", ":listener/").split("/")[:-1])
        balancer = self._elbv2.describe_listeners(ListenerArns=[listener])["Listeners"][0]["LoadBalancerArn"]
        self._elbv2.describe_load_balancers(LoadBalancerArns=[balancer])
        self._elbv2.describe_load_balancer_attributes(LoadBalancerArn=balancer)
        self._elbv2.describe_listeners(LoadBalancerArn=balancer)
        self._elbv2.describe_rules(ListenerArn=listener)
        arn = rule["Actions"][0]["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"]
        attributes = self._elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        self._elbv2.describe_tags(ResourceArns=[route, listener, arn])
        groups = self._elbv2.describe_target_groups()["TargetGroups"]
        self._elbv2.describe_account_limits()
        group = self._scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]  # fmt: skip
        self._scaling.describe_lifecycle_hooks(AutoScalingGroupName=name)
        self._scaling.describe_notification_configurations(AutoScalingGroupNames=[name])
        self._scaling.describe_scheduled_actions(AutoScalingGroupName=name)
        policies = self._scaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
        self._scaling.describe_account_limits()
        self._ensure_idle(name)
        template = group["LaunchTemplate"]["LaunchTemplateId"]
        self._ec2.describe_launch_templates(LaunchTemplateIds=[template])
        versions = self._ec2.describe_launch_template_versions(LaunchTemplateId=template)
        data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        self._ec2.describe_images(ImageIds=[data["ImageId"]])
        self._ec2.describe_instances(InstanceIds=[instance])
        self._ec2.describe_instance_types(InstanceTypes=[data["InstanceType"]])
        quota = self._quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]
        used = quota["UsageMetric"]
        dimensions = [{"Name": key, "Value": value} for key, value in used["MetricDimensions"].items()]
        self._sum(used["MetricNamespace"], used["MetricName"], dimensions)
        self._prices.get_products(ServiceCode="AmazonEC2", Filters=[])
        self._requests(balancer, arn)
        if self._red(guards) or self._healthy(arn) < group["DesiredCapacity"]:
            raise InTheWay(f"{name} is not well")
        target_group = next(each for each in groups if each["TargetGroupArn"] == arn)
        return Blue(group, target_group, attributes, balancer, policies)

    def _bake(self, instance: str, version: str) -> str:
        image = str(self._ec2.create_image(InstanceId=instance, Name=f"script-{version}")["ImageId"])
        self._sleep(POLL_SECONDS)
        while self._ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "pending":
            self._sleep(POLL_SECONDS)
        return image

    def _target_group(self, blue: Blue, version: str) -> str:
        members = {key: blue.target_group[key] for key in _TARGET_GROUP}
        made = self._elbv2.create_target_group(Name=f"script-{version.replace('.', '-')}", **members)
        arn = str(made["TargetGroups"][0]["TargetGroupArn"])
        self._elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=blue.attributes)
        return arn

    def _green_group(self, blue: Blue, name: str, green: str, image: str) -> None:
        template = blue.group["LaunchTemplate"]
        made = self._ec2.create_launch_template_version(
            LaunchTemplateId=template["LaunchTemplateId"],
            SourceVersion=template["Version"],
            LaunchTemplateData={"ImageId": image},
        )["LaunchTemplateVersion"]
        self._scaling.update_auto_scaling_group(AutoScalingGroupName=blue.name, MinSize=blue.need)
        self._scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={
                "LaunchTemplateId": template["LaunchTemplateId"],
                "Version": str(made["VersionNumber"]),
            },
            MinSize=blue.need,
            MaxSize=blue.group["MaxSize"],
            DesiredCapacity=blue.need,
            VPCZoneIdentifier=blue.group["VPCZoneIdentifier"],
            TargetGroupARNs=[green],
            HealthCheckType=blue.group["HealthCheckType"],
            HealthCheckGracePeriod=blue.group["HealthCheckGracePeriod"],
        )
        for policy in blue.policies:
            tracking = policy["TargetTrackingConfiguration"]
            metric = tracking["PredefinedMetricSpecification"]
            label = metric["ResourceLabel"].replace(_suffix(blue.arn), _suffix(green))
            self._scaling.put_scaling_policy(
                AutoScalingGroupName=name,
                PolicyName=policy["PolicyName"],
                PolicyType=policy["PolicyType"],
                TargetTrackingConfiguration={
                    **tracking,
                    "PredefinedMetricSpecification": {**metric, "ResourceLabel": label},
                },
            )

    def _alarms(self, blue: Blue, name: str, green: str) -> list[str]:
        alarms = [f"{name}-{signal}" for signal in _SIGNALS]
        for alarm, signal in zip(alarms, _SIGNALS, strict=True):
            self._cloudwatch.put_metric_alarm(
                AlarmName=alarm,
                Namespace="AWS/ApplicationELB",
                MetricName=signal,
                Dimensions=_dimensions(blue.balancer, green),
                Statistic="Sum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=1_000_000,  # what a good threshold is, is not what is measured here
                ComparisonOperator="GreaterThanThreshold",
                TreatMissingData="notBreaching",
            )
        return alarms

    def _judge(self, blue: Blue, name: str, green: str, alarms: list[str]) -> None:
        """Nothing red, somebody asks, and both sides could carry everybody."""
        self._requests(blue.balancer, green)
        if self._red(alarms) or not self._carries(blue, name, green):
            raise InTheWay(f"{name} is not well")

    def _red(self, alarms: Sequence[str]) -> bool:
        found = self._cloudwatch.describe_alarms(AlarmNames=list(alarms))["MetricAlarms"]
        return any(alarm["StateValue"] == "ALARM" for alarm in found)

    def _carries(self, blue: Blue, name: str, green: str) -> bool:
        """Whether both groups stand on their floors, and both sides are healthy."""
        found = self._scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[blue.name, name])
        stand = all(group["MinSize"] >= blue.need for group in found["AutoScalingGroups"])
        return stand and min(self._healthy(blue.arn), self._healthy(green)) >= blue.need

    def _healthy(self, target_group: str) -> int:
        found = self._elbv2.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
        return sum(target["TargetHealth"]["State"] == "healthy" for target in found)

    def _ensure_idle(self, group: str) -> None:
        found = self._scaling.describe_instance_refreshes(AutoScalingGroupName=group)["InstanceRefreshes"]
        if any(each["Status"] in ("Pending", "InProgress") for each in found):
            raise InTheWay(f"{group} is being replaced")

    def _requests(self, balancer: str, target_group: str) -> float:
        return self._sum("AWS/ApplicationELB", "RequestCount", _dimensions(balancer, target_group))

    def _sum(self, namespace: str, name: str, dimensions: list[dict[str, str]]) -> float:
        metric = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
        now = datetime.now(UTC)
        found = self._cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now,
        )
        return float(sum(found["MetricDataResults"][0]["Values"]))


def _dimensions(balancer: str, target_group: str) -> list[dict[str, str]]:
    return [
        {"Name": "LoadBalancer", "Value": balancer.split(":loadbalancer/")[1]},
        {"Name": "TargetGroup", "Value": _suffix(target_group)},
    ]


def _suffix(target_group: str) -> str:
    return target_group.split(":")[-1]
