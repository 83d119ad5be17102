"""Faults between a function and AWS: on each attempt of each call, as botocore is about to send it."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import Any
from unittest.mock import patch

from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

from local.cloud import Cloud
from local.control.calls import READS, STATES, current_invocation, current_principal
from local.control.sandbox import FunctionTimedOut
from tests.faults.points import Point

SERVICES = {
    "elastic-load-balancing-v2": "elbv2",
    "auto-scaling": "autoscaling",
    "sfn": "stepfunctions",
}
THROTTLED = {
    "ec2": "RequestLimitExceeded",
    "dynamodb": "ThrottlingException",
    "ssm": "ThrottlingException",
    "stepfunctions": "ThrottlingException",
    "cloudwatch": "Throttling",
}
MOST_CALLS = (
    1000  # virtual time stands still while a function works: one that never stops is timed out by this
)
_XML = "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error></ErrorResponse>"
_JSON = '{{"__type": "{code}", "message": "{words}"}}'
_EC2 = "<Response><Errors><Error><Code>{code}</Code><Message>{words}</Message></Error></Errors></Response>"
_DENIED_EC2 = "UnauthorizedOperation"


class Died(BaseException):
    """The function's process is gone; not an Exception: no handler lives to see it."""


@dataclass
class Send:
    """One attempt of one call, about to be sent."""

    function: str
    invocation: str
    service: str
    call: str
    nth: int
    at: float
    request: Any
    mutating: bool
    _send: Callable[[], Any]

    @property
    def point(self) -> Point:
        return Point(self.function, self.call, self.nth)

    def proceed(self) -> Any:
        """AWS gets it; its answer."""
        return self._send()

    def answer(self, code: str, status: int = 400, words: str = "") -> Any:
        """An error in AWS's place, in the protocol that the request speaks."""
        words = words or f"not now: {self.call}"
        content_type = str(self.request.headers.get("Content-Type", ""))
        form = _JSON if "json" in content_type or self.service == "lambda" else _XML
        form = _EC2 if self.service == "ec2" else form
        body = form.format(code=code, words=words).encode()
        headers = {"x-amzn-requestid": "fault", "x-amzn-errortype": code}
        return AWSResponse(self.request.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type]

    def throttle(self) -> Any:
        if self.service == "lambda":
            return self.answer("TooManyRequestsException", 429, "Rate exceeded")
        return self.answer(THROTTLED.get(self.service, "Throttling"), words="Rate exceeded")

    def deny(self) -> Any:
        code = _DENIED_EC2 if self.service == "ec2" else "AccessDenied"
        return self.answer(code, 403, f"not authorized to perform: {self.call}")

    def lose(self) -> Any:
        """Nothing comes back."""
        raise ReadTimeoutError(endpoint_url=self.request.url)

    def unreachable(self) -> Any:
        raise EndpointConnectionError(endpoint_url=self.request.url)

    def die(self) -> Any:
        raise Died


_client: Any = BaseClient  # its inside is not in its stubs
_asking = _client._make_api_call

How = Callable[[Send], Any]
Where = Callable[[Send], bool]


class Injector:
    """What goes wrong between this world's functions and AWS. Counts from `begin`, and writes down every point."""

    def __init__(self, cloud: Cloud, seed: int) -> None:
        self.random = Random(seed)
        self.points: list[tuple[Point, bool]] = []
        self.listeners: list[Callable[[Send], None]] = []
        self._cloud = cloud
        self._hooks = ExitStack()
        self._at: dict[Point, list[How]] = {}
        self._rules: list[tuple[Where, How]] = []
        self._nth: Counter[tuple[str, str]] = Counter()
        self._dead: set[str] = set()
        self._sent: Counter[str] = Counter()
        self._pending: Callable[[Any], Any] | None = None
        self._paused: defaultdict[str, float] = defaultdict(float)
        self._began: float | None = None

    # --- what kinds use -----------------------------------------------------------------------------------

    def at(self, point: Point, how: How) -> None:
        """The send at this point goes like this instead."""
        self._at.setdefault(point, []).append(how)

    def whenever(self, where: Where, how: How) -> None:
        """Every send of which this is true goes like this instead; the first rule that holds is the one."""
        self._rules.append((where, how))

    def changes_answer(self, send: Send, change: Callable[[Any], Any]) -> None:
        """The parsed answer of the call under way is changed before the function sees it."""
        self._pending = change

    def heal(self) -> None:
        """From now on nothing goes wrong between functions and AWS any more."""
        self._at.clear()
        self._rules.clear()

    def pause(self, seconds: float) -> None:
        """Freezes the function that is at work here, within its own time."""
        began, invocation = self._cloud.clock.now(), current_invocation()
        try:
            time.sleep(seconds)
        finally:
            self._paused[invocation or ""] += self._cloud.clock.now() - began

    def froze(self, invocation: str, seconds: float) -> None:
        """Somebody else has frozen this invocation for so long."""
        self._paused[invocation] += seconds

    def paused(self, invocation: str | None) -> float:
        """How long an invocation has been frozen from outside."""
        return self._paused[invocation or ""]

    def since(self) -> float:
        """Cloud seconds since the scenario began."""
        return self._cloud.clock.now() - (self._began or self._cloud.clock.now())

    # --- how it works -------------------------------------------------------------------------------------

    def begin(self) -> None:
        """From here on points are counted and faults fire."""
        self._began = self._cloud.clock.now()

    def __enter__(self) -> "Injector":
        sending, calling, asking = (
            BotocoreStubber.__call__,
            self._cloud.functions._call,
            _asking,
        )
        injector = self

        def send(stubber: Any, event_name: str, request: Any, **more: Any) -> Any:
            return injector._send(lambda: sending(stubber, event_name, request, **more), event_name, request)

        def call(code: Any, event: Any, context: Any) -> Any:
            return injector._run(lambda: calling(code, event, context))

        def ask(client: Any, operation: str, arguments: Any) -> Any:
            answer = asking(client, operation, arguments)
            if injector._pending is not None and injector._ours():
                change, injector._pending = injector._pending, None
                return change(answer)
            return answer

        self._hooks.enter_context(patch.object(BotocoreStubber, "__call__", send))
        self._hooks.enter_context(patch.object(self._cloud.functions, "_call", call))
        self._hooks.enter_context(patch.object(_client, "_make_api_call", ask))
        return self

    def __exit__(self, *_: object) -> None:
        self._hooks.close()

    def _ours(self) -> bool:
        who = current_principal()
        return self._began is not None and (who.endswith("Function") or who == STATES)

    def _run(self, original: Callable[[], Any]) -> Any:
        """A dead function answers as Lambda does for it, whatever its code made of its death."""
        try:
            answer = original()
        except Died:
            answer = None
        invocation = current_invocation() or ""
        if answer is not None and invocation not in self._dead:
            return answer
        self._dead.discard(invocation)  # another try of the same event has the same id, and a life of its own
        self._sent.pop(invocation, None)
        words = f"RequestId: {invocation} Error: Runtime exited with error: signal: killed"
        return {"errorType": "Runtime.ExitError", "errorMessage": words}, True

    def _send(self, original: Callable[[], Any], event_name: str, request: Any) -> Any:
        if not self._ours():
            return original()
        _, service, call = event_name.split(".")
        invocation, function = current_invocation() or "", current_principal()
        if invocation in self._dead:
            raise Died
        self._sent[invocation] += bool(invocation)
        if self._sent[invocation] > MOST_CALLS:
            raise FunctionTimedOut
        self._nth[function, call] += 1
        send = Send(
            function,
            invocation,
            SERVICES.get(service, service),
            call,
            self._nth[function, call],
            self.since(),
            request,
            not READS.match(call),
            original,
        )
        self.points.append((send.point, send.mutating))
        for listener in self.listeners:
            listener(send)
        return self._went(send)

    def _went(self, send: Send) -> Any:
        how = self._how(send)
        if how is None:
            return send.proceed()
        try:
            return how(send)
        except Died:
            if send.invocation:
                self._dead.add(send.invocation)
            raise

    def _how(self, send: Send) -> How | None:
        if waiting := self._at.get(send.point):
            return waiting.pop(0)
        return next((how for where, how in self._rules if where(send)), None)
