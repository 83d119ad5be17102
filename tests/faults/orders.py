"""People who give a release an order while it runs: when a scenario has come so far, or in the middle of a function."""

from typing import Any

from local.control.calls import PERSON, made_by, of_execution
from tests.faults.kinds import kind
from tests.faults.moments import at
from tests.faults.place import Place
from tests.faults.points import Fault
from tests.faults.sides import running_release
from tests.person import Person


def give(world: Place, order: str, **more: Any) -> None:
    """A person gives the running release an order, and gives it again where that failed on the way."""
    giver, asked = Person.named(world.cloud, f"mara-{order}"), {"service": world.shop.service, **more}
    asked |= {"release": running_release(world), "order": order, "reason": "as it was agreed"}
    with of_execution(None), made_by(PERSON):
        while giver.post(world.outputs["OrdersUrl"], asked).status >= 500:
            world.cloud.clock.sleep(10)


@kind("order_at")
def order_at(world: Place, fault: Fault) -> None:
    """A person's args order, just before a function's call; a pause takes args minutes."""
    at(world, fault, lambda: give(world, **fault.args))
