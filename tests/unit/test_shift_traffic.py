"""ShiftTraffic: weights are set, never added to, and only where they are ours and green can carry them."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.account import NOW, Account
from tests.unit.test_take_order import MARA, WHY, order
from viridian.errors import Busy, DeadlinePassed, Drifted, Fenced, GateClosed, GreenUnfit, NotKept

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


@pytest.mark.parametrize(("shifts", "step", "stays", "green"), [(0, 0, 0, 0), (1, 1, 0, 10), (2, 2, 1, 50)])
def test_a_paused_release_gets_no_further_share(
    account: Account, shifts: int, step: int, stays: int, green: int
) -> None:
    account.shifted(shifts) if shifts else account.before("shift_traffic")
    order(account)
    account.calls.clear()
    answer = account.twice("shift_traffic", step=step)
    assert answer["step"] == stays
    assert answer["kept"].startswith(f"paused by {MARA} until ")
    assert answer["kept"].endswith(WHY)
    assert account.writes() == []
    assert account.weights().get(green_name(account), 0) == green
    order(account, order="resume", minutes=None)
    assert account.run("shift_traffic", step=step)["kept"] == ""


def test_a_share_that_was_about_to_be_written_is_written_all_the_same(account: Account) -> None:
    """The ledger says so already, and the judge would find the rule other than that."""
    account.shifted()
    with account.failing("elbv2", "ModifyRule", "Throttling"), pytest.raises(Busy):
        account.run("shift_traffic", step=1)
    order(account)
    assert account.run("shift_traffic", step=1)["kept"] == ""
    assert account.weights()["shop-1"] == 50


def test_a_share_that_an_order_let_through_asks_no_gate_when_it_is_tried_again(account: Account) -> None:
    """The order that skipped the gate may be another's by then."""
    account.planned("shift_traffic", gates=["after_step"])
    account.run("shift_traffic", step=0)
    order(account, order="promote", minutes=None)
    with account.failing("elbv2", "ModifyRule", "Throttling"), pytest.raises(Busy):
        account.run("shift_traffic", step=2)
    order(account)
    assert account.run("shift_traffic", step=2)["kept"] == ""
    assert account.weights() == {green_name(account): 100}


def test_a_step_that_is_kept_has_been_observed(account: Account) -> None:
    account.shifted()
    observe = account.record().plan.profile.steps[0].observe_minutes
    order(account)
    answer = account.run("shift_traffic", step=1)
    assert (answer["step"], bool(answer["kept"])) == (0, True)
    since = datetime.now(UTC) - datetime.fromisoformat(answer["shifted_at"])
    assert timedelta(minutes=observe) <= since < timedelta(minutes=observe + 1)


def test_whoever_hastens_a_release_skips_the_gates_after_its_steps_and_no_other(account: Account) -> None:
    account.planned("shift_traffic", gates=["after_step", "before_promote"])
    account.run("shift_traffic", step=0)
    with pytest.raises(GateClosed):
        account.run("shift_traffic", step=2)
    order(account, order="promote", minutes=None)
    account.run("shift_traffic", step=2)
    assert account.weights() == {green_name(account): 100}
    with pytest.raises(GateClosed):
        account.run("promote")
