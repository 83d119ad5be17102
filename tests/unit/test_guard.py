"""Guard: an execution that ended without saying how its release did is gone on for, once."""

import pytest

from tests.account import ACCOUNT, REGION, RELEASE, Account

ROLLBACK = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:viridian-rollback:{RELEASE}"


@pytest.fixture(autouse=True)
def _machines(account: Account) -> None:
    account.make_machines()


def test_a_stopped_release_is_taken_back_traffic_first(account: Account) -> None:
    account.shifted(2).stop_execution()
    assert account.run("guard") == {"started": f"{ROLLBACK}-2"}
    assert account.weights() == {"shop-1": 100}
    assert account.writes() == ["ModifyRule", "StartExecution"]
    assert account.record().failure == "Stopped: by a person, from the console"


def test_the_event_is_believed_where_step_functions_does_not_show_it_yet(account: Account) -> None:
    account.shifted(2)
    assert account.run("guard") == {"started": f"{ROLLBACK}-2"}
    assert "DescribeExecution" not in [call["call"] for call in account.calls]


def test_the_same_event_three_times_is_one_rollback(account: Account) -> None:
    account.shifted(2).stop_execution()
    account.run("guard")
    account.calls.clear()
    assert [account.run("guard"), account.run("guard")] == [{"started": None}] * 2
    assert account.writes() == []
    assert list(account.executions("rollback")) == [f"{RELEASE}-2"]


@pytest.mark.parametrize("asked", [None, "{}", '{"service": "store", "release": "1.0.0-aaaaaa"}'])
def test_whose_it_was_the_ledger_says_and_not_the_events_input(account: Account, asked: str | None) -> None:
    """EventBridge leaves an input out that is too long for an event."""
    account.shifted(2).stop_execution()
    event = account.event("guard")
    event["detail"] |= {"input": asked, "inputDetails": {"included": asked is not None}}
    assert account.run("guard", event) == {"started": f"{ROLLBACK}-2"}


def test_an_execution_that_never_took_a_route_left_nothing_to_do(account: Account) -> None:
    account.stop_execution()
    assert account.run("guard") == {"started": None}
    assert account.writes() == []


def test_a_release_that_has_ended_is_over(account: Account) -> None:
    account.promoted().stop_execution()
    assert account.run("guard") == {"started": None}
    assert account.writes() == []


def test_a_rollback_that_is_stopped_is_followed_by_the_next(account: Account) -> None:
    account.shifted(2).stop_execution()
    account.run("guard")
    account.stop_execution(f"{ROLLBACK}-2")
    event = account.event("guard")
    event["detail"]["executionArn"] = f"{ROLLBACK}-2"
    assert account.run("guard", event) == {"started": f"{ROLLBACK}-3"}
    assert account.record().failure == "Stopped: by a person, from the console", "the first is kept"


def test_an_event_of_an_earlier_execution_does_not_touch_who_works_now(account: Account) -> None:
    account.shifted(2).stop_execution()
    account.run("guard")
    event = account.event("guard")
    event["time"] = "2026-01-06T09:20:00Z"
    assert account.run("guard", event) == {"started": None}
