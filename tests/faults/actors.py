"""Who acts at the same moment as a release: a person who redrives, the sweeper, another function, other releases."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from local.control.calls import PERSON, made_by, of_execution
from local.control.delivery import Delivery
from tests.faults.alarming import alarms
from tests.faults.deliveries import concerns
from tests.faults.injector import Send
from tests.faults.interpreter import let_through, machine_in
from tests.faults.kinds import kind
from tests.faults.moments import at, later
from tests.faults.picks import LEDGER
from tests.faults.place import MINUTE, Place
from tests.faults.points import Fault
from tests.faults.promises import promise
from tests.faults.scenarios import ami, at_half
from tests.workflow.world import Release

LOOK = 5.0
STATUS = ("status", "outcome", "ended_at")


# --- redrive -------------------------------------------------------------------------------------------------


@kind("redrive")
def redrive(world: Place, fault: Fault) -> None:
    """A person redrives the release's execution: args after seconds after its end (60).

    It waits for the ledger to say that the release is over, unless args at_once; with args newer until the next release
    observes its first step.
    """
    world.owe()
    after = float(fault.args.get("after", 60))

    def wait(ready: Callable[[Any], bool], then: Callable[[Any], None]) -> None:
        run = next(iter(releases(world)), None)
        if run is not None and ready(run):
            then(run)
        else:
            later(world, LOOK, lambda: wait(ready, then))

    def go(run: Any) -> None:
        try:
            _redrive(world, fault, run)
        finally:
            world.paid()

    def ended(run: Any) -> bool:
        return run.status != "RUNNING" and (bool(fault.args.get("at_once")) or over(world, run.exec_arn))

    def next_observes(_: Any) -> bool:
        newest = releases(world)[-1]
        return newest is not releases(world)[0] and "Observe" in world.states(newest.exec_arn)

    def ready(run: Any) -> None:
        if fault.args.get("newer"):
            wait(next_observes, go)
        else:
            later(world, after, lambda: go(run))

    wait(ended, ready)


def _redrive(world: Place, fault: Fault, run: Any) -> None:
    before = record(world, run.exec_arn)
    with of_execution(None), made_by(PERSON):
        try:
            world.cloud.client("stepfunctions").redrive_execution(executionArn=run.exec_arn)
        except ClientError as refused:
            world.facts["redriven"] = {"refused": str(refused)}
            return
    world.fired(fault)
    world.facts["redriven"] = {
        "execution": run.exec_arn,
        "call": len(world.cloud.calls.entries),
        "before": {name: str(before.get(name)) for name in STATUS},
        "over": before.get("status") not in (None, "Releasing", "RollingBack"),
    }


def releases(world: Place) -> list[Any]:
    """moto's executions of the release machine, oldest first."""
    return [run for run in world.executions() if machine_in(run.state_machine.name) == "Release"]


def record(world: Place, arn: str) -> dict[str, Any]:
    return world.record_of(Release(world, arn))


def over(world: Place, arn: str) -> bool:
    """Whether the ledger knows how it ended, and nothing runs any more."""
    known = record(world, arn).get("status") not in (None, "Releasing", "RollingBack")
    return known and all(run.status != "RUNNING" for run in world.executions())


@promise("F12")
def redriven_in_vain(world: Place, _: Release) -> Iterator[str]:
    """A release that is over stays as it ended, and its redriven execution changes nothing."""
    told = world.facts.get("redriven", {})
    if not told.get("over"):
        return
    after = world.cloud.calls.entries[told["call"] :]
    changed = [
        f"{each['principal']} {each['call']}"
        for each in after
        if each["execution"] == told["execution"] and each["mutating"] and each["error"] is None
    ]
    own = [each for each in changed if not each.startswith(PERSON)]
    if own:
        yield f"its redriven execution changed something: {', '.join(own)}"
    now = {name: str(record(world, told["execution"]).get(name)) for name in STATUS}
    if now != told["before"]:
        yield f"its record said {told['before']}, and says {now} after the redrive"


# --- two at once ---------------------------------------------------------------------------------------------


def sweep(world: Place) -> None:
    """The sweeper runs now, whatever its schedule says; this comes back when it has."""
    functions = world.cloud.functions
    name = next(name for name, code in functions._code.items() if code.logical_id == "SweepFunction")
    with of_execution(None), made_by(PERSON):
        world.cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps({}))


@kind("swept")
def swept(world: Place, fault: Fault) -> None:
    """The sweeper sweeps in the middle of a function: just before its call at the point."""
    at(world, fault, lambda: sweep(world))


@kind("collected")
def collected(world: Place, fault: Fault) -> None:
    """The collector comes just before a function's call at the point, and everything seems to have stood for long."""

    def act() -> None:
        with of_execution(None), made_by(PERSON):
            world.age(4)
            world.collect()

    at(world, fault, act)


@promise("F16")
def collects_nothing_in_use(world: Place, _: Release) -> Iterator[str]:
    """Whatever a release has made, it still needs, or removes itself."""
    for each in world.cloud.calls.entries:
        if each["principal"] == "CollectFunction" and each["mutating"] and each["call"] not in LEDGER:
            yield f"the collector sent {each['call']}"


@kind("slow")
def slow(world: Place, fault: Fault) -> None:
    """The function stands still for args seconds before its call at the point, and the sweeper sweeps meanwhile."""

    def how(send: Send) -> Any:
        world.fired(fault)
        half = float(fault.args["seconds"]) / 2
        time.sleep(half)
        sweep(world)
        time.sleep(half)
        return send.proceed()

    assert fault.point is not None
    world.injector.at(fault.point, how)


@kind("braked_at")
def braked_at(world: Place, fault: Fault) -> None:
    """The service's guard goes red just before a call, and the brake is through before it is sent, args seconds later."""

    def act() -> None:
        for alarm in alarms("guard"):
            alarm.update_state("a fault", "{}", "ALARM")

    _overtaken(world, fault, act)


@kind("ordered_at")
def ordered_at(world: Place, fault: Fault) -> None:
    """A person orders the rollback just before a call, and has blue back before it is sent, args seconds later.

    A `throttled` one is refused then: whoever sent it may not send it again.
    """

    def act() -> None:
        started = Release(world, releases(world)[0].exec_arn)
        world.start_rollback(started, reason="the person at the wheel said so")

    _overtaken(world, fault, act)


def _overtaken(world: Place, fault: Fault, act: Callable[[], Any]) -> None:
    """What was let through the fence before can't be called back: that one call is the fault's."""

    def how(send: Send) -> Any:
        world.fired(fault)
        with of_execution(None), made_by(PERSON):
            act()
        world.cloud.clock.sleep(1.0 + float(fault.args["seconds"]))
        if fault.args.get("throttled"):
            return send.throttle()
        if let_through(send):
            world.checks.excuse(send.invocation)
        return send.proceed()

    assert fault.point is not None
    world.injector.at(fault.point, how)


@kind("together")
def together(world: Place, fault: Fault) -> None:
    """The event of the execution's end arrives while the sweeper is at it: before the sweeper's args nth call.

    From there on guard and sweeper take turns, call by call.
    """
    held: list[Callable[[], None]] = []
    turns, sent = [False], [0]
    before = world.cloud.events.courier

    def courier(delivery: Delivery, hand_over: Callable[[], None]) -> None:
        if concerns(delivery, "status") and not turns[0]:
            held.append(hand_over)
        else:
            before(delivery, hand_over)

    def where(send: Send) -> bool:
        if send.function == "SweepFunction" and held:
            sent[0] += 1
            if sent[0] >= int(fault.args["nth"]):
                return True
        return turns[0] and send.function in ("SweepFunction", "GuardFunction")

    def how(send: Send) -> Any:
        while held:
            turns[0] = True
            world.fired(fault)
            held.pop()()
        world.cloud.clock.sleep(0)
        return send.proceed()

    world.cloud.events.courier = courier
    world.injector.whenever(where, how)


@promise("F11", "F14")
def one_rollback(world: Place, release: Release) -> Iterator[str]:
    """However many learn of it, one rollback execution runs for each epoch."""
    runs = [run for run in world.executions() if machine_in(run.state_machine.name) == "Rollback"]
    identity = str(record(world, release.arn).get("pk", "")).split("#")[-1]
    mine = [run.name for run in runs if identity and run.name.startswith(identity)]
    if len(mine) > 1:
        yield f"{len(mine)} rollbacks ran: {', '.join(mine)}"


# --- crowds --------------------------------------------------------------------------------------------------


def crowd(world: Place, many: int, **asked: Any) -> list[Release]:
    """So many starts of a release of the same service at once, each by a person of its own."""
    source = ami(world)
    started: list[Release] = []

    def start() -> None:
        with of_execution(None), made_by(PERSON):
            started.append(world.start(source=source, **asked))

    for _ in range(many):
        world.cloud.clock.spawn(start, "a person starts a release")
    world.cloud.until(lambda: len(started) == many, MINUTE)
    return started


def half_way(world: Place) -> Release:
    """A good release that observes its first step."""
    started = world.start(source=ami(world))
    at_half(world, started)
    return started
