"""F84: ten thousand documents that don't mean anything, or almost do: refused by name, and nothing is touched."""

from collections.abc import Iterator

from tests.faults import letters
from tests.faults.points import Clean, Fault, Row, Run

EACH = 250
SENT = {"request": 42, "resume": 4, "profile": 12, "order": 8, "brake": 2, "guard": 2}
STARTED = {"request": 6, "order": 4}
INPUTS = 40


def documents(_: Clean) -> Iterator[Run]:
    """More than 10,000 requests and half as many other documents to functions, 400 inputs to machines; then a good release."""
    letters.prepare()
    for kind, many, count in (("documents", SENT, EACH), ("inputs", STARTED, INPUTS)):
        for what, runs in many.items():
            for number in range(runs):
                fault = Fault(kind, None, {"what": what, "count": count, "number": number})
                yield Run("F84", "release", (fault,), 8400 + number, ends=frozenset({"Promoted"}))


ROWS = [Row("F84", "Fuzzed input", documents)]
