"""Lambda runs the real handlers, in this process, each with its own function's environment."""

import contextlib
import importlib
import json
import sys
import threading
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

from moto.awslambda.responses import LambdaResponse
from moto.awslambda.utils import get_backend as lambda_backend
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core.responses import BaseResponse

from local.clocks.clock import Clock, ClockStopped
from local.control import sandbox
from local.control.calls import current_execution, made_by
from local.control.event_queue import EventQueue, Throttled
from local.control.sandbox import Budget, FunctionTimedOut
from local.control.session import ACCOUNT, REGION
from local.control.urls import Urls


@dataclass
class Context:
    """What Lambda hands to a handler beside the event."""

    function_name: str
    function_version: str
    memory_limit_in_mb: str
    invoked_function_arn: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    budget: Budget
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self.budget.left() * 1000))


@dataclass
class Code:
    """Where a function's handler is, and its name in the template."""

    logical_id: str
    root: Path
    handler: str


class Functions:
    """The functions of one cloud: their code, their invocations, what they print."""

    def __init__(self, clock: Clock, out: Path | None, *, served: bool = False) -> None:
        self.invocations: list[dict[str, Any]] = []
        self.throttles: list[dict[str, Any]] = []
        self._clock = clock
        self._queue = EventQueue(clock, self)
        self.urls = Urls(self, served=served)
        self._running: Counter[str] = Counter()
        self._code: dict[str, Code] = {}
        self._path = out / "logs.jsonl" if out else None
        self._file: IO[str] | None = None
        self._hooks = contextlib.ExitStack()
        self._writing = threading.Lock()
        self._importing = threading.Lock()

    def register(self, function_name: str, code: Code) -> None:
        self._code[function_name] = code
        if str(code.root) not in sys.path:
            sys.path.insert(0, str(code.root))
            self._hooks.callback(sandbox.forget, code.root)

    def install(self) -> None:
        if self._path:
            self._file = self._hooks.enter_context(self._path.open("w", encoding="utf-8"))
        functions = self

        def invoke(backend: Any, name: str, qualifier: Any, body: Any, headers: Any, response: Any) -> Any:
            return functions._invoke(backend, name, qualifier, body, headers, response)

        self._hooks.enter_context(patch.object(LambdaSimpleBackend, "invoke", invoke))
        self._hooks.enter_context(patch.object(LambdaResponse, "_get_param", _parameter))
        sandbox.install(self._hooks, self._clock)
        self._queue.install()
        self._hooks.callback(self._queue.uninstall)
        self.urls.open()
        self._hooks.callback(self.urls.close)

    def uninstall(self) -> None:
        self._hooks.close()

    def _invoke(
        self, backend: Any, name: str, qualifier: Any, body: Any, headers: Any, response: Any
    ) -> bytes:
        function = backend.get_function(name, qualifier)
        if (headers or {}).get("X-Amz-Invocation-Type") == "DryRun":
            return b""
        asked = qualifier or qualifier_of(name)
        if (headers or {}).get("X-Amz-Invocation-Type") == "Event":
            self.invoke_later(function, body, asked)
            return b""
        result, failed = self.run(function, json.loads(body or "{}"), asked)
        if failed:
            response["x-amz-function-error"] = "Unhandled"
        return json.dumps(result).encode()

    def invoke_later(self, function: Any, body: str, qualifier: str = "") -> None:
        """Accepts an event; Lambda's queue does the rest."""
        self._queue.accept(function, qualifier, body)

    def concurrency(self, name: str) -> int | None:
        """What is reserved for a function; None where nothing is."""
        backend: Any = lambda_backend(ACCOUNT, REGION)
        limit = backend.get_function(name).reserved_concurrency
        return None if limit is None else int(limit)

    @contextlib.contextmanager
    def _slot(self, function: Any) -> Iterator[None]:
        """One of the invocations that may run at once.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
        """
        name = function.function_name
        limit = self.concurrency(name)
        with self._writing:
            if limit is not None and self._running[name] >= limit:
                self.throttles.append({"at": self._clock.now(), "name": name})
                raise Throttled
            self._running[name] += 1
        try:
            yield
        finally:
            with self._writing:
                self._running[name] -= 1

    def run(self, function: Any, event: Any, qualifier: str = "", request: str = "") -> tuple[Any, bool]:
        """The handler's answer, or its error as Lambda puts it, and whether it failed; or Throttled."""
        with self._slot(function):
            return self._run(function, event, qualifier, request or str(uuid.uuid4()))

    def _run(self, function: Any, event: Any, qualifier: str, request: str) -> tuple[Any, bool]:
        code = self._code[function.function_name]
        variables = _variables(function, code)
        budget = Budget(float(function.timeout))
        context = _context(function, qualifier, request, budget)
        entry = {
            "at": self._clock.now(),
            "function": code.logical_id,
            "name": function.function_name,
            "version": function.version,
            "request": context.aws_request_id,
            "execution": current_execution(),
        }
        ledger = variables.get("RELEASES_TABLE")
        with made_by(code.logical_id, ledger, request), sandbox.inside(variables, budget) as printed:
            result, failed = self._call(code, event, context)
        self._note(entry | {"error": result.get("errorType") if failed else None}, printed.getvalue())
        return result, failed

    def _call(self, code: Code, event: Any, context: Context) -> tuple[Any, bool]:
        try:
            handler = self._load(code)
            return json.loads(json.dumps(handler(event, context))), False
        except ClockStopped:
            raise
        except FunctionTimedOut:
            text = f"{context.aws_request_id} Task timed out after {context.budget.seconds:.2f} seconds"
            return {"errorType": "Lambda.Unknown", "errorMessage": text}, True
        except Exception as error:
            trace = traceback.format_exception(error)
            answer = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": trace}
            return answer | {"requestId": context.aws_request_id}, True

    def _load(self, code: Code) -> Callable[[Any, Context], Any]:
        module, _, name = code.handler.rpartition(".")
        with self._importing:
            loaded = importlib.import_module(module.replace("/", "."))
        handler: Callable[[Any, Context], Any] = getattr(loaded, name)
        return handler

    def _note(self, entry: dict[str, Any], printed: str) -> None:
        with self._writing:
            self.invocations.append(entry)
            if self._file:
                self._file.writelines(line + "\n" for line in printed.splitlines() if line.strip())
                self._file.flush()


def qualifier_of(function: str) -> str:
    """The version or alias that an ARN names; empty where it names none."""
    return "".join(function.split(":")[7:]) if function.startswith("arn:") else ""


def _parameter(self: Any, name: str, if_none: Any = None) -> Any:
    """moto looks for `qualifier`, where the API has `Qualifier`."""
    found = BaseResponse._get_param(self, name, if_none)
    if name == "qualifier" and found is None:
        return BaseResponse._get_param(self, "Qualifier", if_none)
    return found


def _variables(function: Any, code: Code) -> dict[str, str]:
    return {
        **{key: str(value) for key, value in (function.environment_vars or {}).items()},
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "_HANDLER": code.handler,
        "POWERTOOLS_TRACE_DISABLED": "true",
    }


def _context(function: Any, qualifier: str, request: str, budget: Budget) -> Context:
    arn = ":".join(function.function_arn.split(":")[:7])
    return Context(
        function_name=function.function_name,
        function_version=str(function.version),
        memory_limit_in_mb=str(function.memory_size),
        invoked_function_arn=f"{arn}:{qualifier}" if qualifier else arn,
        aws_request_id=request,
        log_group_name=f"/aws/lambda/{function.function_name}",
        log_stream_name="local",
        budget=budget,
    )
