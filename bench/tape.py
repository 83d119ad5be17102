"""What each function was asked and answered in a played release, how long its own code took, and what AWS told it."""

import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.paginate import PageIterator
from botocore.session import Session

from local.control import sandbox
from local.control.calls import current_execution
from local.control.functions import Functions


@dataclass
class Invocation:
    """One invocation; `seconds` is processor time outside botocore, `answers` what AWS told, each with its call."""

    function: str
    module: str
    execution: str | None
    event: Any
    at: float
    variables: dict[str, str]
    seconds: float = 0.0
    payload_bytes: int = 0
    aside: bool = False  # whether botocore is at work
    answers: list[tuple[str, str, Any]] = field(default_factory=list)

    @property
    def services(self) -> list[str]:
        return sorted({service for service, _, _ in self.answers})


@contextmanager
def recorded() -> Iterator[list[Invocation]]:
    """Every invocation of a function while inside."""
    made: list[Invocation] = []
    current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)
    client: Any = BaseClient
    call, send, each_page = Functions._call, client._make_api_call, PageIterator.__iter__

    def _call(self: Any, code: Any, event: Any, context: Any) -> Any:
        name, module = code.logical_id.removesuffix("Function"), code.handler.rpartition(".")[0]
        variables = dict(sandbox._environment.get() or {})
        invocation = Invocation(name, module, current_execution(), event, time.time(), variables)
        gc.disable()  # what it would look through is the emulated cloud
        token, began = current.set(invocation), time.thread_time()
        try:
            result, failed = call(self, code, event, context)
            invocation.seconds += time.thread_time() - began
        finally:
            current.reset(token)
            gc.enable()
        invocation.payload_bytes = len(json.dumps(event)) + len(json.dumps(result))
        made.append(invocation)
        return result, failed

    def aside(work: Callable[..., Any]) -> Callable[..., Any]:
        def apart(*given: Any, **named: Any) -> Any:
            if (invocation := current.get()) is None or invocation.aside:
                return work(*given, **named)
            invocation.aside, began = True, time.thread_time()
            try:
                return work(*given, **named)
            finally:
                invocation.aside = False
                invocation.seconds -= time.thread_time() - began

        return apart

    def pages(self: Any) -> Iterator[Any]:
        found, end = each_page(self), object()
        following = aside(lambda: next(found, end))
        while (page := following()) is not end:
            yield page

    def _make_api_call(self: Any, operation: str, params: Any) -> Any:
        invocation, service = current.get(), self.meta.service_model.service_name
        try:
            answer = send(self, operation, params)
        except ClientError as error:
            if invocation:
                invocation.answers.append((service, operation, error.response))
            raise
        if invocation:
            invocation.answers.append((service, operation, answer))
        return answer

    with ExitStack() as hooks:
        hooks.enter_context(patch.object(Functions, "_call", _call))
        hooks.enter_context(patch.object(BaseClient, "_make_api_call", aside(_make_api_call)))
        hooks.enter_context(patch.object(PageIterator, "__iter__", pages))
        hooks.enter_context(patch.object(BaseClient, "get_paginator", aside(BaseClient.get_paginator)))
        hooks.enter_context(patch.object(Session, "create_client", aside(Session.create_client)))
        yield made
