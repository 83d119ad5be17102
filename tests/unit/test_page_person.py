"""PagePerson: the way back could not be gone to its end, and somebody must know."""

import pytest

from tests.account import Account

WORDS = "the way back stumbled: NotPermitted: UpdateAutoScalingGroup: not authorized"


@pytest.fixture
def topic(account: Account, monkeypatch: pytest.MonkeyPatch) -> str:
    arn = str(account.client("sns").create_topic(Name="pages")["TopicArn"])
    monkeypatch.setenv("PAGES_TOPIC_ARN", arn)
    return arn


def test_a_person_is_paged_with_what_failed_first_and_what_was_stumbled_over(
    account: Account, topic: str
) -> None:
    account.shifted()
    account.run("restore_blue")
    answer = account.twice("page_person")
    assert answer["cause"].startswith("GreenFailed: alarm ")
    assert answer["cause"].endswith(WORDS)
    (page,) = account.requests("Publish")
    assert page["TopicArn"] == topic
    assert answer["cause"] in page["Message"]


def test_the_release_is_down_as_incomplete_and_keeps_its_route(account: Account) -> None:
    account.shifted()
    account.run("restore_blue")
    account.run("page_person")
    record = account.record()
    assert (record.status, record.outcome) == ("RollbackIncomplete", WORDS)
    assert record.lock_execution is not None


def test_a_release_that_has_ended_meanwhile_is_left_as_it_ended(account: Account) -> None:
    account.promoted()
    sent = account.writes()
    account.run("page_person")
    assert account.writes() == sent
    assert account.record().status == "Promoted"
