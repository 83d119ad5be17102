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
