"""The local cloud: moto made real, in virtual time for tests, or served over HTTP in scaled time."""

import json
import logging
import socket
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.server import ThreadedMotoServer
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local import strict
from local.clocks.clock import Clock
from local.clocks.scaled import ScaledClock
from local.clocks.virtual import VirtualClock
from local.control import machine
from local.control.calls import CLOUD, PERSON, Calls, made_by
from local.control.deploy import Stack, deploy
from local.control.events import Events
from local.control.functions import Functions
from local.control.redrive import Redrive
from local.control.session import ACCOUNT, REGION, client, session
from local.control.streams import Streams
from local.control.topics import Published, Topics
from local.control.trail import Trail
from local.fleet.builds import Builds
from local.fleet.commands import Commands
from local.fleet.fleet import Fleet
from local.fleet.images import Images
from local.fleet.names import Names
from local.fleet.pipelines import Pipelines
from local.fleet.scaling import Scaling
from local.metrics.alarm_history import AlarmHistory
from local.metrics.alarms import Alarms
from local.metrics.metrics import Metrics
from local.metrics.services import ServiceMetrics
from local.metrics.usage import Usage
from local.plane import network
from local.plane.balancer import HAProxyPlane
from local.plane.plane import ModelPlane
from local.reality import Reality

HOST = "127.0.0.1"
TICK_SECONDS = 5.0
TICK_WALL_SECONDS = 0.1
ENDED = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")
MOTO: Any = {
    "stepfunctions": {"execute_state_machine": True},
    "lambda": {"use_docker": False},
    "core": {"reset_boto3_session": True},
}


_slow_backend = BackendDict.__getitem__


def _backend() -> Callable[[Any, str], Any]:
    """moto looks through all its services each time it is asked for one; the tickers ask a great deal.

    Each is asked for moto's way once in a cloud's life: moto empties only those, and one emptied service may have made
    another again that was emptied before it.
    """
    known: set[int] = set()

    def backend(backends: Any, account: str) -> Any:
        found = dict.get(backends, account) if id(backends) in known else None
        known.add(id(backends))
        return _slow_backend(backends, account) if found is None else found

    return backend


class PortTaken(RuntimeError):
    """Something else listens where the cloud is to be served."""


@dataclass(frozen=True)
class Execution:
    """How an execution stands, or how it ended."""

    arn: str
    status: str
    error: str | None
    cause: str | None
    output: Any
    history: list[dict[str, Any]]

    @property
    def states(self) -> list[str]:
        """The names of the states it entered, in order."""
        entered = [event for event in self.history if event["type"].endswith("StateEntered")]
        return [event["stateEnteredEventDetails"]["name"] for event in entered]


class Cloud:
    """One account and Region. Use it as a context manager: nothing of it is left afterwards."""

    def __init__(self, clock: Clock, reality: Reality, out: Path | None, port: int | None) -> None:
        self.clock = clock
        self.reality = reality
        self.out = out
        self._port = port
        self._stack = ExitStack()
        self.endpoint: str | None = None

    @classmethod
    def virtual(cls, out: Path | None = None, reality: Reality | None = None) -> "Cloud":
        """In this process, in virtual time, with a model of the load balancer."""
        return cls(VirtualClock(), reality or Reality(), out, None)

    @classmethod
    def served(
        cls, speed: float = 30, port: int = 0, out: Path | None = None, reality: Reality | None = None
    ) -> "Cloud":
        """Served over HTTP in scaled time, with HAProxy as the load balancer; port 0 takes a free one."""
        return cls(ScaledClock(speed), reality or Reality(), out or Path("out/local"), port)

    def __enter__(self) -> "Cloud":
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if not self.clock.failures:
            return
        if self.out:
            (self.out / "failures.log").write_text("\n".join(self.clock.failures), encoding="utf-8")
        if kind is None and self._port is None:
            raise RuntimeError("in the background: " + "\n".join(self.clock.failures))

    # --- coming up and going down -------------------------------------------------------------------------

    def _start(self) -> None:
        if self._port:
            _check_free(self._port)
        if self.out:
            self.out.mkdir(parents=True, exist_ok=True)
        clock, reality = self.clock, self.reality
        self._stack.enter_context(mock_aws(config=MOTO))
        self._stack.enter_context(patch.object(BackendDict, "__getitem__", _backend()))
        self._stack.enter_context(patch.object(boto3, "DEFAULT_SESSION", session()))
        self.calls: Calls = self._installed(Calls(clock, self.out, ACCOUNT, REGION))
        clock.start()
        self._stack.callback(clock.stop)
        self.functions: Functions = self._installed(Functions(clock, self.out, served=self._port is not None))
        self._topics: Topics = self._installed(Topics(clock))
        self.events: Events = self._installed(Events(clock, self.functions, ACCOUNT, REGION))
        self.streams: Streams = self._installed(Streams(clock, self.functions, ACCOUNT, REGION))
        self._stack.enter_context(machine.install(clock, self.events.execution_changed))
        self._installed(Trail(clock, reality))
        self._installed(Redrive(clock, reality, self.events.execution_changed))
        self.names: Names = Names(clock, reality)
        self.plane: Any = self._plane()
        self.plane.start()
        self._stack.callback(self.plane.stop)
        network.install(self.plane)
        self._stack.callback(network.uninstall)
        strict.install(reality)
        self._stack.callback(strict.uninstall)
        self._installed(self.names)
        self.images = self._installed(Images(clock, reality, self.events.emit))
        self._installed(Commands(clock, reality))
        self.pipelines = self._installed(Pipelines(clock, reality, self.events.emit))
        self.builds = self._installed(Builds(clock, reality))
        self.fleet = self._installed(Fleet(clock, self.plane, reality, self.images))
        self.scaling = self._installed(Scaling(clock, reality))
        self.metrics = self._installed(Metrics(clock, reality, self.plane))
        self.services = self._installed(ServiceMetrics(clock, reality, self.functions))
        self.usage = self._installed(Usage(reality))
        self.alarms = self._installed(Alarms(clock, reality))
        self._installed(AlarmHistory())
        if self._port is not None:
            self._serve(self._port)
        self._tick()
        self._stack.callback(clock.halt)

    def _plane(self) -> Any:
        if self._port is None:
            return ModelPlane(self.clock, self.reality, self.names.resolve)
        return HAProxyPlane(self.clock, self.reality, self.out or Path("out/local"))

    def _installed(self, part: Any) -> Any:
        part.install()
        self._stack.callback(part.uninstall)
        return part

    def _serve(self, port: int) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        # An answer carries the cloud's own time, as AWS's do: whoever counts by it needs no clock of this cloud.
        told = patch.object(
            MotoRequestHandler, "date_time_string", lambda *_: formatdate(self.clock.now(), usegmt=True)
        )
        self._stack.enter_context(told)
        server = ThreadedMotoServer(ip_address=HOST, port=port, verbose=False)
        server.start()
        self._stack.callback(server.stop)
        host, bound = server.get_host_and_port()
        self.endpoint = f"http://{host}:{bound}"

    def _tick(self) -> None:
        """In this order within one instant: instances, then what they served, then who looks at it."""
        parts = [
            self.images,
            self.pipelines,
            self.builds,
            self.fleet,
            self.names,
            self.metrics,
            self.services,
            self.usage,
            self.alarms,
        ]
        parts += [self.scaling, self.events]
        seconds = TICK_SECONDS
        if self._port is None:
            parts.insert(parts.index(self.metrics), self.plane)
        else:
            seconds = min(TICK_SECONDS, TICK_WALL_SECONDS * self.clock.speed)
        with made_by(CLOUD):
            self.clock.every(seconds, [part.tick for part in parts], "the world")

    # --- what people do with it ---------------------------------------------------------------------------

    def client(self, service: str) -> Any:
        """A boto3 client of a person's."""
        return client(service)

    def deploy(
        self, template: Path, parameters: Mapping[str, str] | None = None, stack: str = "viridian"
    ) -> Stack:
        """Makes a new stack; there are no updates."""
        with made_by(CLOUD):
            return deploy(Path(template), parameters or {}, self.functions, self.streams, stack)

    def start(self, state_machine_arn: str, input: Mapping[str, Any], name: str | None = None) -> str:
        with made_by(PERSON):
            given = {"name": name or str(uuid.uuid4()), "input": json.dumps(input)}
            started = self.client("stepfunctions").start_execution(stateMachineArn=state_machine_arn, **given)
        return str(started["executionArn"])

    def run(self, state_machine_arn: str, input: Mapping[str, Any], name: str | None = None) -> Execution:
        """Starts an execution and waits until it has ended."""
        return self.wait(self.start(state_machine_arn, input, name))

    def wait(self, execution_arn: str, timeout: float = 7 * 86400) -> Execution:
        run = self._execution(execution_arn)
        if not self.clock.until(lambda: run.status in ENDED, timeout):
            raise TimeoutError(f"{execution_arn} still runs after {timeout} cloud seconds")
        return self.execution(execution_arn)

    def execution(self, execution_arn: str) -> Execution:
        run = self._execution(execution_arn)
        history = run.to_history_output()["events"]
        return Execution(execution_arn, run.status, run.error, run.cause, run.output, history)

    def executions(self, state_machine_arn: str) -> list[str]:
        """Every execution of a state machine, oldest first."""
        backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
        return [run.exec_arn for run in backend.describe_state_machine(state_machine_arn).executions]

    def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Lets the world go on until the condition holds (True) or so many cloud seconds have passed (False)."""
        return self.clock.until(condition, timeout)

    def published(self, topic: str | None = None) -> list[Published]:
        """What this SNS topic (or any) told, oldest first."""
        return [each for each in self._topics.published if topic in (None, each.topic)]

    @property
    def lambda_invocations(self) -> list[dict[str, Any]]:
        return self.functions.invocations

    def _execution(self, arn: str) -> Any:
        backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
        return backend.describe_execution(arn)


def _check_free(port: int) -> None:
    """moto's server would wait for ever to be ready."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((HOST, port))
        except OSError:
            raise PortTaken(f"port {port} is taken") from None
