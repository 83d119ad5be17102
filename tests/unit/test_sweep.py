"""Sweep: what is due is started and what is dead is taken back, once, however often the sweeper looks."""

import pytest

from tests.account import ACCOUNT, EXECUTION, REGION, RELEASE, Account
from tests.unit.test_take_order import order
from viridian.errors import Busy, SweepIncomplete

ROLLBACK = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:viridian-rollback:{RELEASE}"


@pytest.fixture(autouse=True)
def _machines(account: Account) -> None:
    account.make_machines()


def test_nothing_is_due_before_a_promotion_nor_before_its_time(account: Account) -> None:
    account.promoted().later(minutes=59)
    assert account.twice("sweep") == {"started": []}
    assert account.executions("retire") == {}


def test_a_blue_whose_time_has_come_is_retired_once(account: Account) -> None:
    account.promoted().later(minutes=61)
    (started,) = account.run("sweep")["started"]
    account.run("sweep")
    ((name, order),) = account.executions("retire").items()
    assert started == f"arn:aws:states:{REGION}:{ACCOUNT}:execution:viridian-retire:{name}"
    assert name.startswith(f"{RELEASE}-retire-")
    assert order == {"service": "shop", "release": RELEASE}


def test_a_retirement_that_died_is_started_again_ten_minutes_later(account: Account) -> None:
    account.promoted().later(minutes=61)
    account.run("sweep")
    account.later(minutes=10)
    account.run("sweep")
    assert len(account.executions("retire")) == 2


def test_a_release_that_is_over_is_never_due_again(account: Account) -> None:
    account.promoted().later(minutes=61)
    account.run("retire_blue")
    account.later(days=7, seconds=1)
    account.run("retire_blue")
    assert account.record().status == "Retired"
    assert account.run("sweep") == {"started": []}
    assert account.executions("retire") == {}


def test_a_release_that_runs_is_left_alone(account: Account) -> None:
    account.shifted().later(minutes=30)
    assert account.run("sweep") == {"started": []}
    assert account.writes() == []


def test_a_release_whose_execution_is_dead_is_taken_back_traffic_first(account: Account) -> None:
    account.shifted(2).stop_execution()
    assert account.run("sweep") == {"started": [f"{ROLLBACK}-2"]}
    assert account.weights() == {"shop-1": 100}
    assert account.writes() == ["ModifyRule", "StartExecution"]
    record = account.record()
    assert (record.status, record.epoch, record.converger) == ("RollingBack", 2, f"{ROLLBACK}-2")
    order = {"service": "shop", "release": RELEASE, "reason": record.failure, "epoch": 2}
    assert account.executions("rollback") == {f"{RELEASE}-2": order}


@pytest.mark.parametrize(("minutes", "taken"), [(69, False), (71, True)])
def test_a_release_that_was_paused_is_late_by_so_much_later(
    account: Account, minutes: int, taken: bool
) -> None:
    """The sweeper takes over what runs ten minutes past its deadline."""
    account.shifted()
    order(account, minutes=60)
    account.later(seconds=(account.record().plan.deadline - account.now()).total_seconds())
    account.later(minutes=minutes)
    assert bool(account.run("sweep")["started"]) is taken


def test_a_sweep_that_comes_again_finds_the_rollback_running(account: Account) -> None:
    account.shifted(2).stop_execution()
    account.run("sweep")
    account.calls.clear()
    assert account.run("sweep") == {"started": []}
    assert account.writes() == []
    assert account.record().epoch == 2


def test_a_rollback_that_died_is_followed_by_that_of_the_next_epoch(account: Account) -> None:
    account.shifted(2).stop_execution()
    account.run("sweep")
    account.stop_execution(f"{ROLLBACK}-2")
    restored_at = account.record().restored_at
    assert account.run("sweep") == {"started": [f"{ROLLBACK}-3"]}
    assert account.record().restored_at == restored_at, "what has settled so far counts"


def test_a_rollback_that_was_named_and_never_began_is_started_under_its_name(account: Account) -> None:
    account.shifted(2).stop_execution()
    with (
        account.failing("stepfunctions", "StartExecution", "ServiceUnavailable", 503),
        pytest.raises(SweepIncomplete, match="StartExecution"),
    ):
        account.run("sweep")
    assert account.weights() == {"shop-1": 100}, "traffic waits for no state machine"
    assert account.run("sweep") == {"started": [f"{ROLLBACK}-2"]}
    assert account.record().epoch == 2


def test_an_execution_nobody_knows_yet_has_a_minute(account: Account) -> None:
    """DescribeExecution is eventually consistent."""
    account.shifted()
    account.client("stepfunctions")
    with account.failing("stepfunctions", "DescribeExecution", "ExecutionDoesNotExist"):
        young = account.record().taken_at
        assert young is not None
        account.later(seconds=61 - (account.now() - young).total_seconds() - 30)
        started = account.run("sweep")["started"]
        account.later(seconds=60)
        late = account.run("sweep")["started"]
    assert (started, late) == ([], [f"{ROLLBACK}-2"])


def test_a_release_that_runs_past_its_deadline_is_taken_back(account: Account) -> None:
    account.shifted().later(hours=30)
    assert account.run("sweep") == {"started": [f"{ROLLBACK}-2"]}


def test_what_waits_for_a_person_is_left_to_one(account: Account) -> None:
    account.shifted().set_weights(blue=70, green=30)
    account.run("restore_blue")
    assert account.record().status == "Held"
    account.stop_execution()
    account.later(hours=30)
    assert account.run("sweep") == {"started": []}


def test_one_release_that_fails_keeps_none_of_the_others_waiting(account: Account) -> None:
    account.shifted(2).stop_execution()
    with (
        account.failing("elbv2", "DescribeRules", "Throttling"),
        pytest.raises(SweepIncomplete, match=f"{RELEASE} of shop: "),
    ):
        account.run("sweep")
    assert list(account.executions("rollback")) == [f"{RELEASE}-2"], "the machine tries again meanwhile"


def test_a_ledger_that_does_not_answer_ends_the_sweep_with_a_name(account: Account) -> None:
    with account.failing("dynamodb", "Query", "ThrottlingException"), pytest.raises(Busy):
        account.run("sweep")


def test_the_one_who_started_it_is_no_secret(account: Account) -> None:
    account.shifted(2).stop_execution()
    account.run("sweep")
    assert (account.record().told or "").startswith(f"the sweeper took it over from {EXECUTION}")
