"""Lambda's own queue of events: what is tried again and for how long, and who is told when it is given up.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import json
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from unittest.mock import patch
from urllib.parse import unquote

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import EventInvokeConfig
from moto.awslambda.responses import LambdaResponse
from moto.core.responses import ActionResult
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local.clocks.clock import Clock

LATEST = "$LATEST"
AFTER_ERRORS = (60.0, 120.0)
LONGEST_PAUSE = 300.0  # between two tries of an event that is throttled
SIX_HOURS = 21_600


class Throttled(LambdaClientError):
    """The function has no concurrency left; a caller that waits for the answer gets this one."""

    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class Lambda(Protocol):
    """What the queue hands its events to."""

    def run(self, function: Any, event: Any, qualifier: str = "", request: str = "") -> tuple[Any, bool]: ...
    def concurrency(self, name: str) -> int | None: ...


@dataclass
class Waiting:
    """An event in the queue: what became of its tries so far."""

    function: Any
    qualifier: str
    payload: Any
    born: float
    request: str = field(default_factory=lambda: str(uuid.uuid4()))
    invoked: int = 0
    errors: int = 0
    throttled: int = 0
    answer: Any = None

    def pause(self) -> float:
        """Errors are tried again after one and two minutes; throttled events after 1, 2, 4 ... seconds."""
        if self.throttled:
            return min(2.0 ** (self.throttled - 1), LONGEST_PAUSE)
        return AFTER_ERRORS[self.errors - 1]


class EventQueue:
    """The events that Lambda has accepted for one account's functions."""

    def __init__(self, clock: Clock, functions: Lambda) -> None:
        self._clock, self._functions = clock, functions
        self._configs: dict[tuple[str, str], EventInvokeConfig] = {}
        self._hooks = ExitStack()

    def install(self) -> None:
        """moto keeps one configuration for a function; AWS keeps one for each of its versions and aliases."""
        queue = self

        def put(response: Any) -> ActionResult:
            function = response.backend.get_function(_name(response))
            key = (function.function_name, _qualifier(response))
            config = EventInvokeConfig(f"{_unqualified(function)}:{key[1]}", "", response.json_body)
            config.last_modified = queue._clock.now()  # type: ignore[assignment]
            queue._configs[key] = config
            return ActionResult(config.response())

        def get(response: Any) -> ActionResult:
            function = response.backend.get_function(_name(response))
            found = queue._configs.get((function.function_name, _qualifier(response)))
            if found is None:
                words = f"The function {function.function_name} doesn't have an EventInvokeConfig"
                raise LambdaClientError("ResourceNotFoundException", words)
            return ActionResult(found.response())

        for name, method in (("put", put), ("get", get)):
            hook = patch.object(LambdaResponse, f"{name}_function_event_invoke_config", method)
            self._hooks.enter_context(hook)

    def uninstall(self) -> None:
        self._hooks.close()

    def accept(self, function: Any, qualifier: str, body: str) -> None:
        """Lambda answers at once, and goes on by itself."""
        event = Waiting(function, qualifier or LATEST, json.loads(body or "{}"), self._clock.now())
        self._clock.spawn(lambda: self._carry(event), f"event for {function.function_name}")

    def _carry(self, event: Waiting) -> None:
        config = self._config(event)
        age = config.get("MaximumEventAgeInSeconds", SIX_HOURS)
        while not self._invoke(event):
            if event.throttled and self._functions.concurrency(event.function.function_name) == 0:
                return self._tell(event, config, "ZeroReservedConcurrency")
            if not event.throttled and event.errors > config.get("MaximumRetryAttempts", 2):
                return self._tell(event, config, "RetriesExhausted")
            pause = event.pause()
            if self._clock.now() + pause - event.born > age:
                return self._tell(event, config, "EventAgeExceeded")
            self._clock.sleep(pause)
        return None

    def _invoke(self, event: Waiting) -> bool:
        """Whether the event is done with. A throttle isn't one of the tries that an error may take."""
        asked = "" if event.qualifier == LATEST else event.qualifier
        try:
            event.answer, failed = self._functions.run(event.function, event.payload, asked, event.request)
        except Throttled:
            event.throttled += 1
            return False
        event.throttled = 0
        event.invoked += 1
        event.errors += failed
        return not failed

    def _config(self, event: Waiting) -> dict[str, Any]:
        found = self._configs.get((event.function.function_name, event.qualifier))
        return found.config if found else {}

    def _tell(self, event: Waiting, config: dict[str, Any], condition: str) -> None:
        destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if not destination:
            return
        text = json.dumps(self._record(event, condition), default=str)
        account, region, name = (
            destination.split(":")[4],
            destination.split(":")[3],
            destination.split(":")[-1],
        )
        try:
            if ":sqs:" in destination:
                sqs_backends[account][region].send_message(queue_name=name, message_body=text)
            elif ":sns:" in destination:
                sns_backends[account][region].publish(text, destination)
            else:
                raise NotImplementedError("the local cloud tells queues and topics only")
        except Exception as problem:
            self._clock.failures.append(f"what failed can't be told to {destination}: {problem!r}")

    def _record(self, event: Waiting, condition: str) -> dict[str, Any]:
        """The invocation record; where nothing ever answered it says nothing of an answer."""
        at = datetime.fromtimestamp(self._clock.now(), UTC)
        record = {
            "version": "1.0",
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "requestContext": {
                "requestId": event.request,
                "functionArn": f"{_unqualified(event.function)}:{event.qualifier}",
                "condition": condition,
                "approximateInvokeCount": event.invoked,
            },
            "requestPayload": event.payload,
        }
        if not event.invoked:
            return record
        context = {
            "statusCode": 200,
            "executedVersion": str(event.function.version),
            "functionError": "Unhandled",
        }
        return record | {"responseContext": context, "responsePayload": event.answer}


def _name(response: Any) -> str:
    return unquote(str(response.path).rsplit("/", 2)[1])


def _qualifier(response: Any) -> str:
    return str(response.querystring.get("Qualifier", [LATEST])[0])


def _unqualified(function: Any) -> str:
    return ":".join(str(function.function_arn).split(":")[:7])
