"""The checks of every run, evaluated after each call that reaches the cloud."""

from typing import TYPE_CHECKING

from tests.faults.points import Violation
from tests.workflow.world import Release

if TYPE_CHECKING:
    from tests.faults.place import Place


class Checks:
    """C1 to C10 on one world."""

    def __init__(self, world: "Place") -> None:
        self.world = world
        self.violations: list[Violation] = []

    def add(self, check: str, writer: str, what: str) -> None:
        self.violations.append(Violation(check, writer, self.world.since(), what))

    def final(self, release: Release) -> None:
        """What must be true once it is over."""

    def orphans(self) -> list[str]:
        return self.world.orphans()

    def old_epoch_writes(self) -> int:
        return 0
