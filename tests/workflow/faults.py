"""Things that go wrong between a function and AWS, and inside a function: put in at the edges, never in the product."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

from local.control.calls import _principal

LEDGER = ("TransactWriteItems", "UpdateItem")
_QUERY = "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error></ErrorResponse>"
_EC2 = "<Response><Errors><Error><Code>{code}</Code><Message>{words}</Message></Error></Errors></Response>"
_JSON = ("cloudwatch", "dynamodb", "pricing", "service-quotas", "sfn", "ssm")


@dataclass
class Answer:
    """One answer in AWS's place; `lost` ones come after AWS has done it, and as silence; `late` ones are AWS's own."""

    code: str = ""
    status: int = 400
    times: int = 1
    functions: tuple[str, ...] = ()
    lost: bool = False
    late: float = 0.0


class Faults:
    """What is wrong with one world: answers by call, failures by function."""

    def __init__(self, cloud: Any) -> None:
        self.answered: Counter[str] = Counter()
        self._cloud = cloud
        self._hooks = ExitStack()
        self._answers: dict[str, list[Answer]] = {}
        self._broken: dict[str, Callable[[], Any]] = {}
        self._mumbling: set[str] = set()

    def __enter__(self) -> "Faults":
        sending, calling = BotocoreStubber.__call__, self._cloud.functions._call
        faults = self

        def send(stubber: Any, event_name: str, request: Any, **more: Any) -> Any:
            return faults._send(lambda: sending(stubber, event_name, request, **more), event_name, request)

        def call(code: Any, event: Any, context: Any) -> Any:
            broken = faults._broken.get(code.logical_id)
            failed = broken() if broken else None
            result = (failed, True) if failed else calling(code, event, context)
            return ({}, False) if code.logical_id in faults._mumbling else result

        self._hooks.enter_context(patch.object(BotocoreStubber, "__call__", send))
        self._hooks.enter_context(patch.object(self._cloud.functions, "_call", call))
        return self

    def __exit__(self, *_: object) -> None:
        self._hooks.close()

    def answers(self, call: str, code: str, **how: Any) -> None:
        """The next calls of this name get this answer, `times` of them."""
        self._answers.setdefault(call, []).append(Answer(code, **how))

    def answers_once(self, calls: Iterable[str], code: str, **how: Any) -> None:
        """The first call of each of these names gets this answer."""
        for call in calls:
            self.answers(call, code, **how)

    def stalls(self, call: str, seconds: float, function: str) -> None:
        """The next call of this name by this function is answered so many seconds late."""
        self._answers.setdefault(call, []).append(Answer(functions=(function,), late=seconds))

    def denies(self, call: str, *functions: str) -> None:
        """From now on these functions (or all of them, and nobody else) may not make this call."""
        self.answers(call, "AccessDenied", status=403, times=1_000_000, functions=functions)

    def heals(self) -> None:
        """From now on nothing goes wrong any more."""
        self._answers.clear()
        self._broken.clear()
        self._mumbling.clear()

    def raises(self, function: str, error: str, words: str, times: int = 1_000_000) -> None:
        """The function fails with an exception of this name before it does anything."""
        left = [times]

        def fail() -> Any:
            left[0] -= 1
            return {"errorType": error, "errorMessage": words, "stackTrace": []} if left[0] >= 0 else None

        self._broken[function] = fail

    def mumbles(self, function: str) -> None:
        """The function does its work, and its answer is an empty one."""
        self._mumbling.add(function)

    def hangs(self, function: str, seconds: float, times: int = 1_000_000) -> None:
        """The function's answer comes so many seconds late: Step Functions may have given up by then."""
        left = [times]

        def hang() -> None:
            left[0] -= 1
            if left[0] >= 0:
                self._cloud.clock.sleep(seconds)

        self._broken[function] = hang

    def _send(self, original: Callable[[], Any], event_name: str, request: Any) -> Any:
        _, service, call = event_name.split(".")
        answer = self._due(call)
        if answer is None:
            return original()
        self.answered[call] += 1
        if answer.late:
            time.sleep(answer.late)
            return original()
        if answer.lost:
            original()
            raise ReadTimeoutError(endpoint_url=request.url)
        body, headers = _body(service, call, answer)
        return AWSResponse(request.url, answer.status, headers, MockRawResponse(body))  # type: ignore[arg-type]

    def _due(self, call: str) -> Answer | None:
        who = _principal.get()
        for answer in self._answers.get(call, []):
            meant = who in answer.functions if answer.functions else who.endswith("Function")
            if answer.times > 0 and meant:
                answer.times -= 1
                return answer
        return None


def _body(service: str, call: str, answer: Answer) -> tuple[bytes, dict[str, str]]:
    words = f"not now: {call}" if answer.code != "AccessDenied" else f"not authorized to perform: {call}"
    headers = {"x-amzn-requestid": "fault"}
    if service in _JSON:
        return json.dumps({"__type": answer.code, "message": words}).encode(), headers
    form = _EC2 if service == "ec2" else _QUERY
    return form.format(code=answer.code, words=words).encode(), headers
