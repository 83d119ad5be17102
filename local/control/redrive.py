"""RedriveExecution, which moto lacks, and a DescribeExecution that lags behind: what is true now shows a little later."""

import copy
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.stepfunctions.exceptions import ExecutionDoesNotExist
from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.flow.start_at import StartAt
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramRunning
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.responses import StepFunctionResponse

from local.clocks.clock import Clock
from local.control.calls import of_execution
from local.reality import Reality

REDRIVABLE_DAYS = 14
MOST_EVENTS = 24_999
_ENDS = {
    "ABORTED": HistoryEventType.ExecutionAborted,
    "TIMED_OUT": HistoryEventType.ExecutionTimedOut,
    "FAILED": HistoryEventType.ExecutionFailed,
}


class ExecutionNotRedrivable(AWSError):
    TYPE = "ExecutionNotRedrivable"
    STATUS = 400


@dataclass
class Position:
    """Where one level of a machine stood: the state it had entered, with which input and variables."""

    state: str
    given: Any
    variables: dict[str, Any]
    ended: bool = False


class Redrive:
    """The executions of one cloud that can be taken up again.

    https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
    A Map is run again as a whole.
    """

    def __init__(self, clock: Clock, reality: Reality, on_status: Callable[[Any, str], None]) -> None:
        self._clock, self._reality, self._on_status = clock, reality, on_status
        self._stood: dict[tuple[str, int], Position] = {}
        self._resuming: dict[tuple[str, int], Position] = {}
        self._redriven: dict[str, list[datetime]] = {}
        self._hooks = ExitStack()

    def install(self) -> None:
        for target, name, value in [
            (CommonStateField, "_eval_body", self._enter(CommonStateField._eval_body)),
            (Program, "eval", self._run(Program.eval)),
            (StepFunctionResponse, "redrive_execution", self._answer()),
            (
                StepFunctionResponse,
                "describe_execution",
                self._describe(StepFunctionResponse.describe_execution),
            ),
        ]:
            self._hooks.enter_context(patch.object(target, name, value, create=True))

    def uninstall(self) -> None:
        self._hooks.close()

    # --- where executions stand ---------------------------------------------------------------------------

    def _run(self, original: Callable[..., None]) -> Callable[[Any, Any], None]:
        redrive = self

        def run(program: Any, env: Any) -> None:
            env.level = level = (_arn(env), id(program))
            position = redrive._resuming.pop(level, None)
            if position is None:
                original(program, env)
            elif position.ended:
                env.next_state_name = program.start_at.start_at_name
                env.states.reset(input_value=position.given)
                env.set_ended()
            else:
                resumed = copy.copy(program)
                resumed.start_at = StartAt(position.state)
                env.variable_store._inner_scope.update(copy.deepcopy(position.variables))
                env.states.reset(input_value=position.given)
                original(resumed, env)
            if isinstance(env.program_state(), ProgramEnded):
                redrive._stood[level] = Position("", env.states.get_input(), {}, ended=True)

        return run

    def _enter(self, original: Callable[..., None]) -> Callable[[Any, Any], None]:
        redrive = self

        def eval_body(state: Any, env: Any) -> None:
            given = env.states._states_data["input"]
            level = getattr(env, "level", (_arn(env), 0))
            redrive._stood[level] = Position(state.name, given, dict(env.variable_store._inner_scope))
            original(state, env)
            if isinstance(env.program_state(), (ProgramRunning, ProgramEnded)):
                redrive._leave(state, level[0])

        return eval_body

    def _leave(self, state: Any, arn: str) -> None:
        """A box that was left is entered from its beginning, should the machine come back to it."""
        for program in getattr(getattr(state, "branches", None), "programs", ()):
            self._stood.pop((arn, id(program)), None)

    # --- taking one up again ------------------------------------------------------------------------------

    def redrive(self, execution: Any) -> datetime:
        """Goes on from the step that failed or was interrupted, with what it had: same ARN, a fresh clock."""
        if reason := self._refusal(execution):
            raise ExecutionNotRedrivable(f"Execution {execution.exec_arn} cannot be redriven: {reason}")
        at = datetime.now(UTC)
        self._redriven.setdefault(execution.exec_arn, []).append(at)
        for level, position in list(self._stood.items()):
            if level[0] == execution.exec_arn:
                self._resuming[level] = position
        self._restart(execution)
        self._on_status(execution, "RUNNING")
        return at

    def _restart(self, execution: Any) -> None:
        before = execution.exec_worker
        history = copy.copy(before.env.event_manager)
        history._history_event_list = list(before.env.event_manager._history_event_list)
        history._event_id_gen = copy.copy(before.env.event_manager._event_id_gen)
        context = EventHistoryContext(len(history._history_event_list))
        if not history._history_event_list[-1]["type"].value.startswith("Execution"):
            history.add_event(context, _ENDS[execution.status])  # its last handler hadn't come back yet
        execution.exec_worker = _Redriven(
            execution, history, context, len(self._redriven[execution.exec_arn])
        )
        execution.exec_status = ExecutionStatus.RUNNING
        execution.stop_date = execution.error = execution.cause = None
        execution.exec_worker.start()

    def _refusal(self, execution: Any) -> str | None:
        if execution.status in ("RUNNING", "SUCCEEDED"):
            return f"Execution is {execution.status} and cannot be redriven"
        if execution.sm_type == "EXPRESS":
            return "Execution is of an EXPRESS state machine"
        if datetime.now(UTC) - _utc(execution.stop_date) > timedelta(days=REDRIVABLE_DAYS):
            return "Execution redrivable period exceeded"
        if len(execution.exec_worker.env.event_manager._history_event_list) >= MOST_EVENTS:
            return "Execution history event limit exceeded"
        return None

    def _answer(self) -> Callable[[Any], ActionResult]:
        redrive = self

        def redrive_execution(response: Any) -> ActionResult:
            arn = response._get_param("executionArn")
            execution = response.stepfunction_backend.describe_execution(arn)
            return ActionResult({"redriveDate": redrive.redrive(execution)})

        return redrive_execution

    # --- what DescribeExecution shows ---------------------------------------------------------------------

    def _describe(self, original: Callable[[Any], ActionResult]) -> Callable[[Any], ActionResult]:
        redrive = self

        def describe_execution(response: Any) -> ActionResult:
            arn = response._get_param("executionArn")
            execution = response.stepfunction_backend.describe_execution(arn)
            if redrive._is_recent(execution.start_date):
                raise ExecutionDoesNotExist(f"Execution Does Not Exist: '{arn}'")
            answer: Any = original(response).result
            shown: dict[str, Any] = {**answer}
            if execution.stop_date and redrive._is_recent(execution.stop_date):
                for late in ("stopDate", "output", "outputDetails", "error", "cause"):
                    shown.pop(late, None)
                return ActionResult(
                    {**shown, "status": "RUNNING", **redrive._told(arn, "Execution is RUNNING")}
                )
            if execution.stop_date:
                shown["stopDate"] = execution.stop_date
            return ActionResult({**shown, **redrive._told(arn, redrive._refusal(execution))})

        return describe_execution

    def _told(self, arn: str, refusal: str | None) -> dict[str, Any]:
        dates = self._redriven.get(arn, [])
        told: dict[str, Any] = {"redriveCount": len(dates), **({"redriveDate": dates[-1]} if dates else {})}
        if refusal:
            return {**told, "redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": refusal}
        return {**told, "redriveStatus": "REDRIVABLE"}

    def _is_recent(self, at: datetime) -> bool:
        lag = self._reality.execution_lag_seconds if self._reality.executions_lag else 0.0
        return self._clock.now() - _utc(at).timestamp() < lag


class _Redriven(ExecutionWorker):
    """The worker of a further attempt: the history goes on, and the one before has no say any more."""

    def __init__(self, execution: Any, history: Any, context: EventHistoryContext, count: int) -> None:
        before = execution.exec_worker
        super().__init__(
            evaluation_details=before._evaluation_details,
            exec_comm=before._execution_communication,
            cloud_watch_logging_session=before._cloud_watch_logging_session,
            activity_store=before._activity_store,
        )
        before._execution_communication = _Forgotten()
        self._context, self._count = context, count
        self.env = env = self._get_evaluation_environment()
        env.event_manager = history

    def _get_evaluation_environment(self) -> Any:
        env: Any = super()._get_evaluation_environment()
        env.event_history_context = self._context
        run: Any = env.states.context_object.context_object_data["Execution"]
        run |= {"RedriveCount": self._count, "RedriveTime": datetime.now(UTC).isoformat()}
        return env

    def _execution_logic(self) -> None:
        env: Any = self.env
        details: Any = {"executionRedrivenEventDetails": {"redriveCount": self._count}}
        with of_execution(self._evaluation_details.execution_details.arn):
            env.event_manager.add_event(self._context, HistoryEventType.ExecutionRedriven, details)
            self._get_evaluation_entrypoint().eval(env)
            self._execution_communication.terminated()


class _Forgotten:
    """Hears the end of an attempt that nobody waits for any more."""

    def terminated(self) -> None:
        return


def _arn(env: Any) -> str:
    return str(env.states.context_object.context_object_data["Execution"]["Id"])


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=at.tzinfo or UTC)
