"""F40 to F52: what becomes of instances, groups, images and launch templates."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.faults import alarming as alarming
from tests.faults import nature as nature
from tests.faults import people as people
from tests.faults.picks import after_weight, in_the_shift, looks, of, on_the_way_back, sample
from tests.faults.points import SAFE, Clean, Fault, Point, Row, Run

BACK = frozenset({"RolledBack"})
GOOD = frozenset({"Promoted", "Retired"})
DISTURBED = SAFE | {"RollbackIncomplete"}
ZONES = ("us-east-1a", "us-east-1b")
SOON = {"deadlines": {"healthy_minutes": 5, "rollback_minutes": 15}}
CREATED = Point("CreateGreenFunction", "DescribeAutoScalingGroups", 1)
BAKED = Point("CheckImageFunction", "DescribeImages", 1)


def no_capacity(clean: Clean) -> Iterator[Run]:
    """F40: the zones have no room: at all, in one, or for the last of three."""
    for number, scenario in enumerate(("release", "bad", "baked")):
        lacks: tuple[dict[str, Any], ...] = (
            {"why": "capacity"},
            *({"why": "capacity", "zone": zone} for zone in ZONES),
            {"why": "capacity", "spared": 1},
            {"why": "capacity", "spared": 2},
        )
        for args in lacks:
            yield Run("F40", scenario, (Fault("launches_fail", None, args),), number, service=SOON, ends=BACK)
    # A blue that stood at zero finds no room: green, which was promoted, goes on serving, and a person is told.
    for args in ({"spared": 3}, {"spared": 4}, {"spared": 3, "times": 3}):
        fault = Fault("launches_fail", None, {"why": "capacity", "side": "blue", **args})
        yield Run("F40", "revived", (fault,), service=SOON, ends=DISTURBED)
    # Blue has room again when it must: what it lost while the zones were full comes back in time, or a person is told.
    for number, point in enumerate(sample(after_weight(clean, "release"), 4, 40)):
        faults = (
            Fault("launches_fail", None, {"why": "capacity", "side": "blue"}),
            Fault("terminated", point, {"side": "blue", "count": 2}),
        )
        yield Run("F40", "release", faults, number, service=SOON, ends=DISTURBED)


def refused_for_good(clean: Clean) -> Iterator[Run]:
    """F41: a quota, an image, a key or user data that no waiting mends."""
    for number, scenario in enumerate(("release", "baked")):
        for why in ("quota", "image", "key"):
            fault = Fault("launches_fail", None, {"why": why})
            yield Run("F41", scenario, (fault,), number, service=SOON, ends=BACK)
        yield Run("F41", scenario, (Fault("never_healthy"),), number, service=SOON, ends=BACK)


def refused_for_a_while(clean: Clean) -> Iterator[Run]:
    """F42: an instance profile that isn't there yet, a zone that is full for a minute: no reason to give up."""
    for times in (1, 2, 3, 4):
        for why in ("profile", "capacity"):
            fault = Fault("launches_fail", None, {"why": why, "times": times})
            yield Run("F42", "release", (fault,), times, ends=GOOD)


def crash_loops(clean: Clean) -> Iterator[Run]:
    """F43: green boots, passes, and crashes, again and again. What a crashed app loses is the fault's: it had passed."""
    for number, seconds in enumerate((20, 45, 60, 90, 120, 150, 180, 240, 300)):
        ends = DISTURBED if seconds > 200 else BACK
        yield Run("F43", "release", (Fault("crashes", None, {"seconds": seconds}),), number, ends=ends)


def own_scaling(clean: Clean) -> Iterator[Run]:
    """F44: blue scales by its own policies in the shift, a scheduled action fires, Spot takes instances back."""
    moments = [point for point in looks(clean, "release") if point.call == "DescribeAutoScalingGroups"]
    for number, point in enumerate(sample(of(moments, *_RELEASING), 10, 44)):
        for args in ({"desired": 5}, {"desired": 9}, {"desired": 2}, {"min_size": 5, "max_size": 9}):
            fault = Fault("scaled", point, {"side": "blue", **args})
            yield Run("F44", "release", (fault,), number, ends=SAFE)
        for side in ("blue", "green"):
            if side == "blue" or point.function != "CreateGreenFunction":
                yield Run("F44", "release", (Fault("reclaimed", point, {"side": side}),), number, ends=SAFE)
    for number, point in enumerate(sample(of(on_the_way_back(clean), "ConvergeFunction"), 6, 44)):
        fault = Fault("scaled", point, {"side": "blue", "desired": 6})
        yield Run("F44", "bad", (fault,), number, ends=BACK)
    late = Point("ConvergeFunction", "DeleteTargetGroup", 1)  # of a blue that has been at zero in between
    yield Run("F44", "revived", (Fault("terminated", late, {"side": "blue", "count": 1}),), ends=BACK)


_RELEASING = (
    "CreateGreenFunction",
    "CheckGreenFunction",
    "ShiftTrafficFunction",
    "JudgeGreenFunction",
    "PromoteFunction",
)
EAGER = {"scaling_in_seconds": 60.0, "scaling_out_seconds": 60.0}


def idle_green(clean: Clean) -> Iterator[Run]:
    """F44a: target tracking would scale green in while it has no weight, blue being far too large for its load."""
    for rate in (1, 5, 20):
        for scenario in ("release", "baked", "bad"):
            fault = Fault("load", None, {"rate": rate})
            yield Run("F44a", scenario, (fault,), rate, EAGER, ends=SAFE)


def idle_blue(clean: Clean) -> Iterator[Run]:
    """F44b: blue scales in as its traffic leaves: from 50% on it has half of little."""
    for number, point in enumerate(after_weight(clean)):
        for scenario in ("release", "ordered"):
            fault = Fault("load", point, {"rate": 3})
            yield Run("F44b", scenario, (fault,), number, EAGER, ends=SAFE)
        fault = Fault("scales_in_and_out", point, {"seconds": 30})
        yield Run("F44b", "release", (fault,), number, ends=SAFE)


def lowered_floor(clean: Clean) -> Iterator[Run]:
    """F44c: a scheduled action or a person lowers a MinSize while the release observes."""
    for number, point in enumerate(after_weight(clean)):
        for side in ("blue", "green"):
            for kind, args in (
                ("scaled", {"min_size": 1}),
                ("person_scales", {"minimum": 0}),
                ("scaled", {"min_size": 1, "desired": 1}),
            ):
                yield Run("F44c", "release", (Fault(kind, point, {"side": side, **args}),), number, ends=SAFE)


def double_load(clean: Clean) -> Iterator[Run]:
    """F44d: the load doubles, or doubles twice, while the release observes; then it goes on, or a person takes it back.

    The release knows what the load was before it, or has begun too soon after it to know.
    """
    reality, known = {"scaling_out_seconds": 60.0}, {"rate": 110.0, "past_minutes": 8.0}
    points = list(after_weight(clean))
    for rate in (220, 440):
        for number, point in enumerate(points):
            fault = Fault("load", point, {"rate": rate})
            yield Run("F44d", "release", (fault,), number, reality, known, SAFE)
        for number, point in enumerate(points[:3]):
            fault = Fault("load", point, {"rate": rate})
            order = Fault("ordered_at", Point("ShiftTrafficFunction", "ModifyRule", 2), {"seconds": 4})
            yield Run("F44d", "release", (fault, order), number, reality, known, BACK)
            yield Run("F44d", "release", (fault,), number, reality, {**known, "past_minutes": 2.5}, SAFE)


def replaced_meanwhile(clean: Clean) -> Iterator[Run]:
    """F44e: an instance refresh of either side, or an update of blue's stack, before the release, in it, on the way back."""
    replacing = (
        Fault("person_refreshes", None, {"side": "blue"}),
        Fault("person_refreshes", None, {"side": "green"}),
        Fault("iac_updates_stack", None, {"minutes": 10}),
    )
    for fault in (replacing[0], replacing[2]):
        yield Run("F44e", "release", (fault,), ends=frozenset({"Refused"}))
    moments = [point for point in looks(clean, "release") if point.call == "DescribeAutoScalingGroups"]
    for number, point in enumerate(sample(of(moments, *_RELEASING[1:]), 12, 445)):
        for fault in replacing:
            yield Run("F44e", "release", (replace(fault, point=point),), number, ends=SAFE)
    for number, point in enumerate(sample(of(on_the_way_back(clean), "ConvergeFunction"), 6, 445)):
        yield Run("F44e", "bad", (replace(replacing[0], point=point),), number, ends=DISTURBED)


UNTAGGED = ("rule", "listener", "blue group", "blue target group", "green group", "green target group")


def untagged(clean: Clean) -> Iterator[Run]:
    """F44f: an infrastructure-as-code run takes the tags off what a service lent, or off what the release made."""
    moments = [("release", point) for point in sample(after_weight(clean), 3, 446)]
    moments += [
        ("bad", point)
        for point in sample(of(on_the_way_back(clean), "RestoreBlueFunction", "BrakeFunction"), 3, 446)
    ]
    for number, (scenario, point) in enumerate(moments):
        for what in UNTAGGED:
            keys = (
                ("viridian:managed", "viridian:release")
                if what.startswith("green")
                else ("viridian:managed",)
            )
            for key in keys:
                fault = Fault("iac_untags", point, {"what": what, "key": key})
                yield Run("F44f", scenario, (fault,), number, ends=DISTURBED)
    for what in UNTAGGED[:4]:
        yield Run(
            "F44f", "release", (Fault("iac_untags", None, {"what": what}),), ends=frozenset({"Refused"})
        )


def images(clean: Clean) -> Iterator[Run]:
    """F46: the image fails, pends for ever, or is gone before green is launched from it."""
    bake = {"deadlines": {"image_minutes": 3, "healthy_minutes": 5, "rollback_minutes": 15}}
    for number, state in enumerate(("failed", "error", "invalid", "deregistered", "disabled")):
        fault = Fault("image_fails", BAKED, {"state": state})
        yield Run("F46", "baked", (fault,), number, service=bake, ends=BACK)
    yield Run("F46", "baked", (Fault("image_pends", BAKED),), service=bake, ends=BACK)
    creating = of([*clean.reads("baked")], "CreateGreenFunction", "CheckImageFunction")
    for number, point in enumerate(
        sample([each for each in creating if each.call.startswith("Describe")], 8, 46)
    ):
        yield Run(
            "F46", "baked", (Fault("person_deletes_image", point),), number, service=bake, ends=DISTURBED
        )
    for number, point in enumerate(
        sample(of(clean.reads("release"), "CreateGreenFunction", "CheckGreenFunction"), 4, 46)
    ):
        yield Run(
            "F46", "release", (Fault("person_deletes_image", point),), number, service=bake, ends=DISTURBED
        )


def moving_templates(clean: Clean) -> Iterator[Run]:
    """F48: somebody makes a newer version of the launch template the default, or blue launch by an alias."""
    points = [
        point for point in in_the_shift(clean) if point.call in ("DescribeRules", "DescribeAutoScalingGroups")
    ]
    creating = [
        point
        for point in looks(clean, "release")
        if point.function in ("CreateGreenFunction", "CheckGreenFunction")
    ]
    for number, point in enumerate([*sample(creating, 6, 48), *sample(points, 6, 48)]):
        yield Run("F48", "release", (Fault("person_edits_template", point),), number, ends=SAFE)
    for scenario in ("release", "bad"):
        yield Run(
            "F48", scenario, (Fault("person_edits_template"),), ends=BACK if scenario == "bad" else GOOD
        )
    for version in ("$Latest", "$Default"):
        fault = Fault("person_edits_template", None, {"blue": version})
        yield Run("F48", "release", (fault,), ends=frozenset({"Refused"}))


def names_taken(clean: Clean) -> Iterator[Run]:
    """F49: something foreign has the name; what a try that died made is adopted (F02 has those)."""
    for number, scenario in enumerate(("release", "baked", "bad")):
        for what in ("group", "target group"):
            fault = Fault("person_squats", CREATED, {"what": what})
            yield Run("F49", scenario, (fault,), number, ends=BACK | {"RollbackIncomplete"})
    fault = Fault("person_squats", Point("BakeImageFunction", "DescribeImages", 1), {"what": "image"})
    yield Run("F49", "baked", (fault,), ends=BACK | {"RollbackIncomplete"})


def copies(clean: Clean) -> Iterator[Run]:
    """F50: blue's group has every member that moto keeps set; green's has them too."""
    for number, what in enumerate(("sizes", "health", "instances", "hooks", "metrics")):
        yield Run("F50", "release", (Fault("blue_is_dressed", None, {"with": what}),), number, ends=GOOD)


REFUSING = ("ResourceInUse", "ScalingActivityInProgress", "ResourceContention")


def unwilling_to_go(clean: Clean) -> Iterator[Run]:
    """F51: what is to be deleted is in use, busy or protected: never by force; a person is told what is left."""
    for scenario in ("bad", "ordered"):
        for code in REFUSING:
            for times in (1, 3, 6):
                point = Point("ConvergeFunction", "DeleteAutoScalingGroup")
                faults = tuple(
                    Fault("fail_before", Point(point.function, point.call, nth + 1), {"code": code})
                    for nth in range(times)
                )
                yield Run("F51", scenario, faults, times, ends=DISTURBED)
        for times in (1, 3):
            point = Point("ConvergeFunction", "DeleteTargetGroup")
            faults = tuple(
                Fault("fail_before", Point(point.function, point.call, nth + 1), {"code": "ResourceInUse"})
                for nth in range(times)
            )
            yield Run("F51", scenario, faults, times, ends=DISTURBED)
    rollback = {"deadlines": {"rollback_minutes": 10}}
    for number, point in enumerate(after_weight(clean, "bad")[:1]):
        for kind in ("person_protects", "person_uses_green"):
            ends = frozenset({"RollbackIncomplete"})
            yield Run("F51", "bad", (Fault(kind, point),), number, service=rollback, ends=ends)
        for process in ("Terminate", "Launch", "HealthCheck"):
            fault = Fault("person_suspends", point, {"side": "green", "process": process})
            yield Run("F51", "bad", (fault,), number, service=rollback, ends=DISTURBED)


def borrowed_guard(clean: Clean) -> Iterator[Run]:
    """F52: the guard's only action is a policy of blue's group, and goes with it: refused."""
    yield Run("F52", "release", (Fault("guard_belongs_to_blue"),), ends=frozenset({"Refused"}))


def none(clean: Clean) -> Iterator[Run]:
    return iter(())


ROWS = [
    Row("F40", "No capacity: none, one zone, a part", no_capacity),
    Row("F41", "Launches refused for good", refused_for_good),
    Row("F42", "Launches refused for a while", refused_for_a_while),
    Row("F43", "Green crash-loops", crash_loops),
    Row("F44", "Blue scales by itself in the shift", own_scaling),
    Row("F44a", "Idle green would scale in", idle_green),
    Row("F44b", "Blue would scale in as traffic leaves", idle_blue),
    Row("F44c", "A floor is lowered", lowered_floor),
    Row("F44d", "Load doubles: the need rises, and both floors", double_load),
    Row("F44e", "Instance refresh, or a stack update, of blue", replaced_meanwhile),
    Row("F44f", "Tags disappear", untagged),
    Row(
        "F45",
        "Orchestrator upgraded in mid-release",
        none,
        False,
        "updates of a standing stack (the local cloud makes new ones)",
    ),
    Row("F46", "Image fails, pends, disappears", images),
    Row("F47", "Image copied to one Region only", none, False, "releases in several Regions"),
    Row("F48", "Launch template moves", moving_templates),
    Row("F49", "Name taken", names_taken),
    Row("F50", "Group copied whole", copies),
    Row("F51", "Deletion refused", unwilling_to_go),
    Row("F52", "Guard goes with blue", borrowed_guard),
]
