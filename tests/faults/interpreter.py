"""What goes wrong with machines: tasks run twice, or on after their time is up; executions aborted, timed out, broken."""

import json
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from local.control.calls import PERSON, READS, made_by, of_execution
from tests.faults.injector import Send
from tests.faults.kinds import kind
from tests.faults.place import Place
from tests.faults.points import Fault
from tests.faults.promptness import watch

STOPPED = "Stopped"  # the error that a person gives with StopExecution
MACHINES = ("Release", "Rollback", "Retire")

Go = Callable[[], None]
Around = Callable[[Any, Any, Go], None]

_task: ContextVar["Task | None"] = ContextVar("task", default=None)


@dataclass
class Task:
    """One try of a Task state's function; its calls are counted."""

    fault: Fault
    sent: int = 0
    second: bool = False


class Interpreter:
    """Stands around each state that a machine of one world enters, and around each function that a Task invokes."""

    def __init__(self, world: Place) -> None:
        self._world = world
        self._states: list[Around] = []
        self._tasks: list[Around] = []
        hooks = world.injector._hooks
        hooks.enter_context(
            patch.object(CommonStateField, "_eval_body", self._around_states(CommonStateField._eval_body))
        )
        invoke = lambda_eval_utils.execute_lambda_function_integration
        hooks.enter_context(
            patch.object(lambda_eval_utils, "execute_lambda_function_integration", self._around_tasks(invoke))
        )

    def on_state(self, fault: Fault, act: Around) -> None:
        """The act takes the state's place; it may let it go on."""
        self._states.append(self._matching(fault, act))

    def on_task(self, fault: Fault, act: Around) -> None:
        """The act takes the place of the invocation of the state's function."""
        self._tasks.append(self._matching(fault, act))

    def _matching(self, fault: Fault, act: Around) -> Around:
        """Args state, machine (any), nth (1; 0 is every one of them)."""
        name, machine = str(fault.args["state"]), fault.args.get("machine")
        nth, seen = int(fault.args.get("nth", 1)), [0]

        def around(name_and_machine: tuple[str, str], env: Any, go: Go) -> None:
            if name_and_machine[0] != name or (machine and name_and_machine[1] != machine):
                return go()
            seen[0] += 1
            return act(name_and_machine, env, go) if nth in (0, seen[0]) else go()

        return around

    def _around_states(self, original: Any) -> Any:
        interpreter = self

        def eval_body(state: Any, env: Any) -> None:
            _nested(interpreter._states, (state.name, machine_of(env)), env, lambda: original(state, env))

        return eval_body

    def _around_tasks(self, original: Any) -> Any:
        interpreter = self

        def execute(env: Any, **more: Any) -> None:
            def go() -> None:
                original(env=env, **more)

            env.invoke_again = lambda other: original(env=other, **more)
            _nested(interpreter._tasks, (env.next_state_name, machine_of(env)), env, go)

        return execute


def _nested(arounds: list[Around], what: Any, env: Any, go: Go) -> None:
    for around in arounds:
        go = _bind(around, what, env, go)
    go()


def _bind(around: Around, what: Any, env: Any, go: Go) -> Go:
    return lambda: around(what, env, go)


def of(world: Place) -> Interpreter:
    """The world's own, hooked in when the first fault needs it."""
    found = world.__dict__.get("interpreter")
    if found is None:
        found = world.__dict__["interpreter"] = Interpreter(world)
    return found


def machine_of(env: Any) -> str:
    """Release, Rollback or Retire."""
    return machine_in(str(env.states.context_object.context_object_data["StateMachine"]["Name"]))


def machine_in(name: str) -> str:
    """Which of our machines has this name."""
    return next((each for each in MACHINES if name.startswith(each)), name)


def execution_of(world: Place, env: Any) -> Any:
    return world.cloud._execution(env.states.context_object.context_object_data["Execution"]["Id"])


# --- moments inside a handler --------------------------------------------------------------------------------


def _due(task: Task, when: Any, send: Send) -> bool:
    """Whether this is the call: "fence" is the first that changes the ledger, "write" the first that changes anything else.

    A name is the first call of that name, a number counts.
    """
    changing = not READS.match(send.call)
    if when == "fence":
        return changing and send.service == "dynamodb"
    if when == "write":
        return changing and send.service != "dynamodb"
    return send.call == when if isinstance(when, str) else task.sent == int(when)


def let_through(send: Send) -> bool:
    """Whether the fence has let this call through already: nothing can stop it any more."""
    return not READS.match(send.call) and send.service != "dynamodb"


def _before(world: Place, fault: Fault, when: Any, act: Callable[[Send], Any]) -> Around:
    """Does the act in the place of one call of the function that the state invokes, once."""
    waiting = [True]

    def where(send: Send) -> bool:
        task = _task.get()
        if task is None or task.fault is not fault or not send.invocation:
            return False
        task.sent += 1
        return waiting[0] and _due(task, when, send)

    def how(send: Send) -> Any:
        waiting[0] = False
        return act(send)

    world.injector.whenever(where, how)

    def around(_: Any, __: Any, go: Go) -> None:
        token = _task.set(Task(fault))
        try:
            go()
        finally:
            _task.reset(token)

    return around


# --- twice -----------------------------------------------------------------------------------------------------


@kind("duplicate")
def duplicate(world: Place, fault: Fault) -> None:
    """A task's function is run twice with the same payload: args state, machine, nth (0: each time), and how:

    "serial" one after the other, "lockstep" call by call, "overtaken" the whole second one before one of the first's
    calls (args before: "fence", "write" or a number).
    """
    how = str(fault.args.get("how", "serial"))
    nth = {**fault.args, "nth": fault.args.get("nth", 0)}
    arms = {"serial": _serially, "lockstep": _in_lockstep, "overtaken": _overtaken}
    act = arms[how](world, fault)
    of(world).on_task(Fault(fault.kind, None, nth), act)


def _serially(world: Place, fault: Fault) -> Around:
    def around(_: Any, env: Any, go: Go) -> None:
        world.fired(fault)
        _again(env)
        go()

    return around


def _in_lockstep(world: Place, fault: Fault) -> Around:
    def where(send: Send) -> bool:
        task = _task.get()
        return task is not None and task.fault is fault and bool(send.invocation)

    def how(send: Send) -> Any:
        world.cloud.clock.sleep(0)
        return send.proceed()

    world.injector.whenever(where, how)

    def around(_: Any, env: Any, go: Go) -> None:
        world.fired(fault)
        token = _task.set(Task(fault))
        try:
            second = world.cloud.clock.spawn(lambda: _again(env), "the task's second run")
            go()
            second.join()
        finally:
            _task.reset(token)

    return around


def _overtaken(world: Place, fault: Fault) -> Around:
    asked: list[Any] = []

    def act(send: Send) -> Any:
        world.fired(fault)
        token = _task.set(None)
        try:
            second = world.cloud.clock.spawn(lambda: _again(asked[-1]), "the task's second run")
        finally:
            _task.reset(token)
        second.join()
        return send.proceed()

    before = _before(world, fault, fault.args.get("before", "write"), act)

    def around(what: Any, env: Any, go: Go) -> None:
        asked.append(env)
        before(what, env, go)

    return around


def _again(env: Any) -> None:
    """Another run of the same function; nobody waits for its answer."""
    try:
        with of_execution(env.states.context_object.context_object_data["Execution"]["Id"]):
            env.invoke_again(SimpleNamespace(stack=[], is_mocked_mode=lambda: False))
    except Exception:
        pass


# --- on after its time ---------------------------------------------------------------------------------------


@kind("zombie")
def zombie(world: Place, fault: Fault) -> None:
    """A handler stands still before a call, the machine times the task out, and args wakes_after seconds later it goes on.

    Args at: "fence" (before the epoch is checked), "write" (between that and its first write), or a call's number. What
    it sends next was decided before: in the middle of "write" nothing can stop it any more, so that write is the fault's.
    """
    when, wakes = fault.args.get("at", "fence"), float(fault.args["wakes_after"])
    limit = _Limit()

    def act(send: Send) -> Any:
        world.fired(fault)
        with world.owing():
            world.cloud.clock.sleep(limit.seconds + wakes)
            if let_through(send):
                world.checks.excuse(send.invocation)
            return send.proceed()

    before = _before(world, fault, when, act)

    def around(what: Any, env: Any, go: Go) -> None:
        limit.seconds = _timeout(world, env, what[0])
        before(what, env, go)

    of(world).on_task(fault, around)


@dataclass
class _Limit:
    seconds: float = 0.0


def _timeout(world: Place, env: Any, state: str) -> float:
    """The TimeoutSeconds of a Task, as its execution's definition has it."""
    definition = json.loads(execution_of(world, env).state_machine.definition)
    return float(_states(definition)[state]["TimeoutSeconds"])


def _states(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every state of a definition by its name, those inside boxes too."""
    found: dict[str, dict[str, Any]] = {}
    for name, state in definition["States"].items():
        found[name] = state
        for branch in state.get("Branches", []):
            found |= _states(branch)
    return found


# --- executions that end without a Catch ---------------------------------------------------------------------


def _stop(world: Place, env: Any) -> None:
    run = execution_of(world, env)
    with of_execution(None), made_by(PERSON):
        world.cloud.client("stepfunctions").stop_execution(
            executionArn=run.exec_arn, error=STOPPED, cause="by hand"
        )


def _time_out(world: Place, env: Any) -> None:
    """As the machine's own TimeoutSeconds does it: at once, whatever its task is at."""
    run = execution_of(world, env)
    if run.status != "RUNNING":
        return
    with of_execution(None):
        run.exec_worker.env.set_timed_out()
        run.exec_worker._execution_communication.terminated()


def _ends(world: Place, fault: Fault, end: Callable[[Place, Any], None]) -> None:
    """Args state, machine, nth; when: "entered" (default), or before the function's "fence" or "write", which goes on.

    Args goes_on_after: the function stands still for so many seconds first; what it then writes is the fault's.
    Args within: seconds by which blue must have its traffic back.
    """
    when = fault.args.get("when", "entered")

    def happens(env: Any) -> None:
        world.fired(fault)
        end(world, env)
        watch(world, fault)

    if when == "entered":

        def enter(_: Any, env: Any, go: Go) -> None:
            happens(env)
            go()

        of(world).on_state(fault, enter)
        return
    asked: list[Any] = []

    def act(send: Send) -> Any:
        happens(asked[-1])
        if pause := float(fault.args.get("goes_on_after", 0)):
            with world.owing():
                world.cloud.clock.sleep(pause)
                if let_through(send):
                    world.checks.excuse(send.invocation)
        return send.proceed()

    before = _before(world, fault, when, act)

    def around(what: Any, env: Any, go: Go) -> None:
        asked.append(env)
        before(what, env, go)

    of(world).on_task(fault, around)


@kind("abort_at")
def abort_at(world: Place, fault: Fault) -> None:
    """A person stops the execution in a state."""
    _ends(world, fault, _stop)


@kind("timeout_at")
def timeout_at(world: Place, fault: Fault) -> None:
    """The machine's time is up in a state."""
    _ends(world, fault, _time_out)


@kind("uncatchable")
def uncatchable(world: Place, fault: Fault) -> None:
    """A state fails with args error: States.Runtime (no Catch sees it) or States.DataLimitExceeded (only by its name).

    Args when: "entered" (a state without a function), "invoked" or "answered" (before or after its function has run).
    Args within as with abort_at.
    """
    error, when = str(fault.args["error"]), str(fault.args.get("when", "entered"))

    def act(_: Any, env: Any, go: Go) -> None:
        world.fired(fault)
        if when == "answered":
            go()
        watch(world, fault)
        raise _failure(env, error)

    if when == "entered":
        of(world).on_state(fault, act)
    else:
        of(world).on_task(fault, act)


def _failure(env: Any, error: str) -> FailureEventException:
    details = TaskFailedEventDetails(
        error=error, cause=f"{error}: a fault", resource="invoke", resourceType="lambda"
    )
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=ErrorName(error),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),  # type: ignore[typeddict-item]
        )
    )
