"""The kinds of faults by name; what arms one on a world registers itself here."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.faults.points import Fault

if TYPE_CHECKING:
    from tests.faults.place import Place

Arm = Callable[["Place", Fault], None]

_KINDS: dict[str, Arm] = {}


def kind(name: str) -> Callable[[Arm], Arm]:
    """Registers what arms this kind on a world, before its scenario begins.

    It calls `world.fired(fault)` when the fault really happens: until then the fault counts as missed.
    """

    def register(arm: Arm) -> Arm:
        if name in _KINDS:
            raise ValueError(f"two kinds are called {name}")
        _KINDS[name] = arm
        return arm

    return register


def arm(world: "Place", fault: Fault) -> None:
    """Puts one fault in its place."""
    if fault.kind not in _KINDS:
        raise KeyError(f"no kind of fault is called {fault.kind}: {', '.join(sorted(_KINDS))}")
    _KINDS[fault.kind](world, fault)


def known() -> list[str]:
    return sorted(_KINDS)
