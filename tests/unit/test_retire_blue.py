"""RetireBlue: blue goes once its recorded time has come, and only while it carries nothing."""

from datetime import timedelta
from typing import Any

import pytest

from tests.account import EXECUTION, RELEASE, Account
from tests.unit.test_promote import protected
from viridian import clone
from viridian.errors import Busy, Refusal

AT_TEN = dict.fromkeys(("started_at", "planned_at"), "2026-01-05T10:00:00Z")


@pytest.fixture
def due(account: Account) -> Account:
    """A promoted release whose blue has been kept as long as it was to be."""
    account.promoted().later(minutes=61)
    return account


def retire(account: Account) -> Any:
    for _ in range(20):
        answer = account.run("retire_blue")
        if answer["end"]:
            return answer
        account.later(seconds=answer["again_in"])
    raise AssertionError(answer)


def retire_for_good(account: Account) -> Any:
    assert retire(account)["end"] == "Emptied"
    account.later(days=7, seconds=1)
    return retire(account)


def test_blue_is_kept_until_its_time(account: Account) -> None:
    account.promoted().later(minutes=59)
    with pytest.raises(Refusal, match="Its blue is kept until"):
        account.run("retire_blue")
    assert account.writes() == []


def test_a_blue_at_zero_is_kept_for_its_days(due: Account) -> None:
    answer = retire(due)
    assert answer["end"] == "Emptied"
    assert answer["doing"].startswith("shop-1 stands at zero until 2026-01-12T10:06:")
    assert due.record().status == "Promoted"
    due.calls.clear()
    due.later(days=6)
    with pytest.raises(Refusal, match="Its blue is kept until"):
        due.run("retire_blue")
    assert due.writes() == []


def test_a_lent_blue_is_scaled_in_to_nothing_and_stays(due: Account) -> None:
    answer = retire_for_good(due)
    assert answer["end"] == "Retired"
    assert due.group("blue")["DesiredCapacity"] == due.group("blue")["MinSize"] == 0
    assert due.client("elbv2").describe_target_groups(TargetGroupArns=[due.target_group("blue")])[
        "TargetGroups"
    ]
    assert due.record().status == "Retired"


def test_blue_is_out_of_use_before_it_loses_its_instances(due: Account) -> None:
    retire(due)
    assert due.writes() == ["DeleteRule", "SuspendProcesses", "UpdateAutoScalingGroup"]


def suspended(account: Account) -> list[str]:
    return clone.suspended(account.group("blue"))


@pytest.mark.parametrize("own", [[], ["AZRebalance", "ScheduledActions"]])
def test_a_blue_at_zero_launches_nothing_and_keeps_what_its_owner_suspended(
    due: Account, own: list[str]
) -> None:
    if own:
        due.client("autoscaling").suspend_processes(AutoScalingGroupName="shop-1", ScalingProcesses=own)
    assert retire_for_good(due)["doing"].endswith("not made by a release. Resume Launch to use it again")
    assert suspended(due) == sorted([*own, "Launch"])
    assert due.requests("SuspendProcesses")[-1]["ScalingProcesses"] == ["Launch"]
    assert due.record().launches_suspended


def test_what_its_owner_keeps_from_launching_is_not_ours_to_resume(due: Account) -> None:
    due.client("autoscaling").suspend_processes(AutoScalingGroupName="shop-1", ScalingProcesses=["Launch"])
    due.calls.clear()
    retire(due)
    assert "SuspendProcesses" not in due.writes()
    assert not due.record().launches_suspended


def test_that_launches_are_suspended_is_written_down_before_they_are(due: Account) -> None:
    with due.failing("autoscaling", "SuspendProcesses", "ServiceUnavailable", 503), pytest.raises(Busy):
        due.run("retire_blue")
    assert due.record().launches_suspended
    assert due.group("blue")["DesiredCapacity"] == 3


def test_a_blue_that_is_kept_after_all_launches_again(due: Account) -> None:
    with due.failing("autoscaling", "UpdateAutoScalingGroup", "ServiceUnavailable", 503), pytest.raises(Busy):
        due.run("retire_blue")
    assert suspended(due) == ["Launch"]
    due.set_weights(green=50, blue=50)
    assert due.run("retire_blue")["end"] == "Held"
    assert suspended(due) == []
    assert not due.record().launches_suspended


@pytest.mark.parametrize(
    ("service", "call"),
    [("elbv2", "DeleteRule"), ("autoscaling", "SuspendProcesses"), ("autoscaling", "UpdateAutoScalingGroup")],
)
def test_what_is_not_permitted_is_tried_again_a_day_later_and_blue_stands_until_then(
    due: Account, service: str, call: str
) -> None:
    with due.failing(service, call, "AccessDenied", 403):
        answer = due.run("retire_blue")
    assert answer["end"] == "Held"
    assert answer["doing"].startswith(f"{call}: told to answer AccessDenied. Blue is kept")
    assert (due.group("blue")["DesiredCapacity"], suspended(due)) == (3, [])
    assert due.record().status == "Promoted"
    assert due.record().retire_at == pytest.approx(due.now() + timedelta(days=1), abs=timedelta(seconds=1))
    assert "release" not in lock(due)
    with pytest.raises(Refusal, match="Its blue is kept until"):
        due.run("retire_blue")
    due.later(days=1, seconds=1)
    assert retire_for_good(due)["end"] == "Retired"


def test_a_blue_that_may_not_be_deleted_stays_at_zero_until_it_may(account: Account) -> None:
    first = account.promoted().record().plan
    second = release(account, "3.0.0")
    with account.failing("autoscaling", "DeleteAutoScalingGroup", "AccessDenied", 403):
        retire_the_first(account, second, end="Held")
    (group,) = account.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[first.green_group]
    )["AutoScalingGroups"]
    assert (group["DesiredCapacity"], clone.suspended(group)) == (0, ["Launch"])
    account.later(days=1, seconds=1)
    order = {"service": "shop", "release": second["release"], "execution": f"{EXECUTION}-retire"}
    assert account.run("retire_blue", order)["end"] == "Retired"
    assert not account.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[first.green_group]
    )["AutoScalingGroups"]


def test_a_retirement_that_is_over_changes_nothing_more(due: Account) -> None:
    retire_for_good(due)
    due.calls.clear()
    assert due.twice("retire_blue")["end"] == "Retired"
    assert due.writes() == []


def test_green_keeps_serving(due: Account) -> None:
    retire(due)
    assert due.weights() == {due.record().plan.green_target_group: 100}
    assert due.group("green")["DesiredCapacity"] == 3


def test_a_blue_that_serves_again_is_left_alone(due: Account) -> None:
    due.set_weights(green=50, blue=50)
    due.calls.clear()
    assert due.run("retire_blue")["end"] == "Held"
    assert due.writes() == []
    assert due.group("blue")["DesiredCapacity"] == 3


def lock(account: Account) -> Any:
    (found,) = [item for item in account.ledger() if item["sk"] == "lock"]
    return found


def test_the_route_is_free_afterwards(due: Account) -> None:
    retire(due)
    assert "release" not in lock(due)


def test_another_release_on_the_route_is_waited_for(due: Account) -> None:
    plan = due.event("acquire_lock")["plan"]
    due.run("acquire_lock", {"plan": {**plan, "release": "3.0.0-abcdef", "execution": f"{EXECUTION}-3"}})
    due.calls.clear()
    answer = due.twice("retire_blue")
    assert answer["end"] is None
    assert "held by release 3.0.0-abcdef" in answer["doing"]
    assert due.writes() == []


@pytest.mark.parametrize("stage", ["create_green", "shift_traffic"])
def test_a_release_that_isnt_promoted_has_no_blue_to_retire(account: Account, stage: str) -> None:
    account.before(stage)
    with pytest.raises(Refusal, match="Only a promoted release's blue retires"):
        account.run("retire_blue")
    assert account.writes() == []


def test_a_release_that_nobody_knows_has_no_blue_to_retire(account: Account) -> None:
    with pytest.raises(Refusal, match=f"{RELEASE} of shop is not in the ledger"):
        account.run("retire_blue")


def release(account: Account, version: str, **asked: Any) -> Any:
    """One more release, promoted; answers with its plan."""
    request = {**account.event("plan_release")["request"], "version": version, **asked}
    event = {"request": request, "execution": EXECUTION + version, **AT_TEN}
    plan = account.run("plan_release", event)["plan"]
    ticket = {"service": "shop", "release": plan["release"]}
    ticket["epoch"] = account.run("acquire_lock", {"plan": plan})["epoch"]
    account.run("bake_image", ticket)
    account.later(minutes=5)
    account.run("create_green", ticket)
    for step in range(3):
        account.run("shift_traffic", {**ticket, "step": step})
    account.run("promote", ticket)
    return plan


def test_a_blue_that_a_release_made_goes_whole(account: Account) -> None:
    first = account.promoted().record().plan
    second = release(account, "3.0.0")
    retire_the_first(account, second)
    groups = account.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert {group["AutoScalingGroupName"] for group in groups} == {"shop-1", second["green_group"]}
    names = [g["TargetGroupName"] for g in account.client("elbv2").describe_target_groups()["TargetGroups"]]
    assert first.green_target_group not in names
    assert second["green_target_group"] in names


def retire_the_first(account: Account, second: Any, end: str = "Retired") -> None:
    """Lets the time of the sample release's fleet come, the second one's blue."""
    order = {"service": "shop", "release": second["release"], "execution": f"{EXECUTION}-retire"}
    account.later(minutes=61)
    assert account.run("retire_blue", order)["end"] == "Emptied"
    account.later(days=7, seconds=1)
    assert account.run("retire_blue", order)["end"] == end


def test_the_image_of_a_blue_that_is_gone_is_let_go_and_not_before(account: Account) -> None:
    first = account.promoted().record().image
    second = release(account, "3.0.0")
    account.later(minutes=61)
    order = {"service": "shop", "release": second["release"], "execution": f"{EXECUTION}-retire"}
    assert account.run("retire_blue", order)["end"] == "Emptied"
    assert first in protected(account), "its group can be brought back"
    account.later(days=7, seconds=1)
    assert account.run("retire_blue", order)["end"] == "Retired"
    (serving,) = protected(account)
    assert serving not in (first, account.shop.image_id)
    assert account.client("ec2").describe_images(ImageIds=[first])["Images"], "it is let go, not deregistered"


def test_an_image_that_serves_again_stays_protected_when_its_first_fleet_is_gone(account: Account) -> None:
    image = account.promoted().record().image
    retire_the_first(account, release(account, "2.0.1", source={"type": "ami", "image_id": image}))
    assert protected(account) == {image}
    assert "DisableImageDeregistrationProtection" not in account.writes()


def test_a_retirement_that_died_as_it_let_an_image_go_is_gone_on_with(account: Account) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    account.promoted()
    second = release(account, "3.0.0")
    call = ("ec2", "DisableImageDeregistrationProtection")
    with account.hooked("after-call", *call, die), pytest.raises(KeyboardInterrupt):
        retire_the_first(account, second)
    order = {"service": "shop", "release": second["release"], "execution": f"{EXECUTION}-retire"}
    assert account.run("retire_blue", order)["end"] == "Retired"
    assert account.writes().count(call[1]) == 1


def test_a_rolled_back_release_leaves_the_one_before_it_serving(account: Account) -> None:
    first = account.promoted().record().plan
    request = {**account.event("plan_release")["request"], "version": "3.0.0"}
    event = {"request": request, "execution": f"{EXECUTION}-3", **AT_TEN}
    plan = account.run("plan_release", event)["plan"]
    ticket = {"service": "shop", "release": plan["release"]}
    ticket["epoch"] = account.run("acquire_lock", {"plan": plan})["epoch"]
    account.run("bake_image", ticket)
    account.later(minutes=5)
    account.run("create_green", ticket)
    account.run("shift_traffic", {**ticket, "step": 0})
    asked = {"service": "shop", "release": plan["release"]}
    order = {"order": asked, "execution": f"{EXECUTION}-3", "error": "Gone"}
    for _ in range(12):
        answer = account.run("converge", order)
        account.later(seconds=answer["again_in"])
    assert answer["end"] == "RolledBack"
    assert account.weights() == {first.green_target_group: 100}
    groups = account.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert {group["AutoScalingGroupName"] for group in groups} == {"shop-1", first.green_group}
