"""F33 and F34: what becomes of weights that a name's records have."""

from collections.abc import Iterator

from tests.faults import names as names
from tests.faults import nature as nature
from tests.faults.checks import BATCH
from tests.faults.picks import after_weight, of, sample
from tests.faults.points import SAFE, Clean, Fault, Point, Row, Run

BACK = frozenset({"RolledBack"})
GOOD = frozenset({"Promoted", "Retired"})
REFUSED = frozenset({"Refused"})
ENDS = {"named": GOOD | BACK, "named_bad": BACK, "named_ordered": BACK}
# A person may take away what would be needed to end: then a person is needed, and is told for what.
DISTURBED = SAFE | {"RollbackIncomplete"}
BRIEFLY = ({"times": 1}, {"times": 2}, {"times": 5}, {"seconds": 60}, {"seconds": 300})
# Whatever else changes, or whoever is added: the batch that a release sends names records as they no longer are.
MEANWHILE = (
    {"blue": 80, "green": 20},
    {"evaluates": False},
    {"blue": None},
    {"blue": 100, "green": 0},
    {"green": None},
)
FIRST = Point("ShiftTrafficFunction", BATCH, 1)  # until then green has no record that anybody could change
PLANNING = Point("PlanReleaseFunction", "ListResourceRecordSets", 1)


def batches(clean: Clean, scenario: str) -> list[Point]:
    """The writes of a name in a scenario: those that the others have too are left to `named`."""
    found = [point for point in clean.mutating(scenario) if point.call == BATCH]
    return [point for point in found if scenario == "named" or point.function != "ShiftTrafficFunction"]


def awkward(clean: Clean) -> Iterator[Run]:
    """F33: each batch is refused for a while, reads are throttled, a change pends, somebody was quicker."""
    for scenario, ends in ENDS.items():
        for number, point in enumerate(batches(clean, scenario)):
            for code in ("Throttling", "PriorRequestNotComplete"):
                for how in BRIEFLY:
                    fault = Fault("zone_refuses", point, {"code": code, "of": [BATCH], **how})
                    yield Run("F33", scenario, (fault,), number, ends=ends)
            for args in MEANWHILE[:3] if point == FIRST else MEANWHILE:
                changed = Fault("person_changes_records", point, args)
                yield Run("F33", scenario, (changed,), number, ends=DISTURBED)
        asked = [point for point in clean.reads(scenario) if point.call in names.CALLS]
        for number, point in enumerate(sample(asked, 5, 33)):
            for how in ({"times": 3}, {"seconds": 60}):
                fault = Fault("zone_refuses", point, {"code": "Throttling", **how})
                yield Run("F33", scenario, (fault,), number, ends=ends | REFUSED)
        for seconds in (120, 720):
            slow = Fault("slow_names", None, {"seconds": seconds})
            patient = GOOD if scenario == "named" and seconds == 120 else BACK
            yield Run("F33", scenario, (slow,), ends=patient)
            for number, point in enumerate(batches(clean, scenario)):
                once = Fault("slow_names", point, {"seconds": seconds, "changes": 1})
                yield Run("F33", scenario, (once,), number, ends=patient)


def nobody_there(clean: Clean) -> Iterator[Run]:
    """F34: nobody has any weight, at first or in between; green is ill, or gone, behind an alias that asks for its health."""
    nobody = {"blue": 0, "green": 0}
    yield Run("F34", "named", (Fault("person_changes_records", PLANNING, nobody),), ends=REFUSED)
    for scenario in ENDS:
        moments = [*after_weight(clean, scenario), *batches(clean, scenario)]
        for number, point in enumerate(sample(moments, 4, 34)):
            for args in (nobody,) if point == FIRST else (nobody, {"green": 0}):
                fault = Fault("person_changes_records", point, args)
                yield Run("F34", scenario, (fault,), number, ends=DISTURBED)
    gate = of(clean.reads("named"), "ShiftTrafficFunction")
    for number, point in enumerate([*sample(gate, 6, 34), *after_weight(clean, "named")]):
        for fault in (
            Fault("ill", point, {"side": "green", "lasting": True}),
            Fault("dead", point, {"side": "green"}),
            Fault("person_deletes_balancer", point),
        ):
            gone = fault.kind == "person_deletes_balancer"
            yield Run("F34", "named", (fault,), number, ends=DISTURBED if gone else BACK | GOOD)


ROWS = [
    Row("F33", "Route 53 throttles, pends, or somebody was quicker", awkward, most=110),
    Row("F34", "All weights of a name 0; an ill or empty green behind an alias", nobody_there, most=50),
]
