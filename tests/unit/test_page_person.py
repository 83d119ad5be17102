"""PagePerson: when the way back could not be gone to its end a person is told, once, and it is written down."""

import pytest

from tests.account import EXECUTION, RELEASE, Account


@pytest.fixture
def topic(account: Account, monkeypatch: pytest.MonkeyPatch) -> str:
    arn = str(account.client("sns").create_topic(Name="pages")["TopicArn"])
    monkeypatch.setenv("PAGES_TOPIC_ARN", arn)
    return arn


def test_a_person_is_paged_once_with_what_failed_and_what_it_stumbled_over(
    account: Account, topic: str
) -> None:
    account.shifted().run("restore_blue")
    account.calls.clear()
    answer = account.run("page_person")
    assert answer["cause"].startswith("GreenFailed: alarm")
    assert "DeleteRule: not authorized" in answer["cause"]
    account.run("page_person")
    (page,) = account.requests("Publish")
    assert page["TopicArn"] == topic
    assert f"shop {RELEASE} has ended RollbackIncomplete" in page["Subject"]
    assert "DeleteRule: not authorized" in page["Message"]


def test_the_record_says_that_a_person_is_needed_and_the_route_stays_locked(
    account: Account, topic: str
) -> None:
    assert topic
    account.shifted().run("restore_blue")
    account.twice("page_person")
    record = account.record()
    assert record.status == "RollbackIncomplete"
    assert "DeleteRule: not authorized" in (record.outcome or "")
    (lock,) = [item for item in account.ledger() if item["sk"] == "lock"]
    assert lock["release"] == RELEASE


def test_the_weights_are_left_as_they_are(account: Account, topic: str) -> None:
    assert topic
    account.shifted().run("restore_blue")
    account.calls.clear()
    account.run("page_person")
    assert account.writes() == ["Publish"]


def test_a_person_may_take_it_up_from_there(account: Account, topic: str) -> None:
    assert topic
    account.shifted().run("restore_blue")
    account.run("page_person")
    order = {"execution": f"{EXECUTION}-person", "error": "RollbackOrdered", "cause": "the role is mended"}
    for _ in range(12):
        answer = account.run("converge", **order)
        if answer["end"]:
            break
        account.later(seconds=answer["again_in"])
    assert answer["end"] == "RolledBack"


@pytest.mark.parametrize("stage", ["nothing", "promoted"])
def test_there_is_nobody_to_page_about_what_never_began_or_has_ended(
    account: Account, topic: str, stage: str
) -> None:
    assert topic
    if stage == "promoted":
        account.promoted()
    account.calls.clear()
    account.twice("page_person")
    assert account.writes() == []
