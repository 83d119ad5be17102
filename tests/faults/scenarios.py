"""The releases that faults are put into: each starts one and brings it to where it can be left alone."""

from collections.abc import Callable

from tests.faults.place import Place
from tests.workflow.world import Release

Scenario = Callable[[Place], Release]

LONGEST = 4 * 3600.0


def release(world: Place) -> Release:
    """A good one: promoted."""
    return world.start(source=ami(world))


def baked(world: Place) -> Release:
    """A good one that bakes its image from an instance."""
    return world.start()


def bad(world: Place) -> Release:
    """Green answers every third request with 500 as soon as it has traffic: its alarm rolls it back."""
    return world.start(source=ami(world, fault="third"))


def ordered(world: Place) -> Release:
    """A person orders the rollback at 50%."""
    started = release(world)
    if at_half(world, started):
        world.start_rollback(started, reason="the person at the wheel said so")
    return started


def retired(world: Place) -> Release:
    """A good one whose blue is retired when its time has come."""
    return release(world)


SCENARIOS: dict[str, Scenario] = {
    "release": release,
    "baked": baked,
    "bad": bad,
    "ordered": ordered,
    "retired": retired,
}


def at_half(world: Place, started: Release) -> bool:
    """Lets the world go on until the release observes its first step; False if it never does."""
    return until(world, started, "Observe")


def until(world: Place, started: Release, state: str) -> bool:
    """Lets the world go on until the release has entered a state; False if it ended before."""
    world.cloud.until(lambda: world.entered(started, state) or not started.running, LONGEST)
    return world.entered(started, state)


def ami(world: Place, version: str = "2.0.0", fault: str | None = None) -> dict[str, str]:
    """A source that is ready."""
    return {"type": "ami", "image_id": world.image_of(version, fault)}
