"""Auto Scaling: groups as they are, clones, floors, and an end without force."""

from typing import Any

import pytest

from tests.account import RELEASE, Account
from viridian import names
from viridian.aws import auto_scaling
from viridian.errors import Busy, Refusal

OURS = names.tags("shop", RELEASE)


def test_a_fleet_is_the_groups_sizes_and_each_instances_health(account: Account) -> None:
    account.stop("blue")
    side = auto_scaling.side(account.group("blue"), account.shop.target_group_arn)
    assert (side.minimum, side.desired, side.maximum) == (2, 3, 9)
    assert sorted(member.health for member in side.members) == ["healthy", "healthy", "unused"]
    assert {member.reason for member in side.members if member.health != "healthy"} == {"Target.InvalidState"}


@pytest.mark.parametrize(
    ("state", "stands"),
    [
        ("InService", True),
        ("Pending", True),
        ("Pending:Wait", True),
        ("Standby", True),
        ("Terminating", False),
        ("Terminating:Wait", False),
        ("Terminated", False),
        ("Detaching", False),
        ("Warmed:Stopped", False),
    ],
)
def test_whoever_leaves_does_not_stand_any_more(account: Account, state: str, stands: bool) -> None:
    group = account.group("blue")
    group["Instances"] = [{**group["Instances"][0], "LifecycleState": state}]
    side = auto_scaling.side(group, account.shop.target_group_arn)
    assert (len(side.members) == 1) is stands


def test_a_weighted_instance_counts_for_its_capacity(account: Account) -> None:
    group = account.group("blue")
    group["Instances"][0]["WeightedCapacity"] = "4"
    assert auto_scaling.side(group, account.shop.target_group_arn).healthy() == 6


def test_an_instance_that_the_balancer_does_not_know_is_unregistered(account: Account) -> None:
    instance = account.group("blue")["Instances"][0]["InstanceId"]
    account.client("elbv2").deregister_targets(
        TargetGroupArn=account.shop.target_group_arn, Targets=[{"Id": instance}]
    )
    side = auto_scaling.side(account.group("blue"), account.shop.target_group_arn)
    assert side.healthy() == 2


def test_the_group_on_a_target_group_is_found_on_any_page(account: Account) -> None:
    for number in range(12):
        account.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=f"a-{number}",
            MinSize=0,
            MaxSize=0,
            LaunchTemplate={"LaunchTemplateId": account.shop.launch_template_id, "Version": "1"},
            VPCZoneIdentifier=account.shop.subnet_ids[0],
        )

    def shorten(params: dict[str, Any], **_: Any) -> None:
        params["MaxRecords"] = 5

    with account.asked("autoscaling", "DescribeAutoScalingGroups", shorten):
        found = auto_scaling.attached(account.shop.target_group_arn)
    assert found["AutoScalingGroupName"] == "shop-1"
    assert len(account.requests("DescribeAutoScalingGroups")) > 1


def test_a_target_group_that_nobody_fills_is_refused(account: Account) -> None:
    with pytest.raises(Refusal, match="is served by no Auto Scaling group"):
        auto_scaling.attached(account.target_group("third"))


def test_a_hook_goes_along_so_that_the_first_instances_have_it(account: Account) -> None:
    account.client("autoscaling").put_lifecycle_hook(
        AutoScalingGroupName="shop-1",
        LifecycleHookName="warm",
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        HeartbeatTimeout=60,
        DefaultResult="CONTINUE",
    )
    account.before("create_green")
    account.run("create_green")
    (asked,) = account.requests("CreateAutoScalingGroup")
    (hook,) = asked["LifecycleHookSpecificationList"]
    assert (hook["LifecycleHookName"], hook["HeartbeatTimeout"]) == ("warm", 60)


def test_a_floor_is_read_back_into_the_journal(account: Account) -> None:
    fence = account.before("bake_image").record().fence()
    side = auto_scaling.side(account.group("blue"), account.shop.target_group_arn)
    auto_scaling.set_minimum(side, 3, fence)
    entry = account.journal()[-1]
    assert (entry["before"], entry["after"], entry["shown"]) == (
        '{"MinSize":2}',
        '{"MinSize":3}',
        '{"MinSize":3}',
    )


@pytest.mark.parametrize(
    ("minimum", "desired", "need", "wanted"),
    [(1, 1, 3, (3, 3)), (1, 5, 3, (3, 5)), (4, 5, 3, None), (3, 3, 3, None), (4, 4, 5, (5, 5))],
)
def test_capacity_is_given_back_and_never_taken(
    account: Account, minimum: int, desired: int, need: int, wanted: tuple[int, int] | None
) -> None:
    fence = account.before("bake_image").record().fence()
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="shop-1", MinSize=minimum, DesiredCapacity=desired
    )
    account.calls.clear()
    side = auto_scaling.side(account.group("blue"), account.shop.target_group_arn)
    auto_scaling.raise_desired(side, need, fence)
    group = account.group("blue")
    assert (group["MinSize"], group["DesiredCapacity"]) == (wanted or (minimum, desired))
    assert account.writes() == (["UpdateAutoScalingGroup"] if wanted else [])


def test_a_group_with_instances_is_waited_for(account: Account) -> None:
    record = account.before("shift_traffic").record()
    assert auto_scaling.delete(record.plan.green_group, OURS, record.fence()) is False
    assert account.writes() == []


@pytest.mark.parametrize("code", ["ResourceInUse", "ScalingActivityInProgress"])
def test_a_group_that_is_not_ready_to_go_is_tried_again(account: Account, code: str) -> None:
    record = account.before("shift_traffic").record()
    auto_scaling.empty(record.plan.green_group, {"viridian:managed": "true"}, record.fence())
    with (
        account.failing("autoscaling", "DeleteAutoScalingGroup", code),
        pytest.raises(Busy, match="not ready to go"),
    ):
        auto_scaling.delete(record.plan.green_group, OURS, record.fence())
    assert auto_scaling.delete(record.plan.green_group, OURS, record.fence()) is True
    assert "ForceDelete" not in str(account.requests("DeleteAutoScalingGroup"))


def test_a_group_that_is_gone_is_gone(account: Account) -> None:
    fence = account.before("bake_image").record().fence()
    assert auto_scaling.find("nothing") is None
    assert auto_scaling.delete("nothing", OURS, fence) is True
    auto_scaling.empty("nothing", {}, fence)
    assert account.writes() == []
