"""Hooks that are Lambda functions: nobody is asked behind a fence that is broken, and each asking is in the journal."""

import pytest
from msgspec.structs import replace

from tests.account import Account
from viridian.aws import executions, functions
from viridian.errors import Fenced

HOOK = "arn:aws:lambda:us-east-1:123456789012:function:shop-checks"


def test_no_hook_is_asked_for_a_release_that_was_taken_over(account: Account) -> None:
    account.before("shift_traffic")
    fence = account.record().fence()
    account.calls.clear()
    with pytest.raises(Fenced):
        functions.ask(HOOK, {}, replace(fence, epoch=fence.epoch - 1))
    assert "Invoke" not in [call["call"] for call in account.calls]


def test_no_hook_is_started_for_a_release_that_was_taken_over(account: Account) -> None:
    account.before("shift_traffic")
    fence = account.record().fence()
    account.calls.clear()
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:shop-checks"
    with pytest.raises(Fenced):
        executions.start_hook(
            machine, "2.0.0-2010a8-before_traffic-1", {}, replace(fence, epoch=fence.epoch - 1)
        )
    assert "StartExecution" not in [call["call"] for call in account.calls]


def test_a_hook_that_is_gone_is_in_the_journal_as_asked_and_not_answered(account: Account) -> None:
    account.before("shift_traffic")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        functions.ask(HOOK, {}, account.record().fence())
    assert (account.journal()[-1]["call"], account.journal()[-1]["outcome"]) == ("Invoke", "unknown")


def test_what_is_not_there_has_no_tags(account: Account) -> None:
    assert account
    assert functions.tags(HOOK) is None
    assert functions.tags(f"{HOOK}:live") is None
