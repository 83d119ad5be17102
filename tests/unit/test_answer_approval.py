"""AnswerApproval: the first answer in time is taken, from whoever AWS says it is, and nobody else's word."""

import json
from typing import Any

import pytest

from tests.account import RELEASE, Account
from tests.unit.test_pass_gate import gated
from viridian.aws import approvals

JOE = "arn:aws:iam::123456789012:user/joe"


@pytest.fixture
def asked(account: Account) -> str:
    """The id of a question that is open."""
    return str(gated(account).run("pass_gate")["approval"])


def answer(account: Account, id_: str, by: str | None = None, method: str = "POST", **said: Any) -> Any:
    """What a person sees who sends the sample's reply to a question."""
    event = account.event("answer_approval")
    reply = {**json.loads(event["body"]), "id": id_, "release": RELEASE, **said}
    event["requestContext"]["http"]["method"] = method
    event["requestContext"]["authorizer"]["iam"]["userArn"] = by or JOE
    return account.run("answer_approval", {**event, "body": json.dumps(reply)})


def test_a_yes_is_written_with_who_said_it(account: Account, asked: str) -> None:
    told = answer(account, asked)
    assert told["statusCode"] == 200
    question = approvals.find(asked)
    assert question is not None
    assert question.answered is not None
    assert question.answered.by == JOE
    assert account.run("pass_gate")["next"] == "look_again"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"id_": "0" * 24}, 404),
        ({"release": "2.0.0-ffffff"}, 404),
        ({"method": "GET"}, 400),
        ({"reason": "ok"}, 400),
        ({"by_whom": "me"}, 400),
    ],
)
def test_what_is_no_answer_changes_nothing(
    account: Account, asked: str, said: dict[str, Any], status: int
) -> None:
    told = answer(account, **{"id_": asked, **said})
    assert told["statusCode"] == status
    question = approvals.find(asked)
    assert question is not None
    assert question.answered is None


def test_the_second_answer_hears_of_the_first(account: Account, asked: str) -> None:
    answer(account, asked, answer="reject")
    told = answer(account, asked, by="arn:aws:iam::123456789012:user/mara")
    assert told["statusCode"] == 409
    assert f"rejected by {JOE}" in told["body"]


def test_an_answer_after_its_time_is_late_even_before_the_release_has_seen_it(
    account: Account, asked: str
) -> None:
    account.later(minutes=61)
    told = answer(account, asked)
    assert (told["statusCode"], told["body"][:11]) == (409, "it was open")


def test_a_release_that_is_on_its_way_back_takes_no_answer(account: Account, asked: str) -> None:
    account.run("restore_blue")
    told = answer(account, asked)
    assert told["statusCode"] == 409
    assert "waits no more: it is RollingBack" in told["body"]
