"""The edges: profiles, pages, and what a handler reads, names and logs."""

import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from local import seed
from tests.account import CONTEXT, Account
from viridian.aws import pages, profiles
from viridian.aws.function import handler, logger
from viridian.errors import Busy, NotPermitted, Refusal
from viridian.messages import HoldFloors, LockAcquired


def test_a_profile_comes_with_the_version_it_was_registered_under(account: Account) -> None:
    profile, version = profiles.find("shop")
    assert profile == account.shop.profile
    seed.registered(account, "shop", {**profile, "keep_minutes": 5})
    assert profiles.find("shop") == ({**profile, "keep_minutes": 5}, version + 1)


def test_a_service_that_nobody_registered_is_refused_with_where_to_do_it(account: Account) -> None:
    assert account
    with pytest.raises(Refusal) as refused:
        profiles.find("stall")
    assert refused.value.field == "service"
    assert "/viridian/services/stall" in refused.value.fix


def test_a_page_names_service_release_and_end(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = account.client("sns").create_topic(Name="pages")["TopicArn"]
    monkeypatch.setenv("PAGES_TOPIC_ARN", topic)
    account.calls.clear()
    pages.page("shop", "2.0.0-abc", "Held", "blue carries 0 of 3")
    (asked,) = account.requests("Publish")
    assert asked["Subject"] == "viridian: shop 2.0.0-abc Held"
    assert "blue carries 0 of 3" in asked["Message"]
    pages.page("s" * 20, "v" * 90, "RollbackIncomplete", "x")
    assert len(account.requests("Publish")[1]["Subject"]) <= 100


def test_who_follows_releases_may_choose_and_a_subject_is_as_long_as_sns_allows(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = account.client("sns").create_topic(Name="tellings")["TopicArn"]
    monkeypatch.setenv("TELLINGS_TOPIC_ARN", topic)
    pages.announce("Held", "shop", "s" * 120, "two\nlines")
    pages.announce("ImageKnown", "shop", "nobody asked for it", "")
    (sent,) = account.requests("Publish")
    assert (sent["Subject"], sent["Message"]) == ("s" * 100, "two\nlines")
    assert {name: value["StringValue"] for name, value in sent["MessageAttributes"].items()} == {
        "phase": "Held",
        "service": "shop",
    }


def test_what_nobody_could_be_told_is_an_error_of_the_call(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLINGS_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:gone")
    with pytest.raises(ClientError, match="NotFound"):
        pages.announce("Held", "shop", "shop 2.0.0 is held", "why")


def test_a_stack_without_a_topic_pages_nobody(account: Account) -> None:
    account.calls.clear()
    pages.page("shop", "2.0.0-abc", "Held", "")
    assert account.calls == []


EVENT = {"service": "shop", "release": "2.0.0-abc", "epoch": 3}


def act(error: Exception | None = None) -> Any:
    """A handler that fails so, or answers."""

    @handler(HoldFloors)
    def lambda_handler(ask: HoldFloors) -> LockAcquired:
        if error:
            raise error
        return LockAcquired(epoch=ask.epoch)

    return lambda_handler


def answered(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "ModifyRule",
    )


@pytest.mark.parametrize(
    "code",
    [
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionConflictException",
        "ResourceContention",
        "ScalingActivityInProgress",
        "ServiceUnavailable",
        "InternalFailure",
    ],
)
def test_what_passes_is_busy(code: str) -> None:
    with pytest.raises(Busy, match=f"ModifyRule: {code}"):
        act(answered(code))(EVENT, CONTEXT)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_any_fault_of_aws_is_busy(status: int) -> None:
    with pytest.raises(Busy, match="ModifyRule: Whatever"):
        act(answered("Whatever", status))(EVENT, CONTEXT)


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url="x"),
        ConnectTimeoutError(endpoint_url="x"),
        EndpointConnectionError(endpoint_url="x"),
    ],
)
def test_no_answer_is_busy(error: Exception) -> None:
    with pytest.raises(Busy, match="no answer"):
        act(error)(EVENT, CONTEXT)


@pytest.mark.parametrize(
    "code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"]
)
def test_what_is_denied_names_the_action(code: str) -> None:
    with pytest.raises(NotPermitted, match="ModifyRule: no"):
        act(answered(code, 403))(EVENT, CONTEXT)


@pytest.mark.parametrize("code", ["ValidationError", "ResourceInUse", "InvalidParameterValue"])
def test_any_other_answer_keeps_its_own_name(code: str) -> None:
    with pytest.raises(ClientError, match=code):
        act(answered(code))(EVENT, CONTEXT)


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(Refusal, match="f: v"):
        act(Refusal("f", "v", "fix"))(EVENT, CONTEXT)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({}, "service"),
        ({**EVENT, "epoch": "3"}, "epoch"),
        ({**EVENT, "colour": 1}, "colour"),
        ([], "object"),
        (None, "object"),
        ("x", "object"),
    ],
)
def test_a_message_of_another_shape_is_refused(event: Any, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        act()(event, CONTEXT)


def test_a_reply_is_plain_json() -> None:
    assert act()(EVENT, CONTEXT) == {"epoch": 3}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged meanwhile."""
    written = io.StringIO()
    stream: Any = logger.registered_handler
    before = stream.setStream(written)
    yield written
    stream.setStream(before)


def test_every_line_of_the_log_carries_release_epoch_and_request(log: io.StringIO) -> None:
    act()(EVENT, CONTEXT)
    with pytest.raises(Busy):
        act(answered("Throttling"))(EVENT, CONTEXT)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["LockAcquired", "AWS refused"]
    for line in lines:
        assert (line["release"], line["epoch"], line["correlation_id"]) == ("2.0.0-abc", 3, "4a0b")


def test_one_invocations_keys_do_not_reach_the_next(log: io.StringIO) -> None:
    @handler(msgspec.Struct)
    def silent(_: Any) -> LockAcquired:
        return LockAcquired(epoch=1)

    act()(EVENT, CONTEXT)
    silent({}, SimpleNamespace(aws_request_id="next"))
    last = json.loads(log.getvalue().splitlines()[-1])
    assert "release" not in last
    assert last["correlation_id"] == "next"
