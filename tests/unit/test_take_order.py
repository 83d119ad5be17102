"""TakeOrder: an order is taken from whoever AWS says it is, into the record of a release that runs, and nowhere else."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.account import RELEASE, TABLE, Account
from tests.ledger import items
from viridian.aws import ledger
from viridian.errors import HANDS_ON

MARA = "arn:aws:iam::123456789012:user/mara"
JOE = "arn:aws:iam::123456789012:user/joe"
WHY = "the checkout looks slow to me"


@pytest.fixture
def running(account: Account) -> Account:
    """A release whose green has its first share."""
    return account.shifted()


def order(account: Account, by: str = MARA, method: str = "POST", **said: Any) -> tuple[int, Any]:
    """The status that a person sees who sends the sample's order, and what it says."""
    event = account.event("take_order")
    body = {**json.loads(event["body"]), **said}
    event["requestContext"]["http"]["method"] = method
    event["requestContext"]["authorizer"]["iam"]["userArn"] = by
    kept = {name: value for name, value in body.items() if value is not None}
    told = account.run("take_order", {**event, "body": json.dumps(kept)})
    return told["statusCode"], json.loads(told["body"]) if told["statusCode"] == 200 else told["body"]


def journal() -> list[dict[str, Any]]:
    """What the journal has of orders."""
    return [item for item in items(TABLE, "journal#") if item["call"].startswith("Order:")]


def test_a_pause_is_in_the_record_and_in_the_journal_with_who_and_why(running: Account) -> None:
    status, told = order(running)
    kept = running.record().last_order
    assert kept is not None
    assert kept.until is not None
    assert (status, told["order"], told["by"], told["reason"]) == (200, "pause", MARA, WHY)
    assert (told["release"], told["green_percent"]) == (RELEASE, 10)
    assert datetime.fromisoformat(told["until"]) == kept.until.replace(microsecond=0)
    assert kept.until - kept.at == timedelta(minutes=30)
    assert told["says"] == f"paused by {MARA} until {told['until']}: {WHY}"
    (line,) = journal()
    assert (line["call"], line["resource"], line["outcome"]) == ("Order:pause", RELEASE, "done")
    after = json.loads(line["after"])
    assert (after["by"], after["why"]) == (MARA, WHY)
    assert running.writes() == []


@pytest.mark.parametrize("kind", ["pause", "promote"])
def test_an_order_that_is_given_twice_is_taken_once(running: Account, kind: str) -> None:
    minutes = 30 if kind == "pause" else None
    first = order(running, order=kind, minutes=minutes)
    running.later(minutes=2)
    assert order(running, order=kind, minutes=minutes) == first
    assert len(journal()) == 1


def test_a_resumed_release_is_paused_no_more_and_hears_it_twice_without_harm(running: Account) -> None:
    order(running)
    first = order(running, order="resume", minutes=None)
    assert (first[0], first[1]["until"]) == (200, None)
    assert order(running, order="resume", minutes=None) == first
    kept = running.record().last_order
    assert kept is not None
    assert not kept.pauses(running.now())


def test_the_last_order_counts(running: Account) -> None:
    order(running)
    status, told = order(running, by=JOE, order="promote", minutes=None)
    assert (status, told["says"]) == (200, f"observing skipped by {JOE}: {WHY}")
    assert len(journal()) == 2


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"method": "GET"}, 400, "method: GET. Use POST, with a JSON object of service, release, order, reason, minutes."),
        ({"order": "stop"}, 400, "order: stop. Invalid enum value 'stop'. Use 'pause', 'resume' or 'promote'."),
        ({"reason": "ok"}, 400, "reason: ok. Expected `str` of length >= 10. Say why, in at least ten characters."),
        ({"order": "promote"}, 400, "minutes: 30. Leave it out: only a pause has an end."),
        ({"release": "2.0.0-ffffff"}, 404, "release: 2.0.0-ffffff. Use the id of a release that has taken its route"),
        ({"service": "other"}, 404, f"release: {RELEASE}. Use the id"),
        ({"order": "resume", "minutes": None}, 409, f"order: resume. Leave it out: {RELEASE} is not paused"),
    ],
)  # fmt: skip
def test_what_is_no_order_changes_nothing(
    running: Account, said: dict[str, Any], status: int, words: str
) -> None:
    found = order(running, **said)
    assert found[0] == status
    assert found[1].startswith(words)
    assert running.record().last_order is None
    assert journal() == []


def test_a_release_that_is_on_its_way_back_takes_no_order(running: Account) -> None:
    running.run("restore_blue")
    assert order(running) == (409, f"release: {RELEASE} is RollingBack. Give orders to a release that runs.")


def test_a_release_that_is_promoted_takes_no_order(account: Account) -> None:
    account.promoted()
    assert order(account) == (409, f"release: {RELEASE} is Promoted. Give orders to a release that runs.")


def test_whoever_would_resume_a_held_release_hears_how(running: Account) -> None:
    record = running.record()
    ledger.end(record.fence(), "Held", "a person must decide")
    status, words = order(running, order="resume", minutes=None)
    assert status == 409
    assert words.startswith(f"release: {RELEASE} is Held. To let it go on, start the release machine with")


def test_a_route_that_people_want_no_writes_to_takes_no_order(running: Account) -> None:
    running.take_hands_off("the auditors are here", running.record().plan.route)
    assert order(running) == (
        409,
        f"hands_off: the auditors are here. {HANDS_ON}",
    )


def test_a_release_that_is_taken_over_at_that_moment_takes_no_order(running: Account) -> None:
    looks: list[None] = []

    def take_over() -> None:
        looks.append(None)
        if len(looks) == 1:
            running.move_epoch_on()

    with running.hooked("after-call", "dynamodb", "BatchGetItem", take_over):
        status, words = order(running)
    assert status == 409
    assert words.startswith(f"release: {RELEASE}. It runs no more: ")
    assert running.record().last_order is None


def test_a_pause_moves_the_deadline_by_as_much_as_it_takes(running: Account) -> None:
    planned = running.record().plan.deadline
    order(running)
    assert running.record().deadline == planned + timedelta(minutes=30)
    running.later(minutes=10)
    order(running, minutes=60)  # 40 more than it had
    added = running.record().deadline - planned
    assert abs(added - timedelta(minutes=70)) < timedelta(seconds=5)
    order(running, minutes=1)
    assert abs(running.record().deadline - planned - timedelta(minutes=11)) < timedelta(seconds=5)
    order(running, order="resume", minutes=None)
    assert abs(running.record().deadline - planned - timedelta(minutes=10)) < timedelta(seconds=5)


def test_the_pauses_of_a_release_have_room_in_its_history(running: Account) -> None:
    assert order(running, minutes=700)[0] == 200
    running.later(minutes=700)
    status, words = order(running, minutes=60)
    assert (status, words) == (
        400,
        "minutes: 60. Pause it for 20 at most: its execution has room for no more.",
    )
    assert order(running, minutes=20)[0] == 200


def test_a_pause_that_its_execution_would_not_outlive_is_refused(account: Account) -> None:
    """It lives four days; what asked for this release waited three and a half of them for its window."""
    plan = account.event("acquire_lock")["plan"]
    asked_at = datetime.fromisoformat(plan["deadline"]) - timedelta(hours=91)
    account.planned("shift_traffic", asked_at=asked_at.isoformat())
    status, words = order(account, minutes=300)
    assert (status, words[:42]) == (400, "minutes: 300. Pause it for 240 at most: it")
    assert order(account, minutes=240)[0] == 200
