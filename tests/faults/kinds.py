"""The kinds of faults by name; what arms one on a world registers itself here."""

import importlib
from collections.abc import Callable
from pathlib import Path
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
        _load()
    if fault.kind not in _KINDS:
        raise KeyError(f"no kind of fault is called {fault.kind}: {', '.join(sorted(_KINDS))}")
    _KINDS[fault.kind](world, fault)


def _load() -> None:
    """Kinds live in modules beside this one, which register them as they are imported."""
    folder = Path(__file__).parent
    for module in sorted(folder.glob("[a-z]*.py")):
        if not module.stem.startswith("test_"):
            importlib.import_module(f"tests.faults.{module.stem}")


def known() -> list[str]:
    _load()
    return sorted(_KINDS)
