"""When nature or a person acts: just before a call of ours, so many seconds after it, or before the scenario begins."""

from collections.abc import Callable
from typing import Any

from local.control.calls import PERSON as PERSON
from local.control.calls import made_by, of_execution
from tests.faults import sight
from tests.faults.injector import Send
from tests.faults.place import Place
from tests.faults.points import Fault

NATURE = "fault"  # the principal of what no one does


def at(
    world: Place, fault: Fault, act: Callable[[], Any], writer: str = PERSON, *, quietly: bool = False
) -> None:
    """Lets the act happen at the fault's point; without one before the scenario begins. Args after: seconds later.

    A quiet act only lays the trap: its kind says itself when the fault has fired.
    """
    seconds = float(fault.args.get("after", 0))

    def happen() -> None:
        limits = {name: size.limits for name, size in sight.groups().items()}
        with of_execution(None), made_by(writer):
            act()
        for name, size in sight.groups().items():
            if name in limits and size.limits != limits[name]:
                world.foreign[name] = writer
        if not quietly:
            world.fired(fault)

    def due() -> None:
        if seconds:
            later(world, seconds, happen)
        else:
            happen()

    def how(send: Send) -> Any:
        due()
        return send.proceed()

    if fault.point is None:
        due()
    else:
        world.injector.at(fault.point, how)


def later(world: Place, seconds: float, act: Callable[[], Any]) -> None:
    """Does it so many cloud seconds from now, whatever has become of whoever asked."""

    def wait() -> None:
        world.cloud.clock.sleep(seconds)
        act()

    world.cloud.clock.spawn(wait, "what happens later")
