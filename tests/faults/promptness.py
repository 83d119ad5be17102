"""Whether blue has its traffic back in time after whatever the machine can't catch."""

from tests.faults.moments import later
from tests.faults.place import Place
from tests.faults.points import Fault
from tests.faults.sides import records, weights

OVER = ("Promoted", "Retired", "Held", "RollbackIncomplete")


def watch(world: Place, fault: Fault) -> None:
    """Looks at the route args within seconds from now; without them, not at all."""
    if "within" not in fault.args:
        return
    seconds = float(fault.args["within"])

    def look() -> None:
        if elsewhere := _away_from_blue(world):
            what = f"{seconds:.0f} s after {fault} the route still stands at {elsewhere}"
            world.checks.add("promptness", "viridian", what)

    later(world, seconds, look)


def _away_from_blue(world: Place) -> dict[str, int]:
    """The route's weights, if a release that isn't over has taken some from blue."""
    if not records(world) or records(world)[-1].get("status") in OVER:
        return {}
    shown = weights(world)
    elsewhere = sum(weight for arn, weight in shown.items() if arn != world.shop.target_group_arn)
    return world.named(shown) if elsewhere else {}
