"""What happened to users of other release tools, each as a regression under its own name."""

from collections.abc import Iterable, Iterator

from tests.faults import alarming as alarming
from tests.faults import nature as nature
from tests.faults import people as people
from tests.faults.points import SAFE, Clean, Fault, Point, Row, Run

BACK = frozenset({"RolledBack"})
GOOD = frozenset({"Promoted", "Retired"})
REFUSED = frozenset({"Refused"})
DISTURBED = SAFE | {"RollbackIncomplete"}

SOON = {"deadlines": {"rollback_minutes": 10}}

FIRST_POLL = Point("JudgeGreenFunction", "DescribeRules", 1)
LAST_POLL = Point("JudgeGreenFunction", "DescribeRules", 5)
RAISED = Point("CreateGreenFunction", "UpdateAutoScalingGroup", 1)
SECOND_SHIFT = Point("ShiftTrafficFunction", "ModifyRule", 2)


def throttled_to_the_end(clean: Clean) -> Iterator[Run]:
    """argo-rollouts #3333: the load balancer's API was throttled, the rollout was "complete", and the old side scaled in
    under 100% of the traffic."""
    for seed in range(4):
        fault = Fault("throttle", None, {"p": 0.7, "service": "elbv2"})
        yield Run("argo-rollouts#3333", "retired", (fault,), seed, ends=DISTURBED)
    for times in (1, 2, 8):
        lost = tuple(Fault("lost_update", Point(*_shift(2 + more))) for more in range(times))
        yield Run("argo-rollouts#3333", "retired", lost, times, ends=DISTURBED)


def _shift(nth: int) -> tuple[str, str, int]:
    return ("ShiftTrafficFunction", "ModifyRule", nth)


def not_propagated_yet(clean: Clean) -> Iterator[Run]:
    """argo-rollouts #4595, #3926: the old side was scaled in before the load balancer had propagated 0%."""
    for scenario in ("bad", "ordered", "retired"):
        for seconds in (60, 110):
            yield Run(
                "argo-rollouts#4595",
                scenario,
                (Fault("slow_rules", None, {"seconds": seconds}),),
                seconds,
                {"propagation_seconds": float(seconds)},
                {"settle_seconds": 120},
                GOOD if scenario == "retired" else BACK,
            )


def targets_first(clean: Clean) -> Iterator[Run]:
    """argo-rollouts #2864, #4433, aws-load-balancer-controller #4039, #3588: the listener came before its targets, a rule
    was deleted and made again."""
    for times in (1, 3):
        fault = Fault("launches_fail", None, {"why": "capacity", "times": times})
        yield Run("argo-rollouts#2864", "release", (fault,), times, ends=GOOD)
    for scenario in ("release", "bad", "ordered", "retired"):
        fault = Fault("launches_fail", None, {"why": "profile", "times": 1})
        yield Run(
            "argo-rollouts#2864",
            scenario,
            (fault,),
            ends=GOOD if scenario in ("release", "retired") else BACK,
        )


def one_failure_is_enough(clean: Clean) -> Iterator[Run]:
    """argo-rollouts #1411: one analysis failed, and the rollout went on because a second one still ran."""
    for which in ("unhealthy", "fail-open", "guard"):
        faults = (
            Fault("alarm_stuck", FIRST_POLL, {"which": which, "state": "INSUFFICIENT_DATA"}),
            Fault("alarm_stuck", _of_the_same_poll(), {"which": "errors", "state": "ALARM"}),
        )
        yield Run("argo-rollouts#1411", "release", faults, ends=BACK)


def _of_the_same_poll() -> Point:
    return Point("JudgeGreenFunction", "DescribeAutoScalingGroups", 1)


def broken_primary(clean: Clean) -> Iterator[Run]:
    """flagger #1898, PR #1931, #1932: rolled back onto a broken primary, and the healthy canary was scaled to nothing."""
    for kind, args in (("ill", {"lasting": True}), ("ill", {}), ("terminated", {})):
        for scenario, point in (
            ("release", FIRST_POLL),
            ("bad", Point("BrakeFunction", "DescribeRules", 1)),
            ("ordered", Point("RestoreBlueFunction", "DescribeAutoScalingGroups", 1)),
        ):
            fault = Fault(kind, point, {"side": "blue", **args})
            yield Run("flagger#1898", scenario, (fault,), service=SOON, ends=DISTURBED)


def half_an_analysis(clean: Clean) -> Iterator[Run]:
    """flagger #30: a newer revision went on with the analysis of the one before."""
    for point in (FIRST_POLL, SECOND_SHIFT):
        yield Run("flagger#30", "release", (Fault("another_starts", point),), ends=GOOD)


def sick_old_side(clean: Clean) -> Iterator[Run]:
    return iter(())


def unhealthy_new_side(clean: Clean) -> Iterator[Run]:
    """spinnaker #6973: the old group was disabled though the new one was unhealthy."""
    soon = {"deadlines": {"healthy_minutes": 3}}
    yield Run("spinnaker#6973", "release", (Fault("never_healthy"),), service=soon, ends=BACK)
    yield Run("spinnaker#6973", "retired", (Fault("never_healthy"),), service=soon, ends=BACK)


def pinned_for_ever(clean: Clean) -> Iterator[Run]:
    """spinnaker #4812, orca PR #3181: many ways in which a group's pinned minimum was never let go again."""
    for kind in ("crash_before", "crash_after", "lost"):
        for scenario in ("release", "bad", "ordered"):
            ends = GOOD | BACK if scenario == "release" else BACK
            yield Run("spinnaker#4812", scenario, (Fault(kind, RAISED),), ends=ends)
            released = Point(
                "PromoteFunction" if scenario == "release" else "ConvergeFunction",
                "UpdateAutoScalingGroup",
                1,
            )
            yield Run("spinnaker#4812", scenario, (Fault(kind, released),), ends=ends)


def resized_meanwhile(clean: Clean) -> Iterator[Run]:
    """spinnaker #4895: a resize and a rollback at once, and the serving group's minimum became 0."""
    for nth in (1, 3, 5, 8):
        point = Point("ConvergeFunction", "DescribeAutoScalingGroups", nth)
        for args in ({"minimum": 1, "desired": 4}, {"minimum": 4, "desired": 6}):
            fault = Fault("person_scales", point, {"side": "blue", **args})
            yield Run("spinnaker#4895", "bad", (fault,), nth, ends=BACK)


def nobody_behind_it(clean: Clean) -> Iterator[Run]:
    """containers-roadmap #2853: weights changed by hand, the controller shifted all the same: all on an empty group."""
    for point in (FIRST_POLL, LAST_POLL):
        faults = (
            Fault("person_weights", point, {"green": 100}),
            Fault("ill", Point(point.function, "DescribeAutoScalingGroups", point.nth), {"side": "green"}),
        )
        yield Run("containers-roadmap#2853", "release", faults, ends=DISTURBED)
        fault = Fault("person_weights", point, {"blue": 100, "other": 10})
        yield Run("containers-roadmap#2853", "release", (fault,), ends=DISTURBED)


def reset_by_code(clean: Clean) -> Iterator[Run]:
    """aws-cdk #36649, terraform-aws-alb #409: a deployment of infrastructure put the weights back, in the shift or after."""
    for point in (FIRST_POLL, LAST_POLL):
        yield Run("aws-cdk#36649", "release", (Fault("iac_resets", point),), ends=DISTURBED)
    for nth in (1, 2, 4):
        fault = Fault("iac_resets", Point("RetireBlueFunction", "DescribeRules", nth))
        yield Run("aws-cdk#36649", "retired", (fault,), nth, ends=GOOD | {"Held"})
    late = Fault("iac_resets", Point("PromoteFunction", "DeleteAlarms", 1), {"after": 60})
    yield Run("aws-cdk#36649", "retired", (late,), ends=GOOD | {"Held"})


def owned_by_code(clean: Clean) -> Iterator[Run]:
    """terraform-provider-aws #4678: the group that the tool replaced was gone from its owner's state."""
    yield Run("terraform-provider-aws#4678", "retired", (Fault("iac_owns_blue"),), ends=GOOD)


def nothing_left_behind(clean: Clean) -> Iterator[Run]:
    """CodeDeploy: lifecycle hooks left behind made every later launch time out."""
    for what in ("hooks", "metrics"):
        for scenario in ("bad", "release"):
            fault = Fault("blue_is_dressed", None, {"with": what})
            yield Run("codedeploy-hooks", scenario, (fault,), ends=BACK if scenario == "bad" else GOOD)


def red_from_the_start(clean: Clean) -> Iterator[Run]:
    """copilot PR #4512: alarms that were red at the start were passed over in silence."""
    fault = Fault("alarm_stuck", None, {"which": "guard", "state": "ALARM"})
    yield Run("copilot#4512", "release", (fault,), ends=REFUSED)


def green_pipeline(clean: Clean) -> Iterator[Run]:
    """ecs-deploy #191: the pipeline was green after a rollback."""
    for scenario in ("bad", "ordered"):
        fault = Fault("lost", Point("ShiftTrafficFunction", "ModifyRule", 1))
        yield Run("ecs-deploy#191", scenario, (fault,), ends=BACK)


def _rows() -> Iterable[Row]:
    yield Row("argo-rollouts#3333", "Scaled in under traffic while throttled", throttled_to_the_end)
    yield Row("argo-rollouts#4595", "Scaled in before 0% had propagated (also #3926)", not_propagated_yet)
    yield Row(
        "argo-rollouts#2864",
        "Rule before targets, or made again (also #4433, alb-controller #4039, #3588)",
        targets_first,
    )
    yield Row("argo-rollouts#1411", "One failed analysis didn't stop it", one_failure_is_enough)
    yield Row("flagger#1898", "Rolled back onto a broken primary (also #1931, #1932)", broken_primary)
    yield Row("flagger#30", "Half an analysis inherited", half_an_analysis)
    yield Row(
        "flagger#639", "No fix ships while the old side is sick (also spinnaker #4811)", sick_old_side, False,
        "releases that start from a sick blue",
    )  # fmt: skip
    yield Row("spinnaker#6973", "Old side off, new side unhealthy", unhealthy_new_side)
    yield Row("spinnaker#4812", "Minimum pinned for ever (also orca #3181)", pinned_for_ever)
    yield Row("spinnaker#4895", "Resize and rollback at once", resized_meanwhile)
    yield Row("containers-roadmap#2853", "Shifted onto an empty group", nobody_behind_it)
    yield Row(
        "aws-cdk#36649",
        "Weights put back by infrastructure as code (also terraform-aws-alb #409)",
        reset_by_code,
    )
    yield Row("terraform-provider-aws#4678", "Group lost to its owner", owned_by_code)
    yield Row("codedeploy-hooks", "Hooks left behind", nothing_left_behind)
    yield Row("copilot#4512", "Red from the start", red_from_the_start)
    yield Row("ecs-deploy#191", "Pipeline green after a rollback", green_pipeline)


ROWS = list(_rows())
