"""PassGate: a release goes through a gate once whatever has a say there has said yes, and is asked once."""

from datetime import datetime
from typing import Any

import pytest

from tests.account import Account
from viridian.approval import Answered
from viridian.aws import approvals
from viridian.errors import DeadlinePassed, Fenced, GateClosed
from viridian.record import Record

GATED = {"before_traffic": True, "before_promote": False, "minutes": 60, "not_by_starter": False}


def gated(account: Account, stem: str = "shift_traffic", **approval: Any) -> Account:
    """A release whose service wants a person's yes."""
    plan = account.event("acquire_lock")["plan"]
    asked = {**GATED, **approval}
    standing = [gate for gate in ("before_traffic", "before_promote") if asked[gate]]
    return account.planned(stem, profile={**plan["profile"], "approval": asked}, gates=standing)


def say(record: Record, answer: Any) -> None:
    question = approvals.find(str(record.passages[0].approval))
    assert question is not None
    said = Answered(answer=answer, at=question.until, by="mara", reason="looked at it")
    assert approvals.close(record, question, said)


def test_people_are_asked_one_question_however_often_the_gate_is_tried(account: Account) -> None:
    gated(account)
    first = account.run("pass_gate")
    again = account.run("pass_gate")
    assert first["next"] == again["next"] == "ask"
    assert first["approval"] == again["approval"]
    assert 0 < first["again_in"] <= 300
    assert account.writes() == []


def test_a_yes_opens_the_gate_after_another_look_at_green(account: Account) -> None:
    gated(account).run("pass_gate")
    say(account.record(), "approve")
    through = account.run("pass_gate")
    assert through["next"] == "look_again"
    assert through["reason"] == "approved by mara: looked at it"
    assert account.run("pass_gate")["next"] == "open"


def test_what_was_known_of_green_is_old_once_the_gate_has_opened(account: Account) -> None:
    gated(account).run("pass_gate")
    account.later(minutes=50)
    say(account.record(), "approve")
    assert account.run("pass_gate")["observed_since"] is None
    began = account.record().green_at
    assert began is not None
    assert abs((account.now() - began).total_seconds()) < 5
    after = account.run("pass_gate", gate="after_step", step=1)
    waited = account.now() - datetime.fromisoformat(after["observed_since"])
    minutes = account.record().plan.profile.steps[1].observe_minutes
    assert abs(waited.total_seconds() - 60 * minutes) < 5


def test_a_no_closes_it(account: Account) -> None:
    gated(account).run("pass_gate")
    say(account.record(), "reject")
    for _ in range(2):
        answer = account.run("pass_gate")
        assert (answer["next"], answer["reason"]) == ("closed", "rejected by mara: looked at it")


def test_silence_closes_it_and_a_late_yes_finds_that_written(account: Account) -> None:
    gated(account).run("pass_gate")
    account.later(minutes=61)
    assert account.run("pass_gate")["reason"] == "nobody answered in time, which is a no"
    question = approvals.find(str(account.record().passages[0].approval))
    assert question is not None
    late = Answered(answer="approve", at=account.now(), by="mara", reason="looked at it")
    assert not approvals.close(account.record(), question, late)
    assert account.run("pass_gate")["next"] == "closed"


def test_no_traffic_goes_past_a_gate_that_is_not_open(account: Account) -> None:
    gated(account)
    with pytest.raises(GateClosed, match="not through the gate before its first traffic"):
        account.run("shift_traffic")
    account.run("pass_gate")
    with pytest.raises(GateClosed):
        account.run("shift_traffic")
    assert account.writes() == []
    say(account.record(), "approve")
    account.run("pass_gate")
    account.run("shift_traffic")
    assert "ModifyRule" in account.writes()


def test_no_promotion_goes_past_a_gate_that_is_not_open(account: Account) -> None:
    gated(account, "promote", before_traffic=False, before_promote=True)
    with pytest.raises(GateClosed, match="not through the gate before its promotion"):
        account.run("promote")
    account.run("pass_gate", gate="before_promote", step=2)
    say(account.record(), "approve")
    account.run("pass_gate", gate="before_promote", step=2)
    account.run("promote")
    assert account.record().status == "Promoted"


def test_a_release_that_was_taken_over_asks_nobody(account: Account) -> None:
    gated(account)
    account.run("restore_blue")
    with pytest.raises(Fenced):
        account.run("pass_gate")
    assert account.record().passages == ()


def test_a_gate_has_no_more_time_than_the_release(account: Account) -> None:
    gated(account)
    account.later(days=2)
    with pytest.raises(DeadlinePassed):
        account.run("pass_gate")
