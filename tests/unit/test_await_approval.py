"""AwaitApproval: people are told once, and the token that wakes the release goes no further than the ledger."""

import json

import pytest

from tests.account import RELEASE, Account
from tests.unit.test_pass_gate import gated, say
from viridian.aws import approvals
from viridian.errors import AlreadyAnswered, Busy

URL = "https://answers.lambda-url.us-east-1.on.aws/"


@pytest.fixture
def asked(account: Account, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a question that is open."""
    monkeypatch.setenv("APPROVALS_URL", URL)
    monkeypatch.setenv("PAGES_TOPIC_ARN", str(account.client("sns").create_topic(Name="pages")["TopicArn"]))
    told = gated(account).run("pass_gate")
    account.calls.clear()
    return str(told["approval"])


def test_people_are_told_once_however_often_it_is_tried(account: Account, asked: str) -> None:
    for token in ("first", "second"):
        account.run("await_approval", approval=asked, token=token)
    (page,) = account.requests("Publish")
    assert page["Subject"] == f"viridian: shop {RELEASE} waits for a yes before its first traffic"
    assert "It waits until" in page["Message"]


def test_a_question_that_sns_does_not_take_is_asked_again(account: Account, asked: str) -> None:
    with account.failing("sns", "Publish", "InternalError", 500), pytest.raises(Busy):
        account.run("await_approval", approval=asked, token="first")
    account.run("await_approval", approval=asked, token="second")
    question = approvals.find(asked)
    assert question is not None
    assert question.told


def test_the_token_stays_in_the_ledger(account: Account, asked: str) -> None:
    answer = account.run("await_approval", approval=asked, token="the-token")
    assert "the-token" not in json.dumps([answer, account.requests("Publish")])
    question = approvals.find(asked)
    assert question is not None
    assert question.token == "the-token"


def test_an_answer_that_was_quicker_wakes_it_at_once(account: Account, asked: str) -> None:
    say(account.record(), "approve")
    with pytest.raises(AlreadyAnswered):
        account.run("await_approval", approval=asked)
    assert account.requests("Publish") == []
