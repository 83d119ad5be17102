"""What becomes of events on their way: dropped, repeated, late, or in another order."""

from collections.abc import Callable
from typing import Any

from local.control.delivery import Delivery
from tests.faults.interpreter import machine_in
from tests.faults.kinds import kind
from tests.faults.moments import later
from tests.faults.place import Place
from tests.faults.points import Fault

TYPES = {
    "alarm": "CloudWatch Alarm State Change",
    "status": "Step Functions Execution Status Change",
    "image": "EC2 AMI State Change",
}
FAILED = ("ABORTED", "TIMED_OUT", "FAILED")
APART = 1.0  # seconds between two copies of an event

Carry = Callable[[Delivery, Callable[[], None]], None]


@kind("events")
def events(world: Place, fault: Fault) -> None:
    """Args which: "alarm" (to ALARM), "status" (to an end that isn't success) or "image" (an AMI is there); do: "drop", "repeat" (times),
    "delay" (seconds, or until: "next release" at its first step) or "reorder" (two or more within seconds)."""
    carriers: dict[str, Carry] = {
        "drop": lambda _, __: None,
        "repeat": _repeat(world, fault),
        "delay": _delay(world, fault),
        "reorder": _reorder(world, fault),
    }
    carry = carriers[str(fault.args["do"])]
    before = world.cloud.events.courier

    def courier(delivery: Delivery, hand_over: Callable[[], None]) -> None:
        if not concerns(delivery, str(fault.args["which"])):
            return before(delivery, hand_over)
        world.fired(fault)
        return carry(delivery, hand_over)

    world.cloud.events.courier = courier


def concerns(delivery: Delivery, which: str) -> bool:
    event = delivery.event or {}
    if event.get("detail-type") != TYPES[which]:
        return False
    detail: Any = event["detail"]
    if which == "image":
        return bool(detail["State"] == "available")
    return detail["state"]["value"] == "ALARM" if which == "alarm" else detail["status"] in FAILED


def _repeat(world: Place, fault: Fault) -> Carry:
    def carry(_: Delivery, hand_over: Callable[[], None]) -> None:
        for n in range(int(fault.args.get("times", 3))):
            later(world, APART * n, hand_over)

    return carry


def _delay(world: Place, fault: Fault) -> Carry:
    def carry(_: Delivery, hand_over: Callable[[], None]) -> None:
        if fault.args.get("until") == "next release":
            world.owe()
            later(world, APART, lambda: _when_another_runs(world, hand_over))
        else:
            world.owe()
            later(world, float(fault.args["seconds"]), lambda: _hand_over(world, hand_over))

    return carry


def _hand_over(world: Place, hand_over: Callable[[], None]) -> None:
    hand_over()
    world.paid()


def _when_another_runs(world: Place, hand_over: Callable[[], None]) -> None:
    """Once a second release observes its first step; its scenario is the one to start it."""
    releases = [run for run in world.executions() if machine_in(run.state_machine.name) == "Release"]
    if len(releases) > 1 and "Observe" in world.states(releases[-1].exec_arn):
        _hand_over(world, hand_over)
    else:
        later(world, APART, lambda: _when_another_runs(world, hand_over))


def _reorder(world: Place, fault: Fault) -> Carry:
    held: list[Callable[[], None]] = []

    def release() -> None:
        for hand_over in reversed(held):
            hand_over()
        held.clear()
        world.paid()

    def carry(_: Delivery, hand_over: Callable[[], None]) -> None:
        if not held:
            world.owe()
            later(world, float(fault.args.get("seconds", 30)), release)
        held.append(hand_over)

    return carry


@kind("stream")
def stream(world: Place, fault: Fault) -> None:
    """What becomes of the ledger's stream on its way; args do: "lose" or "double"."""
    copies = {"lose": 0, "double": 2}[str(fault.args["do"])]

    def courier(_: Any, batch: list[Any]) -> list[Any]:
        world.fired(fault)
        return batch * copies

    world.cloud.streams.courier = courier
