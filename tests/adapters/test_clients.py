"""What is sent again: only what AWS refused for want of rate, and only while the fence holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.account import Account
from viridian.aws import clients, load_balancer
from viridian.errors import Fenced, HandsOff, NotPermitted
from viridian.traffic import Forward

ERROR = """<ErrorResponse><Error><Code>{}</Code><Message>no</Message></Error></ErrorResponse>"""


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def refused(code: str, status: int = 400) -> AWSResponse:
    return AWSResponse("http://aws", status, HTTPHeaders(), _Raw(ERROR.format(code).encode()))


@contextmanager
def answered(*answers: Callable[[], AWSResponse | None]) -> Iterator[list[str]]:
    """The next ModifyRule requests get these answers, or go to AWS where it is None; later ones do too."""
    sent: list[str] = []

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        sent.append(request.url)
        return answers[len(sent) - 1]() if len(sent) <= len(answers) else None

    events = clients.writer("elbv2").meta.events
    events.register_first("before-send.elastic-load-balancing-v2.ModifyRule", answer)
    try:
        yield sent
    finally:
        events.unregister("before-send.elastic-load-balancing-v2.ModifyRule", answer)


@pytest.fixture
def shift(account: Account, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    account.before("shift_traffic")
    monkeypatch.setattr("time.sleep", lambda _: None)
    fence = account.record().fence()
    wanted = Forward(weights={account.target_group("blue"): 75, account.target_group("green"): 25})

    def act() -> object:
        return load_balancer.set_forward(load_balancer.find_route(account.shop.route_arn), wanted, fence)

    return act


def throttled() -> AWSResponse:
    return refused("Throttling")


def test_a_throttled_write_is_sent_again_and_journaled_once(
    account: Account, shift: Callable[[], object]
) -> None:
    known = len(account.journal())
    with answered(throttled, throttled) as sent:
        shift()
    assert len(sent) == 3
    assert [(entry["call"], entry["outcome"]) for entry in account.journal()[known:]] == [
        ("ModifyRule", "done")
    ]


def test_a_write_is_given_up_when_it_was_throttled_three_times(
    account: Account, shift: Callable[[], object]
) -> None:
    with answered(throttled, throttled, throttled) as sent, pytest.raises(ClientError, match="Throttling"):
        shift()
    assert len(sent) == 3


@pytest.mark.parametrize("code", ["InternalFailure", "ServiceUnavailable", "RequestTimeout"])
def test_what_may_have_been_carried_out_is_never_sent_again(
    account: Account, shift: Callable[[], object], code: str
) -> None:
    with answered(lambda: refused(code, 500)) as sent, pytest.raises(ClientError, match=code):
        shift()
    assert len(sent) == 1


def test_a_write_that_is_not_permitted_is_never_sent_again_and_has_a_name(
    account: Account, shift: Callable[[], object]
) -> None:
    known = len(account.journal())
    with (
        answered(lambda: refused("AccessDenied", 403)) as sent,
        pytest.raises(NotPermitted, match="ModifyRule"),
    ):
        shift()
    assert len(sent) == 1
    assert [(entry["outcome"], entry["shown"]) for entry in account.journal()[known:]] == [
        ("unknown", "ClientError")
    ]


def test_a_write_without_an_answer_is_never_sent_again(account: Account, shift: Callable[[], object]) -> None:
    def silent() -> AWSResponse:
        raise ReadTimeoutError(endpoint_url="aws")

    with answered(silent) as sent, pytest.raises(ReadTimeoutError):
        shift()
    assert len(sent) == 1


def test_nothing_is_sent_again_once_the_epoch_has_moved_on(
    account: Account, shift: Callable[[], object]
) -> None:
    def overtaken() -> AWSResponse:
        account.move_epoch_on()
        return throttled()

    with answered(overtaken) as sent, pytest.raises(Fenced):
        shift()
    assert len(sent) == 1


def test_nothing_is_sent_again_once_people_want_nothing_written(
    account: Account, shift: Callable[[], object]
) -> None:
    def stopped() -> AWSResponse:
        account.client("dynamodb").update_item(
            TableName="viridian-releases",
            Key={"pk": {"S": f"route#{account.shop.route_arn}"}, "sk": {"S": "lock"}},
            UpdateExpression="SET hands_off = :why",
            ExpressionAttributeValues={":why": {"S": "we look at it"}},
        )
        return throttled()

    with answered(stopped) as sent, pytest.raises(HandsOff, match="we look at it"):
        shift()
    assert len(sent) == 1


def test_without_a_fence_not_even_a_throttled_write_is_sent_again(account: Account) -> None:
    rule = account.shop.route_arn
    with answered(throttled) as sent, pytest.raises(ClientError, match="Throttling"):
        clients.writer("elbv2").modify_rule(RuleArn=rule, Actions=[])
    assert len(sent) == 1
