"""The release script that many teams have: plain boto3 from top to bottom, no ledger, no fence, no way back.

It is the least that a release can be. With `settle_seconds=0` and `scale_in_first=True` it is the control that shows what
the local cloud's clients see when a release is done badly. bench/same_job.py is the yardstick for AWS calls.
"""

from collections.abc import Callable
from typing import Any

Client = Callable[[str], Any]


def release(
    client: Client,
    sleep: Callable[[float], None],
    *,
    route: str,
    group: str,
    instance: str,
    version: str,
    weights: tuple[int, ...] = (10, 50, 100),
    observe_seconds: float = 300,
    settle_seconds: float = 120,
    scale_in_first: bool = False,
) -> str:
    """Releases `version` from an instance onto a rule that forwards to one group; answers with green's group name.

    `route` is a rule's ARN and `group` the name of blue's Auto Scaling group; durations are in seconds.
    """
    elbv2, scaling = client("elbv2"), client("autoscaling")
    blue_group = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
    blue = blue_group["TargetGroupARNs"][0]
    image = _image(client("ec2"), sleep, instance, version)
    green = _target_group(elbv2, blue, version)
    keep_in_use(elbv2, route, green)
    name = _green_group(client, blue_group, green, image, version)
    _await_health(elbv2, sleep, green, blue_group["DesiredCapacity"])
    for weight in weights:
        if scale_in_first and weight == weights[-1]:
            _scale_in(scaling, group)
            sleep(observe_seconds)
        weigh(elbv2, route, {blue: 100 - weight, green: weight})
        sleep(observe_seconds)
    sleep(settle_seconds)
    if not scale_in_first:
        _scale_in(scaling, group)
    return name


def _image(ec2: Any, sleep: Callable[[float], None], instance: str, version: str) -> str:
    image = str(ec2.create_image(InstanceId=instance, Name=f"straight-line-{version}")["ImageId"])
    while ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "pending":
        sleep(30)
    return image


def _target_group(elbv2: Any, blue: str, version: str) -> str:
    found = elbv2.describe_target_groups(TargetGroupArns=[blue])["TargetGroups"][0]
    kept = (
        "Protocol",
        "Port",
        "VpcId",
        "HealthCheckPath",
        "HealthCheckIntervalSeconds",
        "HealthyThresholdCount",
    )
    members = {key: found[key] for key in kept if key in found}
    name = f"line-{version.replace('.', '-')}"
    return str(elbv2.create_target_group(Name=name, **members)["TargetGroups"][0]["TargetGroupArn"])


def keep_in_use(elbv2: Any, route: str, green: str) -> str:
    """A group that no rule uses is never healthy; answers with the rule that uses it."""
    listener = "/".join(route.replace(":listener-rule/", ":listener/").split("/")[:-1])
    header = {"HttpHeaderName": "x-straight-line", "Values": ["green"]}
    made = elbv2.create_rule(
        ListenerArn=listener,
        Priority=1,
        Conditions=[{"Field": "http-header", "HttpHeaderConfig": header}],
        Actions=[{"Type": "forward", "TargetGroupArn": green}],
    )
    return str(made["Rules"][0]["RuleArn"])


def _green_group(client: Client, blue: dict[str, Any], green: str, image: str, version: str) -> str:
    ec2, template = client("ec2"), blue["LaunchTemplate"]
    made = ec2.create_launch_template_version(
        LaunchTemplateId=template["LaunchTemplateId"],
        SourceVersion=template["Version"],
        LaunchTemplateData={"ImageId": image},
    )["LaunchTemplateVersion"]
    name = f"straight-line-{version}"
    client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={
            "LaunchTemplateId": template["LaunchTemplateId"],
            "Version": str(made["VersionNumber"]),
        },
        MinSize=blue["DesiredCapacity"],
        MaxSize=blue["MaxSize"],
        DesiredCapacity=blue["DesiredCapacity"],
        VPCZoneIdentifier=blue["VPCZoneIdentifier"],
        TargetGroupARNs=[green],
        HealthCheckType=blue["HealthCheckType"],
        HealthCheckGracePeriod=blue["HealthCheckGracePeriod"],
    )
    return name


def _await_health(elbv2: Any, sleep: Callable[[float], None], green: str, wanted: int) -> None:
    while True:
        found = elbv2.describe_target_health(TargetGroupArn=green)["TargetHealthDescriptions"]
        if sum(target["TargetHealth"]["State"] == "healthy" for target in found) >= wanted:
            return
        sleep(30)


def weigh(elbv2: Any, route: str, weights: dict[str, int]) -> None:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    elbv2.modify_rule(RuleArn=route, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}])


def _scale_in(scaling: Any, group: str) -> None:
    scaling.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=0, DesiredCapacity=0)
