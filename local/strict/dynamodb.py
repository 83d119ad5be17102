"""DynamoDB does one thing at a time to an item, and a repeated transaction once (design.md, "The ledger"; P5).

Moto checks a condition and writes in two steps, and undoes a failed transaction by putting the whole table back:
two writers at once break each other.
"""

import json
import threading
from typing import Any

from moto.dynamodb.exceptions import ERROR_TYPE_PREFIX, DynamodbException
from moto.dynamodb.responses import DynamoHandler

from local.hooks import Hooks


class IdempotentParameterMismatch(DynamodbException):
    """The token of another transaction."""

    def __init__(self) -> None:
        super().__init__(
            ERROR_TYPE_PREFIX + "IdempotentParameterMismatchException",
            "The request was sent with the client token of another transaction",
        )


def install(hooks: Hooks) -> None:
    turn = threading.RLock()

    def one_at_a_time(original: Any, handler: DynamoHandler) -> Any:
        with turn:
            return original(handler)

    hooks.wrap(DynamoHandler, "call_action", one_at_a_time)
    hooks.wrap(DynamoHandler, "transact_write_items", _once)


def _once(original: Any, handler: DynamoHandler) -> Any:
    token = handler.body.get("ClientRequestToken")
    if not token:
        return original(handler)
    answers = vars(handler.dynamodb_backend).setdefault("answers", {})
    asking = json.dumps(handler.body["TransactItems"], sort_keys=True, default=str)
    if token not in answers:
        answers[token] = (asking, original(handler))
    asked, answer = answers[token]
    if asked != asking:
        raise IdempotentParameterMismatch
    return answer
