"""RestoreBlue: traffic goes back before anything else, and whoever wrote before may not write again."""

import pytest

from tests.account import EXECUTION, RELEASE, Account
from viridian.errors import Busy, Fenced, NotKept


def test_all_traffic_goes_back_to_blue_once(account: Account) -> None:
    account.shifted(2)
    answer = account.run("restore_blue")
    assert answer["doing"] == "all traffic to blue"
    assert answer["end"] is None
    assert account.weights() == {"shop-1": 100}
    assert account.writes() == ["ModifyRule"]
    account.twice("restore_blue")
    assert account.writes() == ["ModifyRule"]


def test_the_epoch_moves_on_before_the_weights_are_read(account: Account) -> None:
    account.shifted(2)
    account.run("restore_blue")
    calls = [call["call"] for call in account.calls]
    assert calls.index("TransactWriteItems") < calls.index("DescribeRules")
    assert account.record().epoch == 2
    with pytest.raises(Fenced, match="is at epoch 2, this state acts for 1"):
        account.run("shift_traffic", step=2)


def test_a_late_writer_of_the_old_epoch_is_stopped_by_the_fence(account: Account) -> None:
    account.shifted()

    guards = [f"{EXECUTION}-guard"]

    def roll_back() -> None:
        if guards:
            account.run("restore_blue", execution=guards.pop())

    with (
        account.hooked("after-call", "elbv2", "DescribeRules", roll_back),
        pytest.raises(Fenced),
    ):
        account.run("shift_traffic", step=1)
    assert account.weights() == {"shop-1": 100}


def test_a_write_that_was_let_through_before_is_ours_however_late_it_lands(account: Account) -> None:
    account.shifted(2)
    weights, green = account.weights(), account.record().plan.green_target_group

    def overtaken() -> None:
        if account.record().epoch == 1:
            account.run("restore_blue")

    with account.hooked("before-call", "elbv2", "ModifyRule", overtaken):
        # Its fence was good; the way back began between that and the write.
        account.run("shift_traffic", step=2)
    assert weights != account.weights() == {green: 100}
    account.run("restore_blue")
    assert account.weights() == {"shop-1": 100}


def test_the_record_says_who_rolls_back_and_why(account: Account) -> None:
    account.shifted().run("restore_blue")
    record = account.record()
    assert (record.status, record.converger) == ("RollingBack", EXECUTION)
    assert record.failure == f"GreenFailed: alarm viridian-shop-{RELEASE}-errors is in ALARM"


def test_the_first_failure_is_the_one_that_is_kept(account: Account) -> None:
    account.shifted().run("restore_blue")
    account.later(hours=2)
    account.run("restore_blue", execution=f"{EXECUTION}-2", error="Lambda.Unknown", cause="")
    assert (account.record().failure or "").startswith("GreenFailed")


def test_lambdas_wrapping_is_taken_off_the_words(account: Account) -> None:
    cause = '{"errorMessage": "0 of 3 healthy", "errorType": "GreenUnfit", "stackTrace": []}'
    account.shifted().run("restore_blue", error="GreenUnfit", cause=cause)
    assert account.record().failure == "GreenUnfit: 0 of 3 healthy"


def test_a_release_that_never_took_its_route_is_refused(account: Account) -> None:
    answer = account.twice("restore_blue")
    assert answer["end"] == "Refused"
    assert answer["cause"].startswith("GreenFailed: alarm")
    assert "nothing was touched" in answer["cause"]
    assert account.writes() == []


def test_a_release_that_has_made_nothing_has_blue_serving_already(account: Account) -> None:
    account.before("bake_image")
    assert account.run("restore_blue")["doing"] == "blue serves alone"
    account.twice("restore_blue")
    assert account.writes() == []


def test_a_blue_that_is_short_gets_what_it_can_carry(account: Account) -> None:
    account.shifted(3).stop("blue", 2)
    account.calls.clear()
    answer = account.run("restore_blue")
    assert "green keeps 67%" in answer["doing"]
    assert account.weights() == {"shop-1": 33, account.record().plan.green_target_group: 67}
    assert account.record().restored_at is None, "blue isn't restored by half"


def test_a_blue_with_nobody_gets_nothing(account: Account) -> None:
    account.shifted(3).stop("blue", 3)
    account.calls.clear()
    account.run("restore_blue")
    assert "ModifyRule" not in account.writes()
    assert "shop-1" not in account.weights()


def test_weights_that_somebody_else_wrote_and_that_serve_are_left(account: Account) -> None:
    account.shifted().set_weights(blue=70, green=30)
    account.calls.clear()
    answer = account.run("restore_blue")
    assert answer["end"] == "Held"
    assert "somebody else wrote" in answer["cause"]
    assert account.writes() == []
    assert account.weights()["shop-1"] == 70


def test_weights_that_somebody_else_wrote_and_that_lead_to_nobody_are_not(account: Account) -> None:
    account.shifted().set_weights(blue=70, green=30)
    account.stop("green", 3)
    account.run("restore_blue")
    assert account.weights() == {"shop-1": 100}


def test_a_person_may_order_that_foreign_weights_be_written_over(account: Account) -> None:
    account.shifted().set_weights(blue=70, third=30)
    account.run("restore_blue", overwrite=True)
    assert {group: weight for group, weight in account.weights().items() if weight} == {"shop-1": 100}


def test_a_write_that_doesnt_hold_is_noticed_and_tried_again(account: Account) -> None:
    account.shifted()

    def write_back() -> None:
        account.set_weights(blue=90, green=10)

    with account.hooked("after-call", "elbv2", "ModifyRule", write_back), pytest.raises(NotKept):
        account.run("restore_blue")
    account.run("restore_blue")
    assert account.weights() == {"shop-1": 100}


def test_a_write_whose_answer_was_lost_is_found_done(account: Account) -> None:
    account.shifted()
    with account.failing("elbv2", "ModifyRule", "ServiceUnavailable", 503), pytest.raises(Busy):
        account.run("restore_blue")
    account.run("restore_blue")
    assert account.weights() == {"shop-1": 100}
    assert account.record().epoch == 2, "a release is taken over once by the same execution"


def test_whoever_comes_second_leaves_it_to_the_first(account: Account) -> None:
    account.shifted().run("restore_blue")
    account.calls.clear()
    answer = account.twice("restore_blue", execution=f"{EXECUTION}-guard")
    assert answer["doing"] == f"{EXECUTION} is rolling back"
    assert answer["again_in"] > 0
    assert account.writes() == []
    assert account.record().epoch == 2


def test_a_rollback_that_died_is_taken_over_after_its_time(account: Account) -> None:
    account.shifted().run("restore_blue")
    account.later(minutes=61)
    account.run("restore_blue", execution=f"{EXECUTION}-guard")
    assert account.record().converger == f"{EXECUTION}-guard"
    assert account.record().epoch == 3


def test_a_promoted_release_is_not_rolled_back_by_its_own_late_failure(account: Account) -> None:
    account.promoted()
    answer = account.twice("restore_blue")
    assert answer["end"] == "Promoted"
    assert account.writes() == []


def test_a_promoted_release_is_taken_back_by_a_person(account: Account) -> None:
    account.promoted()
    order = account.event("restore_blue")["order"]
    person = {"execution": f"{EXECUTION}-person", "error": "RollbackOrdered", "cause": "old prices"}
    for _ in range(2):
        assert account.run("restore_blue", order=order, **person)["end"] is None
        assert account.writes() == ["ModifyRule"]
    assert account.weights() == {"shop-1": 100}


def test_a_release_that_is_resolved_twice_is_not_taken_back(account: Account) -> None:
    account.promoted()
    order = {**account.event("restore_blue")["order"], "resolve": True}
    person = {"execution": f"{EXECUTION}-person", "error": "RollbackOrdered", "cause": "it is over"}
    assert account.twice("restore_blue", order=order, **person)["end"] == "Promoted"
    assert account.writes() == []


def test_a_promoted_release_is_not_taken_back_by_a_late_order_of_our_own(account: Account) -> None:
    account.promoted()
    order = {**account.event("restore_blue")["order"], "epoch": 2}
    late = {"execution": f"{EXECUTION}-2", "error": "RollbackOrdered", "cause": "an alarm"}
    answer = account.twice("restore_blue", order=order, **late)
    assert answer["end"] == "Promoted"
    assert account.writes() == []


def test_group_stickiness_that_the_rule_had_stays_and_ours_goes(account: Account) -> None:
    account.set_weights(blue=100, sticky=600)
    plan = account.run("plan_release")["plan"]
    account.run("acquire_lock", {"plan": plan})
    account.run("bake_image")
    account.later(minutes=5)
    for stem in ("create_green", "shift_traffic", "restore_blue"):
        account.run(stem)
    rule = account.client("elbv2").describe_rules(RuleArns=[account.shop.route_arn])["Rules"][0]
    sticky = rule["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"]
    assert (sticky["Enabled"], sticky["DurationSeconds"]) == (True, 600)
