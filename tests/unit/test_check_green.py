"""CheckGreen: green may be tested once both floors hold and enough of it is healthy."""

from typing import Any

import pytest

from tests.account import NOW, Account
from viridian.errors import Busy, DeadlinePassed, Drifted, Fenced


def check(account: Account) -> Any:
    return account.run("check_green")


@pytest.fixture
def standing(account: Account) -> Account:
    """A release whose green was just made."""
    account.before("create_green").run("create_green")
    account.calls.clear()
    return account


def test_a_whole_green_is_healthy_and_says_what_to_test(standing: Account) -> None:
    answer = standing.twice("check_green")
    assert (answer["state"], answer["reason"]) == ("healthy", "3 of 3 healthy")
    assert answer["endpoint"]["dns_name"] == standing.shop.load_balancer_dns
    assert answer["standby"] == standing.record().plan.standby.value
    assert answer["tests"][0]["path"] == "/"
    assert answer["preview"].startswith(
        f"http://{standing.shop.load_balancer_dns}/ with the header x-viridian-standby: shop."
    )
    assert answer["standby"] in answer["preview"]
    assert standing.writes() == []


def test_a_green_that_lacks_somebody_is_waited_for_by_name(standing: Account) -> None:
    standing.stop("green")
    answer = standing.twice("check_green")
    assert answer["state"] == "waiting"
    assert answer["reason"].startswith("2 of 3 healthy")
    assert standing.group("green")["Instances"][0]["InstanceId"] in answer["reason"]


def test_a_green_that_stays_sick_has_a_deadline(standing: Account) -> None:
    standing.stop("green", 3)
    standing.later(minutes=19)
    assert check(standing)["state"] == "waiting"
    standing.later(minutes=2)
    with pytest.raises(DeadlinePassed, match="not healthy after 20 minutes: 0 of 3"):
        check(standing)


@pytest.mark.parametrize("side", ["blue", "green"])
def test_a_fleet_below_its_floor_is_short(standing: Account, side: str) -> None:
    name = standing.group(side)["AutoScalingGroupName"]
    standing.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1)
    assert check(standing)["state"] == "short"


def test_a_blue_that_grew_makes_green_short(standing: Account) -> None:
    standing.client("autoscaling").set_desired_capacity(AutoScalingGroupName="shop-1", DesiredCapacity=4)
    assert check(standing)["state"] == "short"
    standing.run("hold_floors")
    assert check(standing)["state"] in ("healthy", "waiting")


@pytest.fixture
def busy(account: Account) -> Account:
    """A release whose green was just made, of a service whose requests have doubled since."""
    account.planned("create_green", rate=1200.0).run("create_green")
    account.asked_for(blue=2400)
    account.calls.clear()
    return account


def test_a_load_that_has_doubled_makes_both_fleets_short(busy: Account) -> None:
    answer = busy.twice("check_green")
    assert (answer["state"], answer["reason"]) == ("short", "3 of 6 healthy")
    assert busy.writes() == []
    assert busy.run("hold_floors") == {"need": 6}
    assert check(busy)["state"] == "healthy"


def test_a_blue_that_grows_with_the_load_is_waited_for(busy: Account) -> None:
    busy.run("hold_floors")
    busy.stop("blue")
    answer = check(busy)
    assert answer["state"] == "waiting"
    assert answer["reason"].startswith("5 of 6 healthy in shop-1")


def test_a_green_that_isnt_whole_is_no_reason_to_ask_for_the_load(busy: Account) -> None:
    busy.stop("green")
    assert check(busy)["state"] == "waiting"
    assert busy.requests("GetMetricData") == []


def test_a_blue_that_is_gone_is_named(standing: Account) -> None:
    event = standing.event("check_green")
    standing.client("autoscaling").delete_auto_scaling_group(AutoScalingGroupName="shop-1", ForceDelete=True)
    with pytest.raises(Drifted, match="shop-1 is gone"):
        standing.run("check_green", event)


def test_a_green_that_isnt_shown_yet_is_looked_for_again(standing: Account) -> None:
    name = standing.record().plan.green_group
    standing.client("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    with pytest.raises(Busy, match=name):
        check(standing)


def test_a_release_that_was_taken_over_does_not_look(standing: Account) -> None:
    standing.move_epoch_on()
    with pytest.raises(Fenced):
        check(standing)


def test_green_is_as_old_as_its_group(standing: Account) -> None:
    made = standing.record().green_at
    assert made is not None
    assert (made - NOW).total_seconds() == pytest.approx(300, abs=30)
