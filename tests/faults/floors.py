"""How long each fleet stood below the need while a release ran: watched beside the call log, without an API call."""

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from tests.faults.place import Place
from tests.faults.sides import fleet, green_group, record

EVERY = 5.0  # cloud seconds


@dataclass
class Low:
    """One spell of a group's below the need, so many seconds long so far; `least` is its lowest floor."""

    group: str
    since: float
    least: int
    lasted: float = 0.0


@dataclass
class Watch:
    """The spells of one world, those under way by their group."""

    spells: list[Low] = field(default_factory=list)
    now: dict[str, Low] = field(default_factory=dict)


_WATCHES: WeakKeyDictionary[Place, Watch] = WeakKeyDictionary()


def watch(world: Place) -> None:
    """From now on; twice is once."""
    if world not in _WATCHES:
        found = _WATCHES[world] = Watch()
        world.cloud.clock.every(EVERY, lambda now: _look(world, found, now), "the floors")


def spells(world: Place) -> list[Low]:
    """Every spell below the need that was seen."""
    return _WATCHES[world].spells if world in _WATCHES else []


def _look(world: Place, watch: Watch, now: float) -> None:
    running = record(world)
    need = int(running.get("need", 0)) if running.get("status") == "Releasing" else 0
    sides = ["blue", *(["green"] if green_group(world) else [])]
    for group in [fleet(world, side) for side in sides]:
        low = watch.now.get(group.name)
        if group.min_size >= need:
            watch.now.pop(group.name, None)
        elif low is None:
            low = watch.now[group.name] = Low(group.name, now, int(group.min_size))
            watch.spells.append(low)
        if group.name in watch.now and low is not None:
            low.lasted, low.least = now - low.since, min(low.least, int(group.min_size))
