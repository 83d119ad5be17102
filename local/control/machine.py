"""Makes moto's Step Functions interpreter behave like AWS: JSONata, errors, time-outs, names, status events."""

import functools
import importlib
import json
import logging
import pkgutil
import sys
import time
import types
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.core.responses import ActionResult
from moto.stepfunctions import parser
from moto.stepfunctions.exceptions import InvalidExecutionInput
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name import error_equals_decl, error_name
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service
from moto.stepfunctions.parser.asl.component.state.fail import state_fail
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import timestamp, wait_function
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.parse import asl_parser, preprocessor
from moto.stepfunctions.parser.backend import execution, execution_worker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from local.clocks.clock import Clock
from local.control import expressions
from local.control.calls import of_execution
from local.control.session import unchecked

# AWS SDK integrations name some services differently from boto3.
SERVICES = {
    "elasticloadbalancingv2": "elbv2",
    "elasticloadbalancing": "elb",
    "eventbridge": "events",
    "cloudwatchlogs": "logs",
}
TASK_WALL_SECONDS = 10.0  # however fast the clock, handlers are no faster: no task times out sooner than this

StatusChanged = Callable[[Any, str], None]


@contextmanager
def install(clock: Clock, on_status: StatusChanged) -> Iterator[None]:
    """Hooks the interpreter; `on_status(execution, status)` is called at each start and end."""
    _load_all(parser)
    logging.getLogger("moto").setLevel(logging.CRITICAL)  # an error logs its whole parse tree
    with ExitStack() as hooks:
        for target, name, value in _replacements(clock, on_status):
            hooks.enter_context(patch.object(target, name, value))
        names = state_task_service.StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES
        hooks.enter_context(patch.dict(names, SERVICES))
        _use_clock(hooks, clock)
        _share_clients(hooks)
        try:
            yield
        finally:
            _forget_threads()


@functools.cache
def _load_all(package: types.ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        with suppress(ImportError):  # a few that moto itself never loads are broken
            importlib.import_module(module.name)


def _replacements(clock: Clock, on_status: StatusChanged) -> list[tuple[Any, str, Any]]:
    return [
        (string_expression.StringJSONata, "_eval_body", _evaluate),
        (error_equals_decl.ErrorEqualsDecl, "_eval_body", _match_error),
        (branches_decl, "CustomErrorName", _error_name),
        (iteration_worker, "CustomErrorName", _error_name),
        (state_fail, "CustomErrorName", _error_name),
        (wait_function.WaitFunction, "_wait_interval", functools.partialmethod(_wait, clock)),
        (timestamp.Timestamp, "_get_wait_seconds", _seconds_to_timestamp),
        (asl_parser.AmazonStateLanguageParser, "parse", staticmethod(_parse)),
        (preprocessor.Preprocessor, "_inner_string_of", staticmethod(_text)),
        (execution_worker.ExecutionWorker, "_execution_logic", _run_as(execution_worker.ExecutionWorker)),
        (execution.Execution, "start", _start(on_status)),
        (execution.Execution, "stop", _stop(on_status)),
        (StepFunctionResponse, "stop_execution", _stop_with_reason(StepFunctionResponse.stop_execution)),
        (StepFunctionResponse, "get_execution_history", _history),
        (execution.BaseExecutionWorkerCommunication, "terminated", _terminated(on_status)),
        (StepFunctionsParserBackend, "start_execution", _named_start()),
    ]


# --- JSONata ----------------------------------------------------------------------------------------------


def _evaluate(self: Any, env: Any) -> None:
    store = env.variable_store
    variables = {**store._outer_scope, **store._inner_scope, "states": env.states._states_data}
    try:
        env.stack.append(expressions.evaluate(self.expression, variables))
    except expressions.Unevaluable as problem:
        raise _query_evaluation_error(env, str(problem)) from problem


def _query_evaluation_error(env: Any, cause: str) -> FailureEventException:
    name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    state = env.next_state_name or ""
    details = EvaluationFailedEventDetails(cause=cause, error=name.error_name or "", state=state)
    failure = FailureEvent(
        env=env,
        error_name=name,
        event_type=HistoryEventType.EvaluationFailed,
        event_details=EventDetails(evaluationFailedEventDetails=details),  # type: ignore[typeddict-item]
    )
    return FailureEventException(failure_event=failure)


def _text(parser_rule_context: Any) -> str | None:
    """A string of the definition with its escapes resolved, which moto leaves as they stand."""
    raw = parser_rule_context.getText()
    return str(json.loads(raw)) if raw.startswith('"') else _kept(raw)


def _kept(raw: str) -> str | None:
    return None if raw == "null" else raw


# --- errors -----------------------------------------------------------------------------------------------

_UNCATCHABLE = "States.Runtime"
_ONLY_BY_NAME = "States.DataLimitExceeded"
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html


def _error_name(error_name_: str | None = None, **named: Any) -> error_name.ErrorName:
    """moto's CustomErrorName refuses States.*, which is how a branch's own errors reach its Parallel."""
    return error_name.ErrorName(named.get("error_name", error_name_))


def _match_error(self: Any, env: Any) -> None:
    name = env.stack.pop().error_name
    env.stack.append(_caught(name, {known.error_name for known in self.error_names}))


def _caught(name: str | None, caught: set[str]) -> bool:
    if name == _UNCATCHABLE:
        return False
    if name in caught:
        return True
    if name == _ONLY_BY_NAME:
        return False
    return "States.ALL" in caught or ("States.TaskFailed" in caught and name != "States.Timeout")


# --- time -------------------------------------------------------------------------------------------------


def _wait(self: Any, clock: Clock, env: Any, wait_seconds: float) -> None:
    due = clock.now() + wait_seconds
    while env.is_running() and clock.now() < due:
        env.program_state_event.wait(due - clock.now())


def _seconds_to_timestamp(self: Any, env: Any) -> float:
    self.string.eval(env=env)
    text = env.stack.pop()
    try:
        due = datetime.fromisoformat(text)
    except ValueError:
        raise FailureEventException(self._create_failure_event(env, text)) from None
    return max(0.0, (due.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _use_clock(hooks: ExitStack, clock: Clock) -> None:
    """The interpreter's own threads, events and sleeps go by the clock."""
    import threading

    ours = clock.threads()
    shim = types.SimpleNamespace(**{**vars(threading), "Thread": ours.Thread, "Event": ours.Event})
    slow = types.SimpleNamespace(**{**vars(shim), "Event": functools.partial(ours.Event, TASK_WALL_SECONDS)})
    clocked = types.SimpleNamespace(**{**vars(time), "sleep": clock.sleep})
    for module in [m for n, m in sys.modules.items() if n.startswith(parser.__name__)]:
        chosen = slow if module is execute_state else shim
        for name, real, value in [
            ("threading", threading, chosen),
            ("Thread", threading.Thread, ours.Thread),
            ("Event", threading.Event, ours.Event),
            ("time", time, clocked),
        ]:
            if getattr(module, name, None) is real:
                hooks.enter_context(patch.object(module, name, value))


def _forget_threads() -> None:
    importlib.import_module(parser.__name__ + ".utils").TMP_THREADS.clear()


# --- speed ------------------------------------------------------------------------------------------------


_parse_once = functools.lru_cache(maxsize=64)(asl_parser.AmazonStateLanguageParser.parse)


def _parse(definition: str) -> Any:
    """A parsed definition holds nothing of a run, so executions share it."""
    return _parse_once(definition)


def _share_clients(hooks: ExitStack) -> None:
    name = "boto_client_for"
    for module in [m for n, m in sys.modules.items() if n.startswith(parser.__name__) and hasattr(m, name)]:
        hooks.enter_context(patch.object(module, name, _shared_client))


def _shared_client(region: str, service: str, state_credentials: Any = None) -> Any:
    return unchecked(service, region)


# --- executions -------------------------------------------------------------------------------------------


def _named_start() -> Callable[..., Any]:
    original = StepFunctionsParserBackend.start_execution

    def start_execution(
        self: Any, state_machine_arn: str, name: str | None = None, given: Any = None, *rest: Any
    ) -> Any:
        if given is not None:
            _check_input(given)
        return original(self, state_machine_arn, name or str(uuid.uuid4()), given, *rest)

    return start_execution


def _check_input(given: str) -> None:
    """moto refuses it too, but without saying so in words that boto3 understands."""
    try:
        json.loads(given, parse_constant=_refuse)
    except ValueError as problem:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{problem}'") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _run_as(worker: Any) -> Callable[[Any], None]:
    original = worker._execution_logic

    def run(self: Any) -> None:
        with of_execution(self._evaluation_details.execution_details.arn):
            original(self)

    return run


def _start(on_status: StatusChanged) -> Callable[[Any], None]:
    original = execution.Execution.start

    def start(self: Any) -> None:
        original(self)
        on_status(self, "RUNNING")

    return start


_why: ContextVar[tuple[str | None, str | None]] = ContextVar("why", default=(None, None))


def _stop_with_reason(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """moto drops the error and the cause that StopExecution is given.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html
    """

    def stop_execution(self: Any) -> Any:
        token = _why.set((self._get_param("error"), self._get_param("cause")))
        try:
            return original(self)
        finally:
            _why.reset(token)

    return stop_execution


def _history(self: Any) -> ActionResult:
    """moto answers with all of a history, whatever part of it was asked for, in whichever order.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
    """
    found = self.stepfunction_backend.get_execution_history(self._get_param("executionArn"))
    events = found["events"][::-1] if self._get_param("reverseOrder") else found["events"]
    first = int(self._get_param("nextToken") or 0)
    rest = first + (self._get_int_param("maxResults") or len(events))
    more = {"nextToken": str(rest)} if rest < len(events) else {}
    return ActionResult({"events": events[first:rest], **more})


def _stop(on_status: StatusChanged) -> Callable[..., None]:
    original = execution.Execution.stop

    def stop(self: Any, stop_date: Any, error: str | None, cause: str | None) -> None:
        if self.exec_status != ExecutionStatus.RUNNING:
            return
        error, cause = (told or given for told, given in zip(_why.get(), (error, cause), strict=True))
        original(self, stop_date, error, cause)
        self.exec_status = ExecutionStatus.ABORTED  # at once, though a task may still run
        self.stop_date, self.error, self.cause = stop_date, error or None, cause or None
        on_status(self, "ABORTED")

    return stop


def _terminated(on_status: StatusChanged) -> Callable[[Any], None]:
    original = execution.BaseExecutionWorkerCommunication.terminated

    def terminated(self: Any) -> None:
        if self.execution.exec_status != ExecutionStatus.RUNNING:
            return
        original(self)
        on_status(self.execution, self.execution.status)

    return terminated
