"""The door: what is read of what people say, and what is wrong with it is named."""

import base64
import json
from typing import Any

import pytest

from viridian import door
from viridian.approval import Reply
from viridian.door import Replied
from viridian.errors import Busy, Refusal
from viridian.orders import Given

ID = "5f1c2a9be07d4463a8c1d2e4"
REPLY = {"id": ID, "release": "2.0.0-2010a8", "answer": "approve", "reason": "looked at it by hand"}
PAUSE = {"service": "shop", "release": "2.0.0-2010a8", "order": "pause", "reason": "looks slow to me"}


@pytest.mark.parametrize("encoded", [False, True])
def test_an_answer_is_read_however_lambda_hands_it_on(encoded: bool) -> None:
    body = json.dumps(REPLY)
    sent = base64.b64encode(body.encode()).decode() if encoded else body
    assert door.read("POST", sent, Reply, encoded=encoded).id == ID


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_following_a_link_answers_nothing(method: str) -> None:
    with pytest.raises(Refusal, match=f"method: {method}. Use POST"):
        door.read(method, json.dumps(REPLY), Reply)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "x"}, "id"),
        ({"id": None}, "id"),
        ({"release": ""}, "release"),
        ({"answer": "maybe"}, "answer"),
        ({"answer": "none"}, "answer"),
        ({"reason": "ok"}, "reason"),
        ({"by": "joe"}, "by"),
    ],
)
def test_what_is_wrong_with_an_answer_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        door.read("POST", json.dumps({**REPLY, **change}), Reply)
    assert refused.value.field == field


@pytest.mark.parametrize("body", ["", "approve", "{", "[]", "null", "\x00"])
def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    with pytest.raises(Refusal, match="JSON object"):
        door.read("POST", body, Reply)


def test_a_body_that_is_no_base64_is_refused() -> None:
    with pytest.raises(Refusal, match="JSON object"):
        door.read("POST", "%%%", Reply, encoded=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"order": "stop"}, "order: stop."),
        ({"order": None}, "order: null."),
        ({"reason": "ok"}, "reason: ok."),
        ({"minutes": 0}, "minutes: 0."),
        ({"minutes": 721}, "minutes: 721."),
        ({"minutes": 1.5}, "minutes: 1.5."),
        ({"service": "../shop"}, "service: ../shop."),
        ({"release": ""}, "release: ."),
        ({"by": "me"}, "by: unknown field"),
    ],
)
def test_what_is_wrong_with_an_order_is_named_with_its_value_and_the_fix(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refusal) as refused:
        door.read("POST", json.dumps({**PAUSE, **change}), Given)
    assert str(refused.value).startswith(words)
    assert str(refused.value).endswith(".")


def test_whoever_meets_a_busy_ledger_is_told_to_say_it_again() -> None:
    def busy(_: Given) -> Replied:
        raise Busy("the ledger answered TransactionConflict")

    replied = door.answer("POST", json.dumps(PAUSE), Given, busy)
    assert (replied.status, replied.words) == (
        503,
        "the ledger answered TransactionConflict. Say it again: what is said twice counts once.",
    )
