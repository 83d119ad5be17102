"""F87: what is told of releases is lost, doubled or refused, and no release minds."""

from collections.abc import Iterator

from tests.faults.points import Clean, Fault, Point, Row, Run

GOOD = frozenset({"Promoted", "Retired"})
ENDS = {
    "release": GOOD,
    "retired": GOOD,
    "bad": frozenset({"RolledBack"}),
    "aborted": frozenset({"RolledBack"}),
    "taken": frozenset({"RolledBack"}),
}
ASTRAY = (
    Fault("stream", args={"do": "lose"}),
    Fault("stream", args={"do": "double"}),
    Fault("throttle", args={"function": "TellFunction", "p": 0.5}),
    Fault("deny", args={"function": "TellFunction", "call": "PutEvents"}),
    Fault("deny", args={"function": "TellFunction", "call": "Publish"}),
    Fault("outage", args={"service": "eventbridge", "minutes": 30}),
    *(
        Fault(kind, Point("TellFunction", call, nth))
        for kind in ("crash_before", "crash_after", "lost")
        for call, nth in (("PutEvents", 1), ("PutEvents", 3), ("Publish", 1))
    ),
)


def told(clean: Clean) -> Iterator[Run]:
    for scenario, ends in ENDS.items():
        for number, fault in enumerate(ASTRAY):
            yield Run("F87", scenario, (fault,), number, ends=ends)


ROWS = [Row("F87", "tellings lost, doubled, refused", told)]
