"""Brake: from a red alarm to blue in six calls, whatever has become of the state machine."""

from typing import Any

import pytest

from tests.account import ACCOUNT, EXECUTION, REGION, RELEASE, Account
from viridian.errors import Busy

ROLLBACK = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:viridian-rollback:{RELEASE}-2"
TO_RESTORED = [
    "BatchGetItem",  # whose alarm is it, and do people want nothing written?
    "TransactWriteItems",  # the epoch moves on, the intent is journaled
    "DescribeRules",  # what does the rule show, now that no earlier writer can write?
    "DescribeTargetHealth",  # can blue carry everything?
    "ModifyRule",
    "DescribeRules",  # restored: read back
]


@pytest.fixture(autouse=True)
def _machines(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.make_machines()
    monkeypatch.setattr("time.sleep", lambda seconds: account.later(seconds=seconds))


def sent(account: Account) -> list[dict[str, Any]]:
    """What the brake asked, without what the sample event was fitted with."""
    return account.calls[[call["call"] for call in account.calls].index("BatchGetItem") :]


def test_from_the_event_to_restored_it_takes_six_calls_and_no_wait(account: Account) -> None:
    account.shifted(2)
    account.run("brake", time=f"{account.now():%Y-%m-%dT%H:%M:%SZ}")
    assert [call["call"] for call in sent(account)[:6]] == TO_RESTORED
    waits = [call["at"] - sent(account)[0]["at"] for call in sent(account)[:6]]
    assert max(waits) < 5, "no wait: the first look is five seconds later"
    assert account.weights() == {"shop-1": 100}


def brake(account: Account, **changes: Any) -> Any:
    return account.run("brake", time=f"{account.now():%Y-%m-%dT%H:%M:%SZ}", **changes)


def test_the_rest_is_the_rollback_machines_under_the_epochs_name(account: Account) -> None:
    account.shifted(2)
    assert brake(account) == {"started": [ROLLBACK]}
    assert list(account.executions("rollback")) == [f"{RELEASE}-2"]
    record = account.record()
    assert (record.status, record.epoch, record.converger) == ("RollingBack", 2, ROLLBACK)
    crossed = "Threshold Crossed: 1 datapoint [33.3] was greater than the threshold (1.0)."
    assert record.failure == f"GreenFailed: alarm viridian-shop-{RELEASE}-errors is in ALARM: {crossed}"


def test_a_way_back_that_was_given_up_before_it_began_leaves_no_end_behind(account: Account) -> None:
    account.shifted(2)
    account.run("page_person")
    account.later(minutes=10)
    brake(account)
    record = account.record()
    assert (record.status, record.ended_at, record.outcome) == ("RollingBack", None, None)


def test_it_stays_until_no_late_writer_is_left(account: Account) -> None:
    account.shifted(2)
    before = account.now()
    brake(account)
    assert (account.now() - before).total_seconds() >= 60


def test_a_write_that_comes_late_is_undone(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.shifted(2)
    half, looks = account.weights(), []

    def sleep(seconds: float) -> None:
        account.later(seconds=seconds)
        looks.append(account.weights())
        if len(looks) == 2:
            green = account.record().plan.green_target_group
            account.set_weights(blue=half["shop-1"], green=half[green])

    monkeypatch.setattr("time.sleep", sleep)
    brake(account)
    assert account.weights() == {"shop-1": 100}
    assert len(looks) >= 12


def test_braking_twice_is_harmless(account: Account) -> None:
    account.shifted(2)
    brake(account)
    account.calls.clear()
    brake(account)
    assert "ModifyRule" not in account.writes()
    assert account.record().epoch == 2


def test_a_brake_that_died_half_way_is_gone_on_with(account: Account) -> None:
    account.shifted(2)
    with account.failing("elbv2", "DescribeRules", "Throttling"), pytest.raises(Busy):
        brake(account)
    assert account.record().epoch == 2
    assert account.weights() != {"shop-1": 100}
    assert brake(account) == {"started": [ROLLBACK]}
    assert account.weights() == {"shop-1": 100}
    assert account.record().epoch == 2


def test_it_needs_no_state_machine(account: Account) -> None:
    account.shifted(2)
    with (
        account.failing("stepfunctions", "StartExecution", "ServiceUnavailable", 503),
        pytest.raises(Busy),
    ):
        brake(account)
    assert account.weights() == {"shop-1": 100}


def test_an_alarm_that_no_release_watches_costs_one_call(account: Account) -> None:
    account.shifted(2)
    event = account.event("brake")
    event["resources"] = [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:somebody-elses"]
    assert account.run("brake", event) == {"started": []}
    assert [call["call"] for call in sent(account)] == ["BatchGetItem"]


def test_an_alarm_that_went_red_before_the_release_says_nothing_about_it(account: Account) -> None:
    account.shifted(2)
    assert account.run("brake", time="2026-01-05T08:59:00Z") == {"started": []}
    assert account.writes() == []


def test_an_alarm_of_a_release_that_is_over_is_too_late(account: Account) -> None:
    account.promoted()
    assert brake(account) == {"started": []}
    assert account.writes() == []


def test_a_blue_that_is_short_gets_what_it_can_carry_and_a_person_is_told(account: Account) -> None:
    account.shifted(3).stop("blue", 2)
    account.calls.clear()
    brake(account)
    assert account.weights() == {"shop-1": 33, account.record().plan.green_target_group: 67}
    assert "blue carries 1 of 3" in (account.record().told or "")


def test_a_blue_with_nobody_gets_nothing(account: Account) -> None:
    account.shifted(3).stop("blue", 3)
    account.calls.clear()
    brake(account)
    assert "ModifyRule" not in account.writes()


def test_weights_that_somebody_else_wrote_and_that_serve_are_left(account: Account) -> None:
    account.shifted().set_weights(blue=70, green=30)
    account.calls.clear()
    brake(account)
    assert "ModifyRule" not in account.writes()
    assert account.record().status == "Held"


@pytest.mark.parametrize("route", ["its own", "*"])
def test_with_hands_off_nothing_is_written_and_the_release_is_held(account: Account, route: str) -> None:
    account.shifted(2)
    before = account.weights()
    account.take_hands_off("we are at it", route=account.shop.route_arn if route == "its own" else "*")
    account.calls.clear()
    brake(account)
    assert account.writes() == []
    assert account.weights() == before
    assert (account.record().status, account.record().outcome) == (
        "Held",
        "hands off: we are at it. Nothing was written",
    )
    assert account.executions("rollback") == {}


def test_a_one_way_migration_is_held_where_it_is(account: Account) -> None:
    event = account.event("acquire_lock")
    event["plan"]["profile"]["rollback"] = "hold"
    account.run("acquire_lock", event)
    account.run("bake_image")
    account.later(minutes=5)
    account.run("create_green")
    account.run("shift_traffic")
    before = account.weights()
    account.calls.clear()
    brake(account)
    assert account.weights() == before
    assert account.record().status == "Held"


def test_a_ledger_that_is_busy_for_a_moment_does_not_keep_it_waiting_for_a_minute(account: Account) -> None:
    account.shifted(2)
    with (
        account.failing("dynamodb", "TransactWriteItems", "TransactionInProgressException"),
        pytest.raises(Busy),
    ):
        brake(account)
    assert account.weights() != {"shop-1": 100}
    assert account.record().lock_execution == EXECUTION
    brake(account)
    assert account.weights() == {"shop-1": 100}
