"""F20 to F34: what becomes of weights, rules and target groups, and of who stands behind them."""

from collections.abc import Iterator

from tests.faults import nature as nature
from tests.faults import people as people
from tests.faults.picks import ROUTE, after_weight, changes, in_the_shift, of, on_the_way_back, sample
from tests.faults.points import SAFE, Clean, Fault, Point, Row, Run

HELD = frozenset({"Held"})
BACK = frozenset({"RolledBack"})
GOOD = frozenset({"Promoted", "Retired"})
# A person's or a tool's write may take away what would be needed to end: then a person is needed, and is told for what.
DISTURBED = SAFE | {"RollbackIncomplete"}

# So that a way back that can't be gone to its end is in the run, with its page.
SOON = {"deadlines": {"rollback_minutes": 10}}
SPLITS = ({"blue": 80, "green": 20}, {"blue": 10, "green": 90}, {"green": 100}, {"blue": 100})
IAC = (
    Fault("iac_resets"),
    Fault("iac_resets", None, {"listed": True}),
    Fault("iac_drops_blue"),
    Fault("iac_swaps_action", None, {"to": "fixed-response"}),
    Fault("iac_swaps_action", None, {"to": "redirect"}),
)
DELAYS = (0, 30, 60, 90, 110)  # and up to ten more, until two ticks of the emulated world have seen it


def placed(fault: Fault, point: Point) -> Fault:
    """The same fault, there."""
    return Fault(fault.kind, point, fault.args)


def late_rules(clean: Clean) -> Iterator[Run]:
    """F20: rules reach the data plane 0 to 120 s late, at each step, on the way back and at retirement."""
    for number, seconds in enumerate(DELAYS):
        for scenario in ("release", "bad", "ordered", "retired"):
            for seed in (number, 100 + number):
                # The settle time is the one a service has by default: it is what makes this lag harmless.
                yield Run(
                    "F20",
                    scenario,
                    (Fault("slow_rules", None, {"seconds": seconds}),),
                    seed,
                    {"propagation_seconds": float(seconds)},
                    {"settle_seconds": 120},
                    BACK if scenario in ("bad", "ordered") else GOOD,
                )


def lost_updates(clean: Clean) -> Iterator[Run]:
    """F21: AWS says yes and nothing changes, once or again and again; or what was written is taken back."""
    for scenario in ("release", "bad", "ordered", "retired"):
        for number, point in enumerate(changes(clean, scenario)):
            if not point.call.startswith(("Modify", "Update")):
                continue
            yield Run("F21", scenario, (Fault("lost_update", point),), number, ends=DISTURBED)
        for number, point in enumerate(point for point in changes(clean, scenario) if point.call in ROUTE):
            for seconds in (1, 10, 45):
                fault = Fault("reverted", point, {"seconds": seconds})
                yield Run("F21", scenario, (fault,), number, ends=DISTURBED)
            for times in (2, 3, 4, 8):
                lost = tuple(
                    Fault("lost_update", Point(point.function, point.call, point.nth + more))
                    for more in range(times)
                )
                yield Run("F21", scenario, lost, number, ends=DISTURBED)


def foreign_weights(clean: Clean) -> Iterator[Run]:
    """F22: a person writes weights at any moment from the first weight on, and on the way back."""
    moments = [("release", point) for point in sample(in_the_shift(clean), 22, 22)]
    moments += [("bad", point) for point in sample(on_the_way_back(clean), 14, 22)]
    moments += [("ordered", point) for point in sample(on_the_way_back(clean, "ordered"), 8, 22)]
    for number, (scenario, point) in enumerate(moments):
        for args in sample(SPLITS, 2, number):
            yield Run("F22", scenario, (Fault("person_weights", point, args),), number, ends=DISTURBED)
    for number, point in enumerate(sample(in_the_shift(clean), 8, 221)):
        fault = Fault("person_weights", point, {"blue": 60, "green": 30, "other": 10})
        yield Run("F22", "release", (fault,), number, ends=DISTURBED)


def foreign_rules(clean: Clean) -> Iterator[Run]:
    """F23: an infrastructure-as-code run puts its own rule back, or one of another sort."""
    moments = [("release", point) for point in sample(in_the_shift(clean), 16, 23)]
    moments += [("bad", point) for point in sample(on_the_way_back(clean), 10, 23)]
    for number, (scenario, point) in enumerate(moments):
        for fault in sample(IAC, 2, number):
            yield Run("F23", scenario, (placed(fault, point),), number, ends=DISTURBED)


def deleted_by_hand(clean: Clean) -> Iterator[Run]:
    """F24: rule, listener or a target group is gone: the cause says which, nothing foreign is made again."""
    moments = [("release", point) for point in sample(in_the_shift(clean), 6, 24)]
    moments += [("bad", point) for point in sample(on_the_way_back(clean), 5, 24)]
    for number, (scenario, point) in enumerate(moments):
        for what in ("rule", "listener"):
            fault = Fault("person_deletes_route", point, {"what": what})
            yield Run("F24", scenario, (fault,), number, ends=DISTURBED)
        for side in ("blue", "green"):
            fault = Fault("person_deletes_target_group", point, {"side": side})
            yield Run("F24", scenario, (fault,), number, ends=DISTURBED)


def ill_at_the_gate(clean: Clean) -> Iterator[Run]:
    """F25: green falls short between its gate and the write; the write's own function looks again.

    Between the last look and the write nobody can know: those few milliseconds are not a point.
    """
    gate = [
        point
        for point in clean.reads("release")
        if point.function == "ShiftTrafficFunction" and _before_the_look(point)
    ]
    for number, point in enumerate(gate):
        for count in (1, 2, 3):
            fault = Fault("ill", point, {"side": "green", "count": count, "lasting": True})
            yield Run("F25", "release", (fault,), number, ends=BACK)


def _before_the_look(point: Point) -> bool:
    """Its fourth call is the look at green's health, of the first step; of the second, all are even later."""
    return point.call in ("GetItem", "DescribeRules", "DescribeAutoScalingGroups", "DescribeTargetHealth")


def green_falls_ill(clean: Clean) -> Iterator[Run]:
    """F26: all of green fails its checks under traffic, for good or until it is replaced."""
    points = after_weight(clean)
    for number, point in enumerate(points):
        for lasting in (False, True):
            fault = Fault("ill", point, {"side": "green", "lasting": lasting})
            yield Run("F26", "release", (fault,), number, ends=BACK)
        # The requests that a dead app loses until the load balancer has noticed are the fault's: no one could know.
        # Nor could the last look: green is promoted then, and blue stands by.
        ends = BACK | {"Promoted"} if point == points[-1] else BACK
        yield Run("F26", "release", (Fault("dead", point, {"side": "green"}),), number, ends=ends)


def blue_dies(clean: Clean) -> Iterator[Run]:
    """F27: blue is dead when it would be needed: forward, or held; back only onto a blue that is well again."""
    for scenario, points in (
        ("release", after_weight(clean)),
        ("bad", sample(of(on_the_way_back(clean), "BrakeFunction", "RestoreBlueFunction"), 12, 27)),
        ("ordered", sample(of(on_the_way_back(clean, "ordered"), "RestoreBlueFunction"), 6, 27)),
    ):
        for number, point in enumerate(points):
            for kind, args in (("ill", {"lasting": True}), ("ill", {}), ("dead", {})):
                fault = Fault(kind, point, {"side": "blue", **args})
                yield Run("F27", scenario, (fault,), number, service=SOON, ends=DISTURBED)


def nobody_is_well(clean: Clean) -> Iterator[Run]:
    """F28: both sides are ill for good: nothing is moved, a person is paged."""
    for number, point in enumerate(after_weight(clean)):
        faults = (
            Fault("ill", point, {"side": "blue", "lasting": True}),
            Fault("ill", _next(point), {"side": "green", "lasting": True}),
        )
        yield Run("F28", "release", faults, number, service=SOON, ends=HELD)
    for number, point in enumerate(sample(of(on_the_way_back(clean), "BrakeFunction"), 4, 28)):
        both = Fault("both_ill", point)
        yield Run("F28", "bad", (both,), number, service=SOON, ends=DISTURBED)


def _next(point: Point) -> Point:
    """The call after this one in the same poll."""
    return Point(point.function, "DescribeAutoScalingGroups", point.nth)


def sticky_clients(clean: Clean) -> Iterator[Run]:
    """F29: half of the clients come back with their cookie for a day."""
    for number, scenario in enumerate(("release", "bad", "ordered", "retired")):
        for share in (0.2, 0.5, 0.9):
            for route in ("rule", "listener"):
                service = {"sticky": True, "sticky_share": share, "route": route}
                fault = Fault("load", None, {"rate": 20, "sticky": share, "route": route})
                ends = BACK if scenario in ("bad", "ordered") else GOOD
                yield Run("F29", scenario, (fault,), number, service=service, ends=ends)


def long_requests(clean: Clean) -> Iterator[Run]:
    """F30: requests of 250 s, and connections that never end, at retirement and when green is removed.

    What is longer than the service's own deregistration delay is cut by it: counted, and the service's to choose.
    """
    for number, (scenario, delay) in enumerate(
        (scenario, delay) for scenario in ("retired", "bad", "ordered") for delay in (30, 120, 300)
    ):
        fault = Fault("load", None, {"rate": 20, "delay": delay})
        ends = BACK if scenario != "retired" else GOOD
        service = {"deregistration_delay": delay}
        yield Run("F30", scenario, (fault,), number, service=service, ends=ends)


def green_fails_while_blue_retires(clean: Clean) -> Iterator[Run]:
    """F31: past the point of no return nothing goes back to a blue that drains; until then retirement waits."""
    for number, point in enumerate(sample(of(clean.reads("retired"), "RetireBlueFunction"), 16, 31)):
        for kind in ("ill", "dead"):
            fault = Fault(kind, point, {"side": "green"})
            yield Run("F31", "retired", (fault,), number, ends=GOOD | HELD)
    for number, point in enumerate(sample(of(clean.reads("retired"), "RetireBlueFunction"), 3, 311)):
        fault = Fault("ill", point, {"side": "green", "lasting": True})
        yield Run("F31", "retired", (fault,), number, ends=GOOD | HELD)


def full_rules(clean: Clean) -> Iterator[Run]:
    """F32: a rule takes five groups; third groups keep their place and share."""
    for groups in (1, 2, 3):
        for scenario in ("release", "bad"):
            fault = Fault("person_lists_groups", None, {"groups": groups})
            yield Run("F32", scenario, (fault,), groups, ends=BACK if scenario == "bad" else GOOD)
    for args in ({"groups": 4}, {"groups": 1, "weight": 10}, {"groups": 2, "weight": 1}):
        yield Run("F32", "release", (Fault("person_lists_groups", None, args),), ends=frozenset({"Refused"}))


ROWS = [
    Row("F20", "Rule reaches the data plane 0-120 s late", late_rules),
    Row("F21", "Update lost, or taken back", lost_updates),
    Row("F22", "A person writes weights", foreign_weights),
    Row("F23", "Infrastructure as code writes the rule", foreign_rules),
    Row("F24", "Rule, listener or target group deleted by hand", deleted_by_hand),
    Row("F25", "Green falls short between gate and write", ill_at_the_gate),
    Row("F26", "Green all unhealthy under traffic", green_falls_ill),
    Row("F27", "Blue dies during the shift", blue_dies),
    Row("F28", "Both sides sick", nobody_is_well),
    Row("F29", "Sticky clients at cut-over and rollback", sticky_clients),
    Row("F30", "Long requests at retirement", long_requests),
    Row("F31", "Green fails while blue is retiring", green_fails_while_blue_retires),
    Row("F32", "Five-group limit, third groups", full_rules),
]
