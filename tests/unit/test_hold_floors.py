"""HoldFloors: neither fleet may scale in below the need while a release runs."""

import pytest

from tests.account import Account
from viridian.errors import Fenced


def floors(account: Account) -> tuple[int, int]:
    return account.group("blue")["MinSize"], account.group("green")["MinSize"]


def test_floors_that_hold_are_left_alone(account: Account) -> None:
    account.before("shift_traffic")
    assert account.twice("hold_floors") == {"need": 3}
    assert account.writes() == []
    assert floors(account) == (3, 3)


@pytest.mark.parametrize(("stage", "state"), [("create_green",) * 2, ("shift_traffic", "hold_floors")])
def test_nobodys_health_is_asked_for_a_floor(account: Account, stage: str, state: str) -> None:
    account.before(stage).calls.clear()
    account.run(state)
    assert account.requests("DescribeAutoScalingGroups")
    assert account.requests("DescribeTargetHealth") == []


@pytest.mark.parametrize("side", ["blue", "green"])
def test_a_floor_that_somebody_lowered_is_raised_again(account: Account, side: str) -> None:
    account.before("shift_traffic")
    name = account.group(side)["AutoScalingGroupName"]
    account.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1)
    account.calls.clear()
    account.twice("hold_floors")
    assert account.writes() == ["UpdateAutoScalingGroup"]
    assert floors(account) == (3, 3)


def test_the_need_follows_blue_until_green_has_its_first_share(account: Account) -> None:
    account.before("shift_traffic")
    grow = account.client("autoscaling").set_desired_capacity
    grow(AutoScalingGroupName="shop-1", DesiredCapacity=5)
    assert account.twice("hold_floors") == {"need": 5}
    assert floors(account) == (5, 5)


def test_the_need_never_falls(account: Account) -> None:
    account.before("shift_traffic")
    scale = account.client("autoscaling").update_auto_scaling_group
    scale(AutoScalingGroupName="shop-1", MinSize=1, DesiredCapacity=1)
    assert account.run("hold_floors") == {"need": 3}
    assert floors(account) == (3, 3)


def test_a_blue_that_has_given_traffic_away_is_no_measure_any_more(account: Account) -> None:
    account.shifted()
    account.client("autoscaling").set_desired_capacity(AutoScalingGroupName="shop-1", DesiredCapacity=7)
    assert account.run("hold_floors") == {"need": 3}


@pytest.fixture
def busy(account: Account) -> Account:
    """A release at its first step, of a service that had 1,200 requests a minute at its start."""
    account.planned("shift_traffic", rate=1200.0).run("shift_traffic", step=0)
    account.calls.clear()
    return account


def test_the_need_follows_the_requests_of_both_fleets(busy: Account) -> None:
    busy.asked_for(blue=2160, green=240)
    assert busy.twice("hold_floors") == {"need": 6}
    assert floors(busy) == (6, 6)
    raised = [entry for entry in busy.journal() if entry["call"] == "UpdateAutoScalingGroup"][-2:]
    assert [(entry["before"], entry["after"], entry["shown"]) for entry in raised] == [
        ('{"MinSize":3}', '{"MinSize":6}', '{"MinSize":6}')
    ] * 2
    watched = [item["service#shop"] for item in busy.ledger() if item["sk"] == "watch"]
    assert watched
    assert all('"need":6' in told for told in watched), "the brake knows it too"


def test_a_need_that_has_risen_stays_when_the_requests_go(busy: Account) -> None:
    busy.asked_for(blue=2160, green=240)
    busy.run("hold_floors")
    busy.asked_for(blue=60, green=60)
    assert busy.run("hold_floors") == {"need": 6}


def test_traffic_that_only_moves_raises_nothing(busy: Account) -> None:
    busy.asked_for(blue=600, green=600)
    assert busy.run("hold_floors") == {"need": 3}


def test_the_need_rises_no_further_than_either_group_may(busy: Account) -> None:
    busy.asked_for(blue=9000)
    green = busy.group("green")["AutoScalingGroupName"]
    busy.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=green, MaxSize=7)
    assert busy.run("hold_floors") == {"need": 7}
    assert floors(busy) == (7, 7)


def test_requests_that_cannot_be_had_raise_nothing_and_stop_nothing(busy: Account) -> None:
    busy.asked_for(blue=2400)
    name = busy.group("green")["AutoScalingGroupName"]
    busy.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1)
    with busy.failing("cloudwatch", "GetMetricData", "InternalServiceFault", 500):
        assert busy.run("hold_floors") == {"need": 3}
    assert floors(busy) == (3, 3)


def test_a_release_that_knows_no_rate_of_its_start_asks_for_none(account: Account) -> None:
    account.shifted()
    account.asked_for(blue=2400)
    assert account.run("hold_floors") == {"need": 3}
    assert account.requests("GetMetricData") == []


def test_a_higher_floor_than_ours_is_kept(account: Account) -> None:
    account.before("shift_traffic")
    account.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="shop-1", MinSize=3 + 1)
    account.run("hold_floors")
    assert account.group("blue")["MinSize"] == 4


def test_no_floor_is_touched_under_an_epoch_that_has_passed(account: Account) -> None:
    account.before("shift_traffic").move_epoch_on()
    with pytest.raises(Fenced):
        account.run("hold_floors")
    assert account.writes() == []
