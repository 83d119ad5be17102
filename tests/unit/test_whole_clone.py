"""Green beside blue, through the real handlers: a blue with everything set, one with nothing set, and what is refused."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.account import ACCOUNT, REGION, RELEASE, Account
from tests.everything import TOPIC, alarm, furnish, schedule
from tests.stack import ROOT
from viridian import forecast, names
from viridian.aws import auto_scaling
from viridian.errors import Busy, Refusal

GREEN = f"viridian-shop-{RELEASE}"
OURS = names.tags("shop", RELEASE)
# What can't be the same, or is only when the release is over.
OWN = ("AutoScalingGroupARN", "AutoScalingGroupName", "CreatedTime", "Instances", "Tags", "TargetGroupARNs")


def dimension(account: Account, side: str) -> str:
    return account.target_group(side).split(":")[-1]


def strip(account: Account) -> None:
    """As little as AWS lets a group have."""
    asg, name = account.client("autoscaling"), account.shop.group_name
    asg.delete_policy(AutoScalingGroupName=name, PolicyName="requests")
    asg.update_auto_scaling_group(
        AutoScalingGroupName=name,
        HealthCheckType="EC2",
        HealthCheckGracePeriod=0,
        DefaultInstanceWarmup=-1,
        TerminationPolicies=["Default"],
    )
    mine = ("viridian:managed", "viridian:service")
    asg.delete_tags(
        Tags=[
            {"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": tag["Key"]}
            for tag in account.group("blue")["Tags"]
            if tag["Key"] not in mine
        ]
    )


def shown(account: Account, side: str) -> Any:
    """Everything that AWS shows of a side's group, under blue's names."""
    asg, group = account.client("autoscaling"), account.group(side)
    name = group["AutoScalingGroupName"]
    policies = asg.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
    notified = asg.describe_notification_configurations(AutoScalingGroupNames=[name])
    actions = asg.describe_scheduled_actions(AutoScalingGroupName=name)["ScheduledUpdateGroupActions"]
    whole = {
        "group": {key: value for key, value in group.items() if key not in OWN},
        "tags": {tag["Key"]: tag["Value"] for tag in group["Tags"] if "viridian:" not in tag["Key"]},
        "hooks": asg.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"],
        "policies": {policy["PolicyName"]: {**policy, "Alarms": None} for policy in policies},
        "actions": {action["ScheduledActionName"]: action for action in actions},
        "notified": notified["NotificationConfigurations"],
        "alarms": {str(alarm["Threshold"]): alarm for alarm in driving(account, policies)},
    }
    text = json.dumps(whole, default=str, sort_keys=True).replace(name, account.shop.group_name)
    text = text.replace(dimension(account, side), dimension(account, "blue"))
    return json.loads(text)


def driving(account: Account, policies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The settings of the alarms that drive these policies."""
    names = sorted({alarm["AlarmName"] for policy in policies for alarm in policy.get("Alarms", [])})
    if not names:
        return []
    found = account.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    own = ("State", "AlarmName", "AlarmArn", "AlarmConfiguration")
    return [{key: alarm[key] for key in alarm if not key.startswith(own)} for alarm in found]


def released(account: Account) -> tuple[Any, Any]:
    """Blue as it was before, and green as it is once promoted: the release goes through its real handlers."""
    before = shown(account, "blue")
    account.run("plan_release")
    account.before("promote").run("promote")
    return before, shown(account, "green")


def test_green_is_a_blue_that_has_everything(account: Account) -> None:
    furnish(account, account.shop, account.now())
    blue, green = released(account)
    assert green["group"].pop("LaunchTemplate")["Version"] == "2"
    assert blue["group"].pop("LaunchTemplate")["Version"] == "1"
    assert green == blue
    assert all(blue.values()), "a part that nothing was set of"


def test_green_is_as_mixed_as_blue_is(account: Account) -> None:
    template = {"LaunchTemplateId": account.shop.launch_template_id, "Version": "1"}
    weights = [{"InstanceType": kind, "WeightedCapacity": "1"} for kind in ("t3.micro", "t3a.micro")]
    mixed = {
        "LaunchTemplate": {"LaunchTemplateSpecification": template, "Overrides": weights},
        "InstancesDistribution": {"OnDemandBaseCapacity": 1, "SpotAllocationStrategy": "lowest-price"},
    }
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="shop-1", MixedInstancesPolicy=mixed
    )
    blue, green = released(account)
    policies = [side["group"].pop("MixedInstancesPolicy") for side in (blue, green)]
    versions = [policy["LaunchTemplate"].pop("LaunchTemplateSpecification")["Version"] for policy in policies]
    assert versions == ["1", "2"]
    assert policies[0] == policies[1]
    blue["group"].pop("LaunchTemplate")  # moto leaves it beside the policy
    green["group"].pop("LaunchTemplate", None)
    assert green == blue


def test_green_is_a_blue_that_has_nothing(account: Account) -> None:
    strip(account)
    blue, green = released(account)
    green["group"].pop("LaunchTemplate")
    blue["group"].pop("LaunchTemplate")
    assert green == blue
    assert [part for part in blue if blue[part]] == ["group"]
    made = ["CreateAutoScalingGroup", "UpdateAutoScalingGroup"]
    assert {
        call["call"] for call in account.calls if call["service"] == "autoscaling" and call["mutating"]
    } <= {*made}


def test_what_changes_a_size_by_itself_waits_for_promotion(account: Account) -> None:
    furnish(account, account.shop, account.now())
    account.before("promote")
    waiting = shown(account, "green")
    assert waiting["actions"] == {}
    assert "WarmPoolConfiguration" not in waiting["group"]
    assert not {"PutScheduledUpdateGroupAction", "PutWarmPool"} & set(account.writes())
    account.twice("promote")
    promoted = shown(account, "green")
    assert set(promoted["actions"]) == {"night", "sale"}
    assert promoted["group"]["WarmPoolConfiguration"]["MinSize"] == 1


def test_everything_is_made_once(account: Account) -> None:
    furnish(account, account.shop, account.now())
    account.before("create_green")
    account.twice("create_green")
    assert account.writes().count("PutScalingPolicy") == 5
    assert account.writes().count("PutMetricAlarm") == 4 + 2


@pytest.mark.parametrize(
    "call", ["SuspendProcesses", "EnableMetricsCollection", "PutNotificationConfiguration", "PutScalingPolicy", "PutMetricAlarm"]
)  # fmt: skip
def test_a_try_that_died_after_a_call_is_taken_up_by_the_next(account: Account, call: str) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    furnish(account, account.shop, account.now())
    account.before("create_green")
    service = "cloudwatch" if call == "PutMetricAlarm" else "autoscaling"
    with account.hooked("after-call", service, call, die), pytest.raises(KeyboardInterrupt):
        account.run("create_green")
    account.twice("create_green")
    assert account.writes().count("PutScalingPolicy") == 5
    assert account.writes().count("PutMetricAlarm") == 4 + 2


@pytest.mark.parametrize("call", ["PutScheduledUpdateGroupAction", "PutWarmPool"])
def test_a_promotion_that_died_is_taken_up_by_the_next(account: Account, call: str) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    furnish(account, account.shop, account.now())
    account.before("promote")
    with account.hooked("after-call", "autoscaling", call, die), pytest.raises(KeyboardInterrupt):
        account.run("promote")
    account.twice("promote")
    assert account.writes().count("PutScheduledUpdateGroupAction") == 2
    assert account.writes().count("PutWarmPool") == 1


def test_greens_alarms_drive_green_and_nothing_else(account: Account) -> None:
    furnish(account, account.shop, account.now())
    account.before("create_green").run("create_green")
    prefix = f"viridian-shop-{RELEASE}-scaling-"
    cloudwatch = account.client("cloudwatch")
    made = {a["AlarmName"]: a for a in cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]}
    assert set(made) == {f"{prefix}out-1", f"{prefix}out-2"}
    busy = made[f"{prefix}out-1"]
    assert busy["Dimensions"] == [{"Name": "AutoScalingGroupName", "Value": GREEN}]
    assert [action.split("/")[-1] for action in busy["AlarmActions"]] == [
        f"{GREEN}:policyName/out".split("/")[-1],
        TOPIC,
    ]
    assert all(GREEN in action for action in (busy["AlarmActions"][0], *busy["OKActions"]))
    tags = cloudwatch.list_tags_for_resource(ResourceARN=busy["AlarmArn"])["Tags"]
    assert {"Key": "viridian:release", "Value": RELEASE} in tags


def test_an_alarm_is_not_made_before_the_policy_that_it_drives_is_seen(account: Account) -> None:
    """Auto Scaling shows a policy a little after it was put: the alarm would be made without it, and stay so."""

    def hide(params: dict[str, Any], **_: Any) -> None:
        if params["AutoScalingGroupName"] == GREEN:
            params["AutoScalingGroupName"] = "nobody"

    furnish(account, account.shop, account.now())
    account.before("create_green")
    with (
        account.asked("autoscaling", "DescribePolicies", hide),
        pytest.raises(Busy, match="not to be seen yet: ahead, back, custom, out, requests"),
    ):
        account.run("create_green")
    assert "PutMetricAlarm" not in account.writes()
    account.run("create_green")
    assert account.writes().count("PutMetricAlarm") == 4 + 2


def test_an_alarm_that_drives_another_group_too_is_not_its_driver_twice(account: Account) -> None:
    furnish(account, account.shop, account.now())
    other = (
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:1:autoScalingGroupName/other:policyName/out"
    )
    (busy,) = account.client("cloudwatch").describe_alarms(AlarmNames=["busy"])["MetricAlarms"]
    kept = ("MetricName", "Namespace", "Dimensions", "Statistic", "Period", "EvaluationPeriods", "Threshold")
    alarm(
        account,
        "busy",
        **{key: busy[key] for key in kept},
        AlarmActions=[*busy["AlarmActions"], other],
    )
    account.before("create_green").run("create_green")
    made = f"viridian-shop-{RELEASE}-scaling-out-1"
    (copy,) = account.client("cloudwatch").describe_alarms(AlarmNames=[made])["MetricAlarms"]
    assert other not in copy["AlarmActions"]
    assert len(copy["AlarmActions"]) == 2


def test_what_drives_green_goes_before_green_is_emptied(account: Account) -> None:
    """An alarm that stays red would scale it out again and again."""
    furnish(account, account.shop, account.now())
    account.before("shift_traffic")
    for _ in range(20):
        account.run("restore_blue")
        account.later(minutes=2)
        answer = account.run("converge")
        if answer["end"]:
            break
    assert answer["end"] == "RolledBack"
    alarms = account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {each["AlarmName"] for each in alarms} == {"shop-errors", "busy", "crowded"}
    deleted = [call["request"] for call in account.calls if call["call"] == "DeleteAlarms"]
    assert "scaling-out-1" in str(deleted[0])


def test_a_group_that_may_be_brought_back_keeps_its_alarms_and_its_warm_pool(account: Account) -> None:
    furnish(account, account.shop, account.now())
    account.before("promote")
    fence = account.record().fence()
    auto_scaling.copy_warm_pool(GREEN, account.group("blue"), fence)
    account.calls.clear()
    auto_scaling.empty(GREEN, {"viridian:managed": "true"}, fence)
    assert account.writes() == ["SuspendProcesses", "SetInstanceProtection", "UpdateAutoScalingGroup"]


def test_a_group_that_goes_for_good_takes_its_alarms_and_its_warm_pool_along(account: Account) -> None:
    furnish(account, account.shop, account.now())
    account.before("promote")
    fence = account.record().fence()
    auto_scaling.copy_warm_pool(GREEN, account.group("blue"), fence)
    account.calls.clear()
    auto_scaling.empty(GREEN, OURS, fence)
    let_go = ["DeleteAlarms", "DeleteWarmPool", "SetInstanceProtection", "UpdateAutoScalingGroup"]
    assert account.writes() == let_go
    auto_scaling.empty(GREEN, OURS, fence)
    assert account.writes() == let_go
    account.later(minutes=3)
    assert auto_scaling.delete(GREEN, OURS, fence) is True
    assert account.writes() == [*let_go, "DeleteAutoScalingGroup"]


def test_what_its_owner_gave_a_group_stays_with_it(account: Account) -> None:
    furnish(account, account.shop, account.now())
    fence = account.before("promote").record().fence()
    auto_scaling.empty("shop-1", {"viridian:managed": "true"}, fence)
    assert account.writes() == ["SuspendProcesses", "UpdateAutoScalingGroup"]
    assert account.group("blue")["WarmPoolConfiguration"]["MinSize"] == 1


def test_a_group_is_not_deleted_before_its_warm_pool_has_gone(account: Account) -> None:
    furnish(account, account.shop, account.now())
    fence = account.before("promote").record().fence()
    auto_scaling.empty(GREEN, OURS, fence)
    auto_scaling.copy_warm_pool(GREEN, account.group("blue"), fence)
    for _ in range(2):
        assert auto_scaling.delete(GREEN, OURS, fence) is False
    assert account.writes().count("DeleteWarmPool") == 1
    assert "DeleteAutoScalingGroup" not in account.writes()


Act = Callable[[Account], object]


def predict(account: Account, specification: dict[str, Any]) -> None:
    account.client("autoscaling").put_scaling_policy(
        AutoScalingGroupName=account.shop.group_name,
        PolicyName="ahead",
        PolicyType="PredictiveScaling",
        PredictiveScalingConfiguration={"MetricSpecifications": [specification]},
    )


def own_capacity(account: Account) -> None:
    shared = forecast.shared({"TargetValue": 40.0}, "shop-1", "shop")
    name = [{"Name": "AutoScalingGroupName", "Value": "shop-1"}]
    stat = {"Namespace": "AWS/AutoScaling", "MetricName": "GroupInServiceInstances", "Dimensions": name}
    query = {"Id": "capacity", "MetricStat": {"Metric": stat, "Stat": "Average"}}
    predict(account, {**shared, "CustomizedCapacityMetricSpecification": {"MetricDataQueries": [query]}})


def suspend(process: str) -> Act:
    return lambda account: account.client("autoscaling").suspend_processes(
        AutoScalingGroupName="shop-1", ScalingProcesses=[process]
    )


REFUSED: dict[str, tuple[Act, tuple[str, ...]]] = {
    "launches suspended": (suspend("Launch"), ("suspended Launch", "Resume it")),
    "terminations suspended": (suspend("Terminate"), ("suspended Terminate",)),
    "registrations suspended": (suspend("AddToLoadBalancer"), ("suspended AddToLoadBalancer",)),
    "a forecast of its own": (
        lambda account: predict(
            account,
            {"TargetValue": 40.0, "PredefinedMetricPairSpecification": {"PredefinedMetricType": "ASGCPUUtilization"}},
        ),
        ("policy ahead of shop-1 forecasts from that group alone", "viridian-shop", "CPUUtilization"),
    ),
    "a forecast with its own capacity": (own_capacity, ("forecasts from that group alone",)),
    "a size in processors": (
        lambda account: account.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName="shop-1", DesiredCapacityType="vcpu"
        ),
        ("its size in vcpu", "units"),
    ),
    "a second target group": (
        lambda account: account.client("autoscaling").attach_load_balancer_target_groups(
            AutoScalingGroupName="shop-1", TargetGroupARNs=[account.target_group("third")]
        ),
        ("another target group", "third"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("act", "told"), REFUSED.values(), ids=REFUSED)
def test_what_green_could_not_be_like_is_refused_before_anything_is_touched(
    account: Account, act: Act, told: tuple[str, ...]
) -> None:
    act(account)
    account.calls.clear()
    with pytest.raises(Refusal) as refused:
        account.run("plan_release")
    assert refused.value.field == "route"
    assert [word for word in told if word not in str(refused.value)] == []
    assert account.writes() == []


@pytest.mark.parametrize("kind", ["ASGCPUUtilization", "ASGNetworkIn", "ASGNetworkOut", "ALBRequestCount"])
def test_the_forecast_that_a_refusal_prints_is_one_that_is_taken(account: Account, kind: str) -> None:
    pair = {"PredefinedMetricPairSpecification": {"PredefinedMetricType": kind}}
    shared = forecast.shared({"TargetValue": 40.0, **pair}, "shop-1", "shop")
    predict(account, shared)
    account.run("plan_release")
    account.before("create_green").run("create_green")
    (copy,) = account.client("autoscaling").describe_policies(
        AutoScalingGroupName=GREEN, PolicyTypes=["PredictiveScaling"]
    )["ScalingPolicies"]
    assert copy["PredictiveScalingConfiguration"]["MetricSpecifications"] == [shared]


def test_the_page_shows_the_forecast_that_a_refusal_prints() -> None:
    page = (ROOT / "docs" / "clone.md").read_text()
    (shown,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert json.loads(shown) == forecast.shared({"TargetValue": 40.0}, "shop-1", "shop")


def test_the_plan_names_the_scheduled_actions_that_fall_inside(account: Account) -> None:
    schedule(account, account.shop, account.now())
    account.client("autoscaling").put_scheduled_update_group_action(
        AutoScalingGroupName="shop-1", ScheduledActionName="soon", MinSize=1, Recurrence="*/30 * * * *"
    )
    told = [line for line in account.run("plan_release")["plan"]["changes"] if "scheduled" in line]
    assert len(told) == 1
    assert "scheduled action soon of shop-1 falls inside, at 2026-01-05T09:30Z" in told[0]
