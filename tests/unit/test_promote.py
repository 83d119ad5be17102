"""Promote: green serves alone and well, so it becomes blue, and the route is free."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.account import RELEASE, Account
from viridian.errors import Drifted, Fenced, GreenUnfit

PROTECT = "EnableImageDeregistrationProtection"
WRITES = ["ModifyRule", "UpdateAutoScalingGroup", PROTECT, "DeleteAlarms"]


def test_a_release_is_promoted_once(account: Account) -> None:
    account.before("promote")
    answer = account.twice("promote")
    assert account.writes() == WRITES
    assert answer["weights"] == {account.target_group("green"): 100}
    assert account.record().status == "Promoted"


def test_blue_is_kept_behind_the_standby_rule_until_its_time(account: Account) -> None:
    answer = account.before("promote").run("promote")
    record = account.record()
    rules = account.client("elbv2").describe_rules(ListenerArn=account.shop.listener_arn)["Rules"]
    standby = next(rule for rule in rules if rule["Priority"] == "99")
    groups = standby["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert {group["TargetGroupArn"]: group["Weight"] for group in groups} == {
        account.target_group("blue"): 100,
        account.target_group("green"): 0,
    }
    assert record.retire_at is not None
    assert datetime.fromisoformat(answer["retire_at"]) == record.retire_at
    assert record.retire_at - datetime.now(UTC) == pytest.approx(
        timedelta(minutes=60), abs=timedelta(seconds=9)
    )
    assert account.group("blue")["MinSize"] == 3, "blue could take everything back until it retires"


def test_green_gets_the_floor_that_blue_had(account: Account) -> None:
    account.before("promote").run("promote")
    assert account.group("green")["MinSize"] == 2


def test_greens_alarms_go_and_the_guard_stays(account: Account) -> None:
    account.before("promote").run("promote")
    alarms = account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in alarms] == ["shop-errors"]


def test_the_route_is_free_for_the_next_release(account: Account) -> None:
    account.before("promote").run("promote")
    (lock,) = [item for item in account.ledger() if item["sk"] == "lock"]
    assert "release" not in lock
    assert lock["epoch"] == "1"


def protected(account: Account) -> set[str]:
    """The account's images that nobody may deregister."""
    found = account.client("ec2").describe_images(Owners=["self"])["Images"]
    return {image["ImageId"] for image in found if image["DeregistrationProtection"] != "disabled"}


def test_greens_image_is_protected_and_one_that_no_release_made_is_left(account: Account) -> None:
    account.before("promote")
    assert protected(account) == set(), "what may be rolled back must go"
    account.run("promote")
    assert protected(account) == {account.record().image}
    assert account.record().plan.blue_image == account.shop.image_id


def test_blues_image_is_protected_with_it_if_a_release_made_that(account: Account) -> None:
    account.before("promote")
    made = {"viridian:managed": "true", "viridian:service": "shop", "viridian:release": "1.0.0-abcdef"}
    tags = [{"Key": key, "Value": value} for key, value in made.items()]
    account.client("ec2").create_tags(Resources=[account.shop.image_id], Tags=tags)
    account.calls.clear()
    account.twice("promote")
    assert account.writes().count(PROTECT) == 2
    assert protected(account) == {account.record().image, account.shop.image_id}


@pytest.mark.parametrize("call", WRITES)
def test_a_try_that_died_after_any_call_is_taken_up_by_the_next(account: Account, call: str) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    services = {"ModifyRule": "elbv2", "DeleteAlarms": "cloudwatch", PROTECT: "ec2"}
    service = services.get(call, "autoscaling")
    account.before("promote")
    with account.hooked("after-call", service, call, die), pytest.raises(KeyboardInterrupt):
        account.run("promote")
    account.twice("promote")
    assert account.record().status == "Promoted"
    assert account.writes() == WRITES


def test_a_green_that_shares_is_not_promoted(account: Account) -> None:
    account.shifted(2)
    with pytest.raises(Drifted, match="was to serve alone"):
        account.run("promote")
    assert account.writes() == []


def test_a_green_that_lost_somebody_is_not_promoted(account: Account) -> None:
    account.before("promote").stop("green")
    account.calls.clear()
    with pytest.raises(GreenUnfit):
        account.run("promote")
    assert account.writes() == []


def test_weights_that_somebody_else_wrote_stop_the_promotion(account: Account) -> None:
    account.before("promote").set_weights(blue=1, green=99)
    account.calls.clear()
    with pytest.raises(Drifted):
        account.run("promote")
    assert account.writes() == []


def test_a_release_that_was_taken_over_is_not_promoted(account: Account) -> None:
    account.before("promote").move_epoch_on()
    with pytest.raises(Fenced):
        account.run("promote")
    assert account.writes() == []


def test_a_release_that_was_promoted_shifts_no_more(account: Account) -> None:
    account.promoted()
    for late in ("shift_traffic", "create_green", "hold_floors", "bake_image"):
        with pytest.raises(Fenced, match=f"release {RELEASE} has ended Promoted"):
            account.run(late)
    assert account.writes() == []


@pytest.mark.parametrize(
    ("asked", "sizes", "writes"),
    [
        ({"min_size": 1, "max_size": 18}, (1, 18), 1),
        ({"min_size": 3, "max_size": 4}, (3, 4), 1),
        ({"min_size": 0, "max_size": 4}, (0, 4), 2),
        ({"max_size": 3}, (2, 3), 2),
        ({"min_size": 5}, (5, 9), 1),
    ],
)
def test_green_gets_the_limits_that_were_asked_for(
    account: Account, asked: dict[str, int], sizes: tuple[int, int], writes: int
) -> None:
    account.upgrading("promote", asked)
    blue = account.group("blue")
    account.twice("promote")
    green = account.group("green")
    assert (green["MinSize"], green["MaxSize"]) == sizes
    assert account.writes().count("UpdateAutoScalingGroup") == writes
    assert account.group("blue") == blue


def test_a_maximum_never_takes_away_what_green_has_grown_to(account: Account) -> None:
    account.upgrading("promote", {"max_size": 4})
    account.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=f"viridian-shop-{RELEASE}", DesiredCapacity=6
    )
    account.run("promote")
    assert (account.group("green")["DesiredCapacity"], account.group("green")["MaxSize"]) == (6, 6)


def test_weights_that_somebody_writes_meanwhile_are_seen_before_it_is_over(account: Account) -> None:
    account.before("promote")

    def drift() -> None:
        account.set_weights(green=80, blue=20)

    with (
        account.hooked("after-call", "autoscaling", "UpdateAutoScalingGroup", drift),
        pytest.raises(Drifted, match="was to serve alone"),
    ):
        account.run("promote")
    assert account.record().status == "Releasing"
