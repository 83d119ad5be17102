"""Sweep: what is due is started, once, however often the sweeper looks."""

import json

import pytest

from tests.account import RELEASE, Account


@pytest.fixture
def machine(account: Account, monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine under the name of the one that retires."""
    made = account.client("stepfunctions").create_state_machine(
        name="viridian-retire",
        roleArn="arn:aws:iam::123456789012:role/viridian",
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
    )
    monkeypatch.setenv("RETIRE_STATE_MACHINE_ARN", made["stateMachineArn"])
    return str(made["stateMachineArn"])


def executions(account: Account, machine: str) -> list[str]:
    found = account.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return [execution["name"] for execution in found]


def test_nothing_is_due_before_a_promotion_nor_before_its_time(account: Account, machine: str) -> None:
    account.promoted().later(minutes=59)
    assert account.twice("sweep") == {"started": []}
    assert executions(account, machine) == []


def test_a_blue_whose_time_has_come_is_retired_once(account: Account, machine: str) -> None:
    account.promoted().later(minutes=61)
    (started,) = account.run("sweep")["started"]
    assert started.startswith(machine.replace(":stateMachine:", ":execution:"))
    account.run("sweep")
    (name,) = executions(account, machine)
    assert name.startswith(f"{RELEASE}-retire-")
    execution = account.client("stepfunctions").describe_execution(executionArn=started)
    assert json.loads(execution["input"]) == {"service": "shop", "release": RELEASE}


def test_a_retirement_that_died_is_started_again_ten_minutes_later(account: Account, machine: str) -> None:
    account.promoted().later(minutes=61)
    account.run("sweep")
    account.later(minutes=10)
    account.run("sweep")
    assert len(executions(account, machine)) == 2


def test_a_release_that_is_over_is_never_due_again(account: Account, machine: str) -> None:
    account.promoted().later(minutes=61)
    account.run("retire_blue")
    account.run("retire_blue")
    assert account.record().status == "Retired"
    assert account.run("sweep") == {"started": []}
    assert executions(account, machine) == []


def test_a_release_that_runs_or_was_rolled_back_is_not_due(account: Account, machine: str) -> None:
    account.shifted().later(hours=30)
    assert account.run("sweep") == {"started": []}
    assert executions(account, machine) == []
