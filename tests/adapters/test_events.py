"""Events of our own as a rule of somebody else's gets them, and what the bus refuses."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.events.models import EventsBackend

from tests.account import EXECUTION, REGION, Account
from viridian.aws import events
from viridian.errors import Busy

WHEN = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


@pytest.fixture
def heard(account: Account) -> Iterator[Any]:
    """What a queue gets whose rule asks for releases."""
    sqs, rules = account.client("sqs"), account.client("events")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    rules.put_rule(Name="ours", EventPattern=json.dumps({"source": ["viridian.release"]}))
    rules.put_targets(Rule="ours", Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:123456789012:heard"}])

    def listen() -> list[Any]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]

    yield listen
    rules.remove_targets(Rule="ours", Ids=["1"])
    rules.delete_rule(Name="ours")
    sqs.delete_queue(QueueUrl=url)


def test_an_event_says_whose_it_is_and_when_and_what_it_is_about(heard: Any) -> None:
    events.put('{"phase":"Promoted"}', (EXECUTION,), WHEN)
    (event,) = heard()
    assert (event["source"], event["detail-type"]) == ("viridian.release", "Viridian Release Phase Change")
    assert event["detail"] == {"phase": "Promoted"}
    assert event["resources"] == [EXECUTION]
    assert event["time"] == "2026-01-05T09:30:00Z"


def test_an_event_that_fails_singly_is_an_error_though_the_request_is_none(
    heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
    monkeypatch.setattr(EventsBackend, "put_events", lambda *_: [refused])
    with pytest.raises(Busy, match="PutEvents: InternalFailure: try again"):
        events.put("{}", (EXECUTION,), WHEN)
    assert heard() == []


def test_an_event_is_sent_once_for_each_time_it_is_put(account: Account, heard: Any) -> None:
    with (
        account.failing("events", "PutEvents", "ThrottlingException"),
        pytest.raises(Exception, match="Throttling"),
    ):
        events.put('{"phase":"Held"}', (EXECUTION,), WHEN)
    assert heard() == []
