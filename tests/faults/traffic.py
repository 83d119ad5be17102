"""What became of the requests of a run, by who is to blame."""

from typing import TYPE_CHECKING

from tests.faults.points import Traffic

if TYPE_CHECKING:
    from tests.faults.place import Place


class Traffics:
    """The traffic of one world."""

    def __init__(self, world: "Place") -> None:
        self.world = world

    def count(self) -> Traffic:
        return Traffic()
