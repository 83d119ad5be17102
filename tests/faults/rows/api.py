"""F70 to F76: what AWS's answers may be, and what may be missing from what we are allowed."""

from collections.abc import Iterator, Mapping

from tests.faults import answers as answers
from tests.faults import permissions as permissions
from tests.faults.picks import BACK as GOING_BACK
from tests.faults.picks import LEDGER, looks, of, sample
from tests.faults.points import SAFE, Clean, Fault, Point, Row, Run

BACK = frozenset({"RolledBack"})
GOOD = frozenset({"Promoted", "Retired"})
# Without what the way back needs nobody but a person can go it: then one is told, and for what.
NEEDY = SAFE | {"RollbackIncomplete"}
SCENARIOS = ("release", "bad", "ordered", "retired", "revived")
SHORT = {"deadlines": {"healthy_minutes": 5, "image_minutes": 5, "rollback_minutes": 15}}
BY_NAME = {"deadlines": {**SHORT["deadlines"], "rollback_minutes": 20}}  # its way back waits for DNS, too


def throttled(clean: Clean) -> Iterator[Run]:
    """F70: 10, 30 and 60% of all calls are throttled, each service in its own words."""
    for p in (0.1, 0.3, 0.6):
        for scenario in SCENARIOS:
            most = 2 * clean.outcome(scenario).calls
            for seed in range(4):
                fault = Fault("throttle", None, {"p": p, "calls_at_most": most})
                yield Run("F70", scenario, (fault,), seed, ends=SAFE if p < 0.5 else NEEDY)


def overtaken(clean: Clean) -> Iterator[Run]:
    """A write is throttled while somebody else takes the release over: the fence keeps it from being sent again."""
    for point in of(
        clean.mutating("release"), "ShiftTrafficFunction", "PromoteFunction", "CreateGreenFunction"
    ):
        if point.call not in LEDGER:
            fault = Fault("ordered_at", point, {"seconds": 4, "throttled": True})
            yield Run("F70b", "release", (fault,), ends=BACK)


SERVICES = ("elbv2", "autoscaling", "ec2", "cloudwatch", "dynamodb", "stepfunctions", "sns", "ssm")
# The others are asked at the start alone, or only to page somebody.
USED = ("elbv2", "autoscaling", "cloudwatch", "dynamodb")
# Cloud seconds after the start, from what a clean run does then: plan, create, check, first step, second, promoted.
PHASES: Mapping[str, tuple[int, ...]] = {
    "release": (0, 40, 100, 200, 350, 500),
    "bad": (200, 260),
    "retired": (620, 700),
    "taken": (560, 640),
    "revived": (780, 840, 1000),
}


def away(clean: Clean) -> Iterator[Run]:
    """F71: one service can't be reached for a minute, ten, or an hour, from each phase on."""
    for service in SERVICES:
        for scenario, phases in PHASES.items():
            for number, after in enumerate(phases):
                if service not in USED and (scenario, number) not in (
                    ("release", 0),
                    ("bad", 0),
                    ("retired", 0),
                ):
                    continue
                for minutes in (1, 10, 60):
                    args = {"service": service, "after": after, "minutes": minutes}
                    yield Run(
                        "F71", scenario, (Fault("outage", None, args),), number, service=SHORT, ends=NEEDY
                    )


def _scenarios_that_use(clean: Clean, calls: tuple[str, ...]) -> list[str]:
    return [
        scenario
        for scenario in (*SCENARIOS, "baked", "stepped", "named", "named_bad", "network", "network_bad")
        if any(point.call in calls for point in (*clean.reads(scenario), *clean.mutating(scenario)))
    ]


def forbidden(clean: Clean) -> Iterator[Run]:
    """F72: each action that some policy allows is denied from the start, one a run."""
    for action in permissions.actions():
        using = _scenarios_that_use(clean, permissions.calls_of(action)) or ["bad"]
        for scenario in using[:2]:
            # A retirement that can't be started waits until it can, and the silent sweeper's alarm pages meanwhile.
            mended = {"minutes": 20} if scenario == "retired" and action.startswith("states:") else {}
            fault = Fault("forbidden", None, {"action": action, **mended})
            short = BY_NAME if scenario.startswith("named") else SHORT
            yield Run("F72", scenario, (fault,), service=short, ends=NEEDY)


RELEASING = (
    "CreateGreenFunction",
    "CheckGreenFunction",
    "HoldFloorsFunction",
    "ShiftTrafficFunction",
    "JudgeGreenFunction",
    "PromoteFunction",
)
# The moments at which a role is edited, and the functions that still have something to do then.
LOST_AT = (
    ("release", Point("CreateGreenFunction", "DescribeAutoScalingGroups", 1), RELEASING),
    ("release", Point("CheckGreenFunction", "DescribeAutoScalingGroups", 1), RELEASING[1:]),
    ("release", Point("JudgeGreenFunction", "DescribeRules", 1), RELEASING[3:]),
    ("release", Point("PromoteFunction", "DescribeRules", 1), RELEASING[5:]),
    ("bad", Point("BrakeFunction", "DescribeRules", 1), (*GOING_BACK, "SweepFunction")),
    ("bad", Point("ConvergeFunction", "DescribeRules", 2), ("ConvergeFunction", "SweepFunction")),
)


def lost_in_between(clean: Clean) -> Iterator[Run]:
    """F76: a role is edited while the release runs: every function loses the action, or all but those who go back."""
    for action in permissions.actions():
        calls = permissions.calls_of(action)
        for number, (scenario, point, functions) in enumerate(LOST_AT):
            left = of([*clean.reads(scenario), *clean.mutating(scenario)], *functions)
            if not any(each.call in calls for each in left):
                continue
            # Without the ledger nothing may change and no end can be written: that waits until somebody mends the role.
            mended = {"minutes": 20} if action.startswith(("dynamodb:", "kms:")) else {}
            fault = Fault("forbidden", point, {"action": action, **mended})
            yield Run("F76", scenario, (fault,), number, service=SHORT, ends=NEEDY)
            if scenario == "release" and number in (1, 2):
                only = Fault("forbidden", point, {"action": action, "functions": RELEASING, **mended})
                yield Run("F76", scenario, (only,), number, service=SHORT, ends=GOOD | BACK)


def stale(clean: Clean) -> Iterator[Run]:
    """F73: each Describe answers as it would have one to five ticks ago."""
    for scenario in ("release", "bad", "baked"):
        asked = [
            point.call for point in clean.reads(scenario) if point.call.startswith(("Describe", "Query"))
        ]
        calls = sorted({call for call in asked if asked.count(call) >= 3})
        for number, call in enumerate(calls):
            for ticks in (1, 2, 3, 4, 5) if scenario == "release" else (2, 5):
                fault = Fault("stale", None, {"call": call, "ticks": ticks})
                ends = NEEDY - GOOD if scenario == "bad" else NEEDY
                yield Run("F73", scenario, (fault,), number, service=SHORT, ends=ends)


def small_pages(clean: Clean) -> Iterator[Run]:
    """F74: whatever is listed comes one, two or three at a time, among a hundred of others' things."""
    for scenario in (*SCENARIOS, "baked"):
        for size in (1, 2, 3):
            faults = (Fault("paged", None, {"size": size}), Fault("crowded", None, {"things": 12}))
            yield Run(
                "F74",
                scenario,
                faults,
                size,
                ends=BACK if scenario in ("bad", "ordered", "revived") else GOOD,
            )


LACKING: Mapping[str, tuple[str, ...]] = {
    "DescribeRules": ("Rules.0.Actions", "Rules.0.Conditions", "Rules.0"),
    "DescribeListeners": ("Listeners.0.DefaultActions", "Listeners.0.LoadBalancerArn"),
    "DescribeTargetHealth": ("TargetHealthDescriptions.0.TargetHealth", "TargetHealthDescriptions"),
    "DescribeAutoScalingGroups": (
        "AutoScalingGroups.0.Instances",
        "AutoScalingGroups.0.MinSize",
        "AutoScalingGroups.0.Tags",
    ),
    "DescribeTargetGroups": ("TargetGroups.0.TargetGroupArn", "TargetGroups.0.Protocol"),
    "DescribeTargetGroupAttributes": ("Attributes", "Attributes.0.Value"),
    "DescribeTags": ("TagDescriptions.0.Tags",),
    "DescribeAlarms": ("MetricAlarms.0.StateValue", "MetricAlarms"),
    "GetMetricData": ("MetricDataResults.0.Values",),
    "DescribeImages": ("Images.0.State", "Images.0.ImageId"),
    "DescribeLaunchTemplateVersions": ("LaunchTemplateVersions.0.VersionNumber",),
    "CreateTargetGroup": ("TargetGroups.0.TargetGroupArn",),
    "CreateRule": ("Rules.0.RuleArn",),
    "CreateImage": ("ImageId",),
    "CreateLaunchTemplateVersion": ("LaunchTemplateVersion.VersionNumber",),
}


def partial(clean: Clean) -> Iterator[Run]:
    """F75: an answer lacks a key, or everything: the error has a name of ours, or a retry asks again."""
    for scenario in ("release", "bad", "baked"):
        points = [*looks(clean, scenario), *(p for p in clean.mutating(scenario) if p.call in LACKING)]
        if scenario != "release":
            points = [
                p for p in points if p.function in (*GOING_BACK, "BakeImageFunction", "CheckImageFunction")
            ]
        firsts = [point for point in points if point.nth == 1 and point.function != "SweepFunction"]
        for number, point in enumerate(firsts):
            for path in sample(("*", *LACKING.get(point.call, ())), 2, number):
                fault = Fault("mangle", point, {"path": path})
                yield Run("F75", scenario, (fault,), number, service=SHORT, ends=NEEDY)


ROWS = [
    Row("F70", "Throttling of 10, 30, 60% of all calls", throttled),
    Row("F70b", "Throttled, and taken over before it is sent again", overtaken),
    Row("F71", "One service away for 1, 10, 60 minutes", away),
    Row("F72", "Each action denied", forbidden, most=1000),
    Row("F73", "Stale reads", stale),
    Row("F74", "Small pages", small_pages),
    Row("F75", "Partial answers", partial),
    Row("F76", "Permission lost in mid-release", lost_in_between),
]
