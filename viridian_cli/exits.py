"""How the command ends: five codes, and the one line that goes with whatever isn't well."""

from enum import IntEnum


class Exit(IntEnum):
    """What a script may go by. A wrong option is refused, too: Click's own code for it is 2, which is taken."""

    PROMOTED = 0  # or done, or shown
    ROLLED_BACK = 1
    HELD = 2  # or incompletely rolled back: a person must decide
    REFUSED = 3  # nothing was touched
    UNKNOWN = 4  # AWS didn't say


OF_END = {
    "Promoted": Exit.PROMOTED,
    "Planned": Exit.PROMOTED,
    "Retired": Exit.PROMOTED,
    "RolledBack": Exit.ROLLED_BACK,
    "Held": Exit.HELD,
    "RollbackIncomplete": Exit.HELD,
    "Refused": Exit.REFUSED,
}


def code(end: str) -> Exit:
    """The code that goes with an end; with anything else it can't be told."""
    return OF_END.get(end, Exit.UNKNOWN)


class Stop(Exception):
    """The command can't do what was asked: one line that says what to do, and the code to end with."""

    def __init__(self, line: str, exit_: Exit = Exit.REFUSED) -> None:
        super().__init__(line)
        self.exit = exit_
