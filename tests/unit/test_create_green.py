"""CreateGreen: a clone of blue behind the standby rule, both fleets on their floors, and nothing made twice."""

from typing import Any

import pytest

from tests.account import RELEASE, Account
from viridian.errors import Busy, Fenced, NotPermitted, Refusal

MADE = [
    "CreateTargetGroup",
    "ModifyTargetGroupAttributes",
    "CreateRule",
    "UpdateAutoScalingGroup",
    "CreateLaunchTemplateVersion",
    "CreateAutoScalingGroup",
    "PutScalingPolicy",
    "PutMetricAlarm",
    "PutMetricAlarm",
    "PutMetricAlarm",
    "PutMetricAlarm",
]


def standby_rule(account: Account) -> dict[str, Any]:
    rules = account.client("elbv2").describe_rules(ListenerArn=account.shop.listener_arn)["Rules"]
    return next(dict(rule) for rule in rules if rule["Priority"] == "99")


def test_each_piece_is_made_once(account: Account) -> None:
    account.before("create_green")
    made = account.twice("create_green")
    assert account.writes() == MADE
    assert (made["group"], made["need"]) == (f"viridian-shop-{RELEASE}", 3)


@pytest.mark.parametrize("call", list(dict.fromkeys(MADE)))
@pytest.mark.parametrize("when", ["before-call", "after-call"])
def test_a_try_that_died_at_any_call_is_taken_up_by_the_next(account: Account, call: str, when: str) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    services = {
        "Target": "elbv2",
        "Rule": "elbv2",
        "Auto": "autoscaling",
        "Scaling": "autoscaling",
        "Alarm": "cloudwatch",
    }
    service = next((service for word, service in services.items() if word in call), "ec2")
    account.before("create_green")
    with account.hooked(when, service, call, die), pytest.raises(KeyboardInterrupt):
        account.run("create_green")
    account.run("create_green")
    assert sorted(account.writes()) == sorted(MADE)
    account.twice("create_green")
    assert sorted(account.writes()) == sorted(MADE)


def test_green_differs_from_blue_in_its_name_its_image_and_its_floor(account: Account) -> None:
    account.before("create_green").run("create_green")
    blue, green = account.group("blue"), account.group("green")
    same = (
        "MaxSize",
        "VPCZoneIdentifier",
        "HealthCheckType",
        "HealthCheckGracePeriod",
        "DefaultCooldown",
        "DefaultInstanceWarmup",
        "NewInstancesProtectedFromScaleIn",
        "TerminationPolicies",
    )
    assert {key: green[key] for key in same} == {key: blue[key] for key in same}
    assert (green["MinSize"], green["DesiredCapacity"]) == (3, 3)
    assert green["LaunchTemplate"]["LaunchTemplateId"] == account.shop.launch_template_id
    assert green["LaunchTemplate"]["Version"] == "2"
    versions = account.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=account.shop.launch_template_id
    )["LaunchTemplateVersions"]
    old, new = (dict(version["LaunchTemplateData"]) for version in versions)
    assert new.pop("ImageId") == account.record().image
    assert old.pop("ImageId") == account.shop.image_id
    assert new == old


def test_blue_gets_its_floor_before_green_is_made(account: Account) -> None:
    account.before("create_green").run("create_green")
    assert account.group("blue")["MinSize"] == 3
    assert account.writes().index("UpdateAutoScalingGroup") < account.writes().index("CreateAutoScalingGroup")


def test_green_is_in_use_behind_the_standby_rule_and_nowhere_else(account: Account) -> None:
    account.before("create_green").run("create_green")
    rule = standby_rule(account)
    header = next(c["HttpHeaderConfig"] for c in rule["Conditions"] if c["Field"] == "http-header")
    assert header["HttpHeaderName"] == "x-viridian-standby"
    assert header["Values"] == [account.record().plan.standby.value]
    weights = {g["TargetGroupArn"]: g["Weight"] for g in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]}
    assert weights == {account.target_group("green"): 100, account.target_group("blue"): 0}
    assert account.weights() == {"shop-1": 100}


def test_greens_target_group_is_blues_but_cannot_take_the_balancer_out_of_dns(account: Account) -> None:
    account.client("elbv2").modify_target_group_attributes(
        TargetGroupArn=account.shop.target_group_arn,
        Attributes=[{"Key": "slow_start.duration_seconds", "Value": "60"}],
    )
    account.before("create_green").run("create_green")

    def attributes(side: str) -> dict[str, str]:
        found = account.client("elbv2").describe_target_group_attributes(
            TargetGroupArn=account.target_group(side)
        )
        return {item["Key"]: item["Value"] for item in found["Attributes"]}

    off = "target_group_health.dns_failover.minimum_healthy_targets"
    differing = {key: value for key, value in attributes("green").items() if attributes("blue")[key] != value}
    assert differing == {f"{off}.count": "off"}
    assert attributes("green")[f"{off}.percentage"] == "off"
    assert attributes("green")["slow_start.duration_seconds"] == "60"


def test_greens_scaling_counts_greens_own_requests(account: Account) -> None:
    account.before("create_green").run("create_green")
    (policy,) = account.client("autoscaling").describe_policies(
        AutoScalingGroupName=account.record().plan.green_group
    )["ScalingPolicies"]
    label = policy["TargetTrackingConfiguration"]["PredefinedMetricSpecification"]["ResourceLabel"]
    assert label.endswith(account.target_group("green").split(":")[-1])
    assert label.startswith("app/shop/")


def test_greens_alarms_watch_its_own_target_group_and_call_nobody(account: Account) -> None:
    account.before("create_green").run("create_green")
    alarms = account.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"viridian-shop-{RELEASE}-")[
        "MetricAlarms"
    ]
    assert {alarm["AlarmName"].rsplit("-", 1)[1] for alarm in alarms} == {
        "errors",
        "unhealthy",
        "open",
        "latency",
    }
    for alarm in alarms:
        watched = {
            dimension["Value"]
            for metric in alarm["Metrics"]
            for dimension in metric.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])
            if dimension["Name"] == "TargetGroup"
        }
        assert watched == {account.target_group("green").split(":")[-1]}
        assert alarm["ActionsEnabled"] is False


def test_everything_made_carries_the_releases_tags(account: Account) -> None:
    account.before("create_green").run("create_green")
    elb = account.client("elbv2")
    wanted = {"viridian:managed": "true", "viridian:service": "shop", "viridian:release": RELEASE}
    for arn in (account.target_group("green"), standby_rule(account)["RuleArn"]):
        found = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
        assert wanted.items() <= {tag["Key"]: tag["Value"] for tag in found}.items()
    assert wanted.items() <= {tag["Key"]: tag["Value"] for tag in account.group("green")["Tags"]}.items()
    assert all(tag["PropagateAtLaunch"] for tag in account.group("green")["Tags"] if tag["Key"] in wanted)


def test_the_need_follows_a_blue_that_has_grown_since_the_plan(account: Account) -> None:
    account.before("create_green")
    account.client("autoscaling").set_desired_capacity(AutoScalingGroupName="shop-1", DesiredCapacity=5)
    assert account.run("create_green")["need"] == 5
    assert account.group("green")["DesiredCapacity"] == account.group("blue")["MinSize"] == 5


def test_a_group_of_that_name_that_isnt_ours_is_refused(account: Account) -> None:
    account.before("create_green")
    account.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=f"viridian-shop-{RELEASE}",
        MinSize=1,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateId": account.shop.launch_template_id, "Version": "1"},
        VPCZoneIdentifier=account.shop.subnet_ids[0],
    )
    with pytest.raises(Refusal, match="is not this release's"):
        account.run("create_green")
    assert account.group("green")["MinSize"] == 1


def test_nothing_is_made_under_an_epoch_that_has_passed(account: Account) -> None:
    account.before("create_green").move_epoch_on()
    with pytest.raises(Fenced):
        account.run("create_green")
    assert account.writes() == []


def test_a_missing_permission_is_named(account: Account) -> None:
    account.before("create_green")
    with (
        account.failing("elbv2", "CreateRule", "AccessDenied", 403),
        pytest.raises(NotPermitted, match="CreateRule"),
    ):
        account.run("create_green")


def test_a_slow_service_is_a_reason_to_try_again(account: Account) -> None:
    account.before("create_green")
    with (
        account.failing("autoscaling", "CreateAutoScalingGroup", "InternalFailure", 500),
        pytest.raises(Busy),
    ):
        account.run("create_green")
    account.run("create_green")
    assert account.group("green")["DesiredCapacity"] == 3


def test_green_is_upgraded_as_the_plan_says_and_blue_is_not(account: Account) -> None:
    fleet = {
        "instance_type": "t3.large",
        "metadata": {"hop_limit": 2},
        "min_size": 4,
        "max_size": 18,
        "targets": [{"policy": "requests", "value": 1200}],
    }
    account.upgrading("create_green", fleet)
    blue = account.group("blue")
    account.twice("create_green")
    (version,) = account.requests("CreateLaunchTemplateVersion")
    assert version["LaunchTemplateData"] == {
        "ImageId": account.record().image,
        "InstanceType": "t3.large",
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpEndpoint": "enabled",
            "HttpPutResponseHopLimit": 2,
        },
    }
    (group,) = account.requests("CreateAutoScalingGroup")
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (3, 3, 18)
    (policy,) = account.requests("PutScalingPolicy")
    assert policy["TargetTrackingConfiguration"]["TargetValue"] == 1200
    changed = {key for key, value in account.group("blue").items() if value != blue[key]}
    assert changed == {"MinSize"}, "its floor, as in every release"


def test_a_mixed_green_launches_its_types_from_its_own_version(account: Account) -> None:
    account.upgrading("create_green", {"instance_types": ["t3.large", "t3a.large"]}).run("create_green")
    template = account.group("green")["MixedInstancesPolicy"]["LaunchTemplate"]
    assert [each["InstanceType"] for each in template["Overrides"]] == ["t3.large", "t3a.large"]
    assert template["LaunchTemplateSpecification"]["Version"] == "2"


def test_a_lower_maximum_waits_for_promotion_since_the_need_may_rise_so_far(account: Account) -> None:
    account.upgrading("create_green", {"max_size": 4}).run("create_green")
    assert account.group("green")["MaxSize"] == 9


def test_a_load_that_doubled_while_the_image_was_baked_is_what_green_is_made_for(
    account: Account,
) -> None:
    account.planned("create_green", rate=1200.0)
    account.asked_for(blue=2400)
    assert account.run("create_green")["need"] == 6
    assert [account.group(side)["MinSize"] for side in ("blue", "green")] == [6, 6]
    assert account.group("green")["DesiredCapacity"] == 6
