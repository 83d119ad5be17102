"""JudgeGreen: what the alarms, the guards and the requests say of green, and what is to happen next."""

from typing import Any

import pytest

from tests.account import NOW, RELEASE, Account
from tests.unit.test_take_order import MARA, WHY, order
from viridian.errors import DeadlinePassed, Drifted, Fenced

ERRORS = f"viridian-shop-{RELEASE}-errors"


def judge(account: Account, step: int = 0, since: str = f"{NOW:%Y-%m-%dT%H:%M:%SZ}") -> Any:
    return account.run("judge_green", step=step, shifted_at=since)


@pytest.fixture
def serving(account: Account) -> Account:
    """A release at its first step, with a requests' worth of evidence eleven minutes later."""
    account.shifted()
    account.served("green", 60)
    account.later(minutes=5)
    assert account.event("judge_green")["shifted_at"] == "2026-01-05T09:20:00Z"
    return account


def test_judging_changes_nothing_but_the_record(serving: Account) -> None:
    answer = serving.twice("judge_green", shifted_at=f"{NOW:%Y-%m-%dT%H:%M:%SZ}")
    assert serving.writes() == []
    assert answer["verdict"] == "Successful"


def test_a_good_green_gets_its_next_share_after_its_observe_time(serving: Account) -> None:
    answer = judge(serving)
    assert (answer["verdict"], answer["next"]) == ("Successful", "shift")
    assert answer["reason"] == "60 requests to green, 5 alarms OK"


def test_the_last_step_ends_in_promotion(serving: Account) -> None:
    assert judge(serving, step=2)["next"] == "promote"


def test_a_step_is_observed_to_its_end(serving: Account) -> None:
    assert judge(serving, since="2026-01-05T09:06:00Z")["next"] == "wait"


def test_a_green_that_few_have_asked_is_waited_for_then_held(account: Account) -> None:
    account.shifted()
    account.served("green", 49)
    account.later(minutes=5)
    answer = judge(account)
    assert (answer["verdict"], answer["next"]) == ("Inconclusive", "wait")
    assert answer["reason"] == "49 requests to green, 50 needed"
    account.later(minutes=15)
    assert judge(account)["next"] == "hold"


def test_the_newest_minute_is_no_evidence_yet(account: Account) -> None:
    account.shifted()
    account.later(minutes=5)
    account.serve("green", 60)
    account.later(minutes=1)
    assert judge(account)["reason"] == "0 requests to green, 50 needed"


def test_errors_that_were_published_too_late_for_an_alarm_condemn_green_all_the_same(
    account: Account,
) -> None:
    account.shifted()
    account.later(minutes=1)
    account.serve("green", 60)
    account.serve("green", 3, "HTTPCode_Target_5XX_Count")
    account.later(minutes=5)
    answer = judge(account)
    assert (answer["verdict"], answer["next"]) == ("Failed", "roll_back")
    assert answer["reason"] == "More than 1% of green's requests end in 5xx: 5 at 09:06"


@pytest.mark.parametrize("name", ["shop-errors", ERRORS], ids=["a guard", "its own alarm"])
def test_an_alarm_condemns_green_at_once(serving: Account, name: str) -> None:
    judge(serving)  # the waived guard has been OK for a whole evaluation: it counts again
    serving.turn(name, "ALARM")
    answer = judge(serving, since="2026-01-05T09:10:59Z")
    assert (answer["verdict"], answer["next"]) == ("Failed", "roll_back")
    assert name in answer["reason"]


def test_a_waived_alarm_does_not_count_until_it_has_been_ok_for_a_while(account: Account) -> None:
    account.turn("shop-errors", "ALARM")
    account.shifted()
    account.served("green", 60)
    account.later(minutes=5)
    assert judge(account)["verdict"] == "Successful"
    account.turn("shop-errors", "OK")
    assert judge(account)["verdict"] == "Successful"
    account.turn("shop-errors", "ALARM")
    assert judge(account)["verdict"] == "Successful"
    account.turn("shop-errors", "OK")
    account.later(minutes=2)
    assert judge(account)["verdict"] == "Successful"
    assert account.record().reinstated == ("shop-errors",)
    account.turn("shop-errors", "ALARM")
    assert judge(account)["verdict"] == "Failed"


def test_an_alarm_that_is_gone_condemns_green(serving: Account) -> None:
    serving.client("cloudwatch").delete_alarms(AlarmNames=[ERRORS])
    answer = judge(serving)
    assert answer["next"] == "roll_back"
    assert answer["reason"] == f"alarm {ERRORS} does not exist any more"


def test_an_alarm_without_data_proves_nothing(serving: Account) -> None:
    serving.turn(ERRORS, "INSUFFICIENT_DATA")
    assert judge(serving)["verdict"] == "Inconclusive"


def test_a_green_with_nobody_left_has_failed(serving: Account) -> None:
    serving.stop("green", 3)
    answer = judge(serving)
    assert (answer["verdict"], answer["next"]) == ("Failed", "roll_back")


def test_a_green_that_is_short_goes_no_further(serving: Account) -> None:
    serving.stop("green", 1)
    answer = judge(serving)
    assert (answer["verdict"], answer["next"]) == ("Inconclusive", "wait")
    assert "2 of 3 healthy" in answer["reason"]


@pytest.mark.parametrize("side", ["blue", "green"])
def test_a_floor_that_sags_is_held_before_anything_else(serving: Account, side: str) -> None:
    name = serving.group(side)["AutoScalingGroupName"]
    serving.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1)
    assert judge(serving)["next"] == "hold_floors"
    serving.run("hold_floors")
    assert judge(serving)["next"] == "shift"


def test_a_failed_green_is_rolled_back_before_floors_are_mended(serving: Account) -> None:
    serving.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="shop-1", MinSize=1)
    serving.turn(ERRORS, "ALARM")
    assert judge(serving)["next"] == "roll_back"


@pytest.fixture
def growing(account: Account) -> Account:
    """A release at its first step, of a service that had 1,200 requests a minute at its start, and now has 2,400."""
    account.planned("shift_traffic", rate=1200.0).run("shift_traffic", step=0)
    account.asked_for(blue=2160, green=240)
    account.calls.clear()
    return account


def test_a_load_that_has_doubled_raises_the_floors_before_anything_else(growing: Account) -> None:
    answer = judge(growing)
    assert answer["next"] == "hold_floors"
    assert answer["reason"] == "2400 requests a minute, 1200 at the start: the need is 6, not 3"
    assert growing.record().need == 3, "the judge only looks"
    assert growing.run("hold_floors") == {"need": 6}
    growing.stop("green")
    answer = judge(growing)
    assert (answer["verdict"], answer["next"]) == ("Inconclusive", "wait")
    assert answer["reason"].startswith("green is short: 5 of 6 healthy")


def test_a_blue_that_has_yet_to_grow_keeps_green_from_its_next_share(growing: Account) -> None:
    growing.run("hold_floors")
    growing.stop("blue")
    answer = judge(growing)
    assert (answer["verdict"], answer["next"]) == ("Inconclusive", "wait")
    assert answer["reason"].startswith("blue is short: 5 of 6 healthy")


def test_a_failed_green_is_rolled_back_before_the_need_rises(growing: Account) -> None:
    growing.turn(ERRORS, "ALARM")
    assert judge(growing)["next"] == "roll_back"
    assert growing.record().need == 3


def test_one_question_to_cloudwatch_answers_for_green_and_for_the_need(growing: Account) -> None:
    judge(growing)
    assert len(growing.requests("GetMetricData")) == 1


def test_requests_from_before_a_step_are_no_evidence_for_it(growing: Account) -> None:
    growing.run("hold_floors")
    answer = judge(growing, since=f"{growing.now():%Y-%m-%dT%H:%M:%SZ}")
    assert answer["verdict"] == "Inconclusive"
    growing.later(minutes=5)
    assert judge(growing, since=f"{growing.now():%Y-%m-%dT%H:%M:%SZ}")["verdict"] == "Inconclusive"


def test_weights_that_somebody_else_wrote_stop_the_release(serving: Account) -> None:
    serving.set_weights(blue=100)
    with pytest.raises(Drifted):
        judge(serving)


def test_a_release_past_its_deadline_is_not_judged(serving: Account) -> None:
    serving.later(hours=4)
    with pytest.raises(DeadlinePassed):
        judge(serving)


def test_a_release_that_was_taken_over_is_not_judged(serving: Account) -> None:
    serving.move_epoch_on()
    with pytest.raises(Fenced):
        judge(serving)


def test_a_paused_release_is_judged_and_goes_nowhere(serving: Account) -> None:
    order(serving)
    answer = judge(serving)
    assert (answer["verdict"], answer["next"]) == ("Successful", "wait")
    assert answer["reason"].startswith(f"paused by {MARA} until 2026-01-05T09:")
    assert f": {WHY}; " in answer["reason"]
    serving.turn(ERRORS, "ALARM")
    assert judge(serving)["next"] == "roll_back"


def test_the_floors_of_a_paused_release_are_held(serving: Account) -> None:
    order(serving)
    serving.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="shop-1", MinSize=1)
    assert judge(serving)["next"] == "hold_floors"


def test_a_pause_that_runs_out_lets_the_release_go_on_and_is_written_down_once(serving: Account) -> None:
    order(serving, minutes=5)
    serving.later(minutes=5)
    serving.served("green", 60)
    serving.later(minutes=3)
    assert judge(serving)["next"] == "shift"
    record = serving.record()
    assert record.last_order is not None
    assert record.ran_out == record.last_order.until
    serving.calls.clear()
    judge(serving)
    assert serving.requests("TransactWriteItems") == []


def test_a_release_that_was_paused_for_long_has_all_its_patience_left(serving: Account) -> None:
    order(serving, minutes=120)
    serving.later(minutes=100)
    order(serving, order="resume", minutes=None)
    answer = judge(serving)
    assert (answer["verdict"], answer["next"]) == ("Inconclusive", "wait")
    assert answer["reason"] == "0 requests to green, 50 needed", "what was seen before the pause is old"


def test_whoever_hastens_a_release_has_it_judged_once_more_now(account: Account) -> None:
    account.shifted()
    order(account, order="promote", minutes=None)
    answer = judge(account)
    assert (answer["verdict"], answer["next"]) == ("Inconclusive", "hasten")
    assert answer["reason"].startswith(f"observing skipped by {MARA}: {WHY}; ")
    account.turn(ERRORS, "ALARM")
    assert judge(account)["next"] == "roll_back"


def test_a_green_that_a_pause_kept_from_its_first_traffic_has_its_time_anew(account: Account) -> None:
    account.before("shift_traffic")
    order(account)
    account.run("shift_traffic")
    assert judge(account)["next"] == "wait"
    account.later(minutes=30)
    assert judge(account)["next"] == "look_again"
    began = account.record().green_at
    assert began is not None
    assert abs((account.now() - began).total_seconds()) < 5
