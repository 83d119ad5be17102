"""ShiftTraffic: weights are set, never added to, and only where they are ours and green can carry them."""

import pytest

from tests.account import NOW, Account
from viridian.errors import Busy, DeadlinePassed, Drifted, Fenced, GreenUnfit, NotKept

FAILOVER = "target_group_health.dns_failover.minimum_healthy_targets.count"


def attribute(account: Account, side: str, key: str) -> str:
    found = account.client("elbv2").describe_target_group_attributes(
        TargetGroupArn=account.target_group(side)
    )["Attributes"]
    return str(next(item["Value"] for item in found if item["Key"] == key))


def green_name(account: Account) -> str:
    return account.record().plan.green_target_group


def test_a_step_is_taken_once_however_often_it_is_asked_for(account: Account) -> None:
    account.before("shift_traffic")
    answer = account.twice("shift_traffic")
    assert account.writes() == ["ModifyTargetGroupAttributes", "ModifyRule"]
    assert account.weights() == {"shop-1": 90, green_name(account): 10}
    assert sorted(answer["weights"].values()) == [10, 90]
    assert answer["step"] == 0


def test_steps_lead_to_the_whole_and_blue_leaves_the_rule(account: Account) -> None:
    account.before("shift_traffic")
    green = green_name(account)
    for step, weights in enumerate([{"shop-1": 90, green: 10}, {"shop-1": 50, green: 50}, {green: 100}]):
        account.run("shift_traffic", step=step)
        assert account.weights() == weights


def test_the_undo_log_holds_the_weights_before_and_after(account: Account) -> None:
    account.shifted()
    before, after = account.record().written
    blue, green = account.target_group("blue"), account.target_group("green")
    assert before.weights == {blue: 100}
    assert after.weights == {blue: 90, green: 10}


def test_green_counts_for_dns_from_its_first_weight_on(account: Account) -> None:
    account.before("shift_traffic")
    assert attribute(account, "green", FAILOVER) == "off"
    account.run("shift_traffic")
    assert attribute(account, "green", FAILOVER) == attribute(account, "blue", FAILOVER) == "1"


def test_weights_that_somebody_else_wrote_are_left_as_they_are(account: Account) -> None:
    account.shifted()
    account.set_weights(blue=30, green=70)
    account.calls.clear()
    with pytest.raises(Drifted, match=r"the rule shows .*70; this release last wrote .*90"):
        account.run("shift_traffic", step=1)
    assert "ModifyRule" not in account.writes()
    assert account.weights()["shop-1"] == 30


def test_a_green_that_lost_somebody_gets_no_more(account: Account) -> None:
    account.shifted().stop("green")
    account.calls.clear()
    with pytest.raises(GreenUnfit, match="2 of 3 healthy"):
        account.run("shift_traffic", step=1)
    assert account.writes() == []


def test_a_write_that_doesnt_hold_is_noticed(account: Account) -> None:
    account.before("shift_traffic")
    green = account.target_group("green")

    def write_back() -> None:
        account.set_weights(blue=100)

    with (
        account.hooked("after-call", "elbv2", "ModifyRule", write_back),
        pytest.raises(NotKept, match=r"wrote .*90.*, the rule shows .*100"),
    ):
        account.run("shift_traffic")
    assert green not in account.weights()


def test_a_write_whose_answer_was_lost_is_found_done(account: Account) -> None:
    def cut() -> None:
        raise ConnectionResetError("the answer was lost")

    account.before("shift_traffic")
    with account.hooked("after-call", "elbv2", "ModifyRule", cut), pytest.raises(ConnectionResetError):
        account.run("shift_traffic")
    account.twice("shift_traffic")
    assert account.writes().count("ModifyRule") == 1
    assert account.weights()["shop-1"] == 90


def test_a_write_that_never_arrived_is_sent_again(account: Account) -> None:
    account.before("shift_traffic")
    with account.failing("elbv2", "ModifyRule", "Throttling"), pytest.raises(Busy):
        account.run("shift_traffic")
    assert account.weights() == {"shop-1": 100}
    account.run("shift_traffic")
    assert account.weights()["shop-1"] == 90


def test_a_zombie_of_an_older_epoch_writes_nothing(account: Account) -> None:
    account.shifted().move_epoch_on()
    with pytest.raises(Fenced):
        account.run("shift_traffic", step=1)
    assert account.writes() == []


def test_a_zombie_between_its_reads_and_its_write_is_stopped_by_the_fence(account: Account) -> None:
    account.shifted()
    with (
        account.hooked("after-call", "elbv2", "DescribeTargetHealth", account.move_epoch_on),
        pytest.raises(Fenced),
    ):
        account.run("shift_traffic", step=1)
    assert account.writes() == []
    assert account.weights()["shop-1"] == 90


def test_a_release_past_its_deadline_goes_no_further(account: Account) -> None:
    account.shifted()
    account.later(seconds=(account.record().plan.deadline - NOW).total_seconds())
    with pytest.raises(DeadlinePassed):
        account.run("shift_traffic", step=1)
    assert account.writes() == []


def test_a_third_group_keeps_its_place(account: Account) -> None:
    account.set_weights(blue=100, third=0)
    plan = account.run("plan_release")["plan"]
    account.run("acquire_lock", {"plan": plan})
    account.run("bake_image")
    account.later(minutes=5)
    account.run("create_green")
    account.run("shift_traffic")
    assert account.weights() == {"shop-1": 90, green_name(account): 10, "third": 0}
