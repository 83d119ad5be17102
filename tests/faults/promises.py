"""What else must hold in the runs of a row, beside its ends and the checks: one function per promise, by the row's id."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

from local.control.calls import route_of
from tests.faults import floors
from tests.faults.checks import ROUTE_WRITES
from tests.faults.place import Place
from tests.faults.sides import record, scaling, weights
from tests.workflow.world import Release

Promise = Callable[[Place, Release], Iterator[str]]

_PROMISES: dict[str, list[Promise]] = {}

POLL = 60.0
METRIC_DELAY = 30.0
ALARM_PERIOD = 60.0
EVIDENCE = (
    239  # seconds: two periods of a minute, two minutes of delay, and the moment before our clock starts
)
SLACK = 15.0  # the calls of a poll, and the tick of the emulated world
RETRIES = 80.0  # what Step Functions may spend on the retries of one state
RAW = (
    "KeyError",
    "IndexError",
    "TypeError",
    "AttributeError",
    "ValueError",
    "StopIteration",
    "AssertionError",
)
CREATING = (
    "CreateImage",
    "CreateTargetGroup",
    "CreateRule",
    "CreateLaunchTemplateVersion",
    "CreateAutoScalingGroup",
)


def promise(*rows: str) -> Callable[[Promise], Promise]:
    """Registers what must also hold in the runs of these rows; it answers with what doesn't, in words."""

    def register(found: Promise) -> Promise:
        for row in rows:
            _PROMISES.setdefault(row, []).append(found)
        return found

    return register


def keep(world: Place, release: Release) -> None:
    """Looks at every promise of the run's row, once its scenario has ended."""
    for found in _PROMISES.get(world.run.row, []):
        for broken in found(world, release):
            world.checks.add(world.run.row, "viridian", broken)


# --- what the cloud wrote down -------------------------------------------------------------------------------


def moment(world: Place) -> float | None:
    """When the run's first fault happened; None if it never did."""
    return min(world.reached.values(), default=None)


def ours(world: Place, *calls: str) -> list[dict[str, Any]]:
    """The calls of these names by our functions that AWS carried out, oldest first; a telling is no page."""
    return [
        entry
        for entry in world.cloud.calls.entries
        if entry["call"] in calls
        and entry["principal"].endswith("Function")
        and entry["principal"] != "TellFunction"
        and entry["error"] is None
    ]


def route_writes(world: Place) -> list[dict[str, Any]]:
    """Our writes of the production route."""
    arn = world.shop.route_arn
    return [entry for entry in ours(world, *ROUTE_WRITES) if route_of(entry["request"]) == arn]


def alone(shown: dict[str, int] | None, arn: str) -> bool:
    """Whether all the weight is one group's."""
    return bool(shown) and shown is not None and shown.get(arn, 0) == sum(shown.values()) > 0


def restored_after(world: Place, since: float) -> float | None:
    """When a write of ours first gave blue everything after that moment."""
    blue = world.shop.target_group_arn
    return next(
        (each["at"] for each in route_writes(world) if each["at"] >= since and alone(each["after"], blue)),
        None,
    )


def paged(world: Place, since: float) -> bool:
    return any(each["at"] >= since for each in ours(world, "Publish"))


def ended(world: Place, release: Release) -> str:
    """How the ledger says the release ended."""
    return str(world.record_of(release).get("status", "Refused"))


def told(world: Place, release: Release) -> str:
    """Everything that people are told of why: the execution's cause, the record's failure and outcome."""
    found = world.record_of(release)
    cause = str(world.cloud._execution(release.arn).cause or "")
    return "\n".join((cause, str(found.get("failure", "")), str(found.get("outcome", ""))))


# --- routes --------------------------------------------------------------------------------------------------


@promise("F21")
def at_most_three_tries(world: Place, release: Release) -> Iterator[str]:
    """An update that doesn't hold is sent three times at most, by each execution."""
    sent: dict[tuple[Any, ...], int] = {}
    for each in route_writes(world):
        key = (each["execution"], each["principal"], str(each["request"].get("Actions")))
        sent[key] = sent.get(key, 0) + 1
    for (_, principal, _), times in sent.items():
        if times > 3:
            yield f"{principal} sent the same weights {times} times"


@promise("F22", "F23")
def drift_is_found_within_one_poll(world: Place, release: Release) -> Iterator[str]:
    """A foreign write that stands ends the plan at the next poll, or before."""
    at = moment(world)
    if at is None or not _in_the_shift(world, at) or not _stood(world, at):
        return
    found = next(
        (
            run["at"]
            for run in world.cloud.lambda_invocations
            if run["at"] >= at
            and (run["error"] in ("Drifted", "Refusal") or run["function"] == "RestoreBlueFunction")
        ),
        None,
    )
    if found is None:
        yield "the foreign weights were never found"
    elif found - at > POLL + SLACK:
        yield f"the foreign weights were found {found - at:.0f} s later"


def _in_the_shift(world: Place, at: float) -> bool:
    """Whether the release was between its first weight and its end, and not on its way back, at that moment."""
    runs = world.cloud.lambda_invocations
    back = [run["at"] for run in runs if run["function"] in ("RestoreBlueFunction", "PromoteFunction")]
    shifted = [each["at"] for each in route_writes(world)]
    return bool(shifted) and shifted[0] < at and not any(began <= at for began in back)


def _stood(world: Place, at: float) -> bool:
    """Whether they differed from what was there, and nobody wrote over them at once: AWS has no compare-and-set."""
    calls = [each for each in world.cloud.calls.entries if each["call"] in ("ModifyRule", "ModifyListener")]
    foreign = [each for each in calls if each["at"] == at and not each["principal"].endswith("Function")]
    differed = any(each["before"] != each["after"] for each in foreign)
    return differed and not any(at <= each["at"] <= at + 1 for each in route_writes(world))


@promise("F26")
def back_within_a_period_and_a_poll(world: Place, release: Release) -> Iterator[str]:
    at = moment(world)
    if at is None or ended(world, release) == "Promoted":
        return
    back = restored_after(world, at)
    if back is None:
        if not alone(weights(world), world.shop.target_group_arn):
            yield "blue was never restored"
    elif back - at > ALARM_PERIOD + POLL + SLACK:
        yield f"blue was restored {back - at:.0f} s after green fell ill"


@promise("F27")
def never_onto_a_dead_blue(world: Place, release: Release) -> Iterator[str]:
    """C2 looks at each write; a person must know of it besides, if the release did not go on."""
    at = moment(world)
    if at is not None and ended(world, release) in ("Held", "RollbackIncomplete") and not paged(world, at):
        yield "nobody was paged"


@promise("F28")
def nothing_moves_where_nobody_is_well(world: Place, release: Release) -> Iterator[str]:
    at = moment(world)
    if at is None:
        return
    if moved := [each for each in route_writes(world) if each["at"] > at]:
        yield f"{moved[0]['principal']} moved weights {moved[0]['at'] - at:.0f} s after both sides fell ill"
    if not paged(world, at):
        yield "nobody was paged"


@promise("F29")
def no_client_sticks(world: Place, release: Release) -> Iterator[str]:
    """Past the lag no request, of whatever cookie, reaches the side that doesn't serve."""
    serving = "2.0.0" if ended(world, release) in ("Promoted", "Retired") else "1.0.0"
    world.cloud.clock.sleep(world.cloud.reality.propagation_seconds + 30)
    before = {version: served.requests for version, served in world.cloud.plane.by_version().items()}
    world.cloud.clock.sleep(60)
    for version, served in world.cloud.plane.by_version().items():
        if version != serving and served.requests - before.get(version, 0.0) > 0.5:
            yield f"{version} still has {served.requests - before.get(version, 0.0):.0f} requests a minute"


@promise("F32")
def others_keep_their_place(world: Place, release: Release) -> Iterator[str]:
    """Groups that are nobody's of ours are listed as before."""
    wanted = int(world.run.faults[0].args["groups"])
    listed = [arn for arn in weights(world) if ":targetgroup/third" in arn]
    if len(listed) != wanted:
        yield f"{len(listed)} of {wanted} foreign groups are still listed"


@promise("F31")
def nothing_goes_to_a_draining_blue(world: Place, release: Release) -> Iterator[str]:
    at, blue = moment(world), world.shop.target_group_arn
    emptied = [
        each["at"]
        for each in ours(world, "UpdateAutoScalingGroup")
        if each["principal"] == "RetireBlueFunction"
    ]
    for each in route_writes(world):
        if at is not None and emptied and each["at"] >= emptied[0] and (each["after"] or {}).get(blue, 0) > 0:
            yield f"{each['principal']} gave weight to a blue that drains"


# --- fleets --------------------------------------------------------------------------------------------------


@promise("F41")
def a_permanent_refusal_fails_fast(world: Place, release: Release) -> Iterator[str]:
    """What no waiting mends is not waited for: two polls of green (30 s each), and what a launch takes."""
    at = moment(world)
    if world.run.faults[0].kind == "never_healthy":  # AWS refuses nothing there: only a deadline can tell
        return
    back = [run["at"] for run in world.cloud.lambda_invocations if run["function"] == "RestoreBlueFunction"]
    if at is not None and back and back[0] - at > 2 * 30 + 30 + SLACK:
        yield f"green was given up {back[0] - at:.0f} s after its launches were refused for good"


@promise("F44a", "F44b", "F44c", "F44d")
def the_floors_hold(world: Place, release: Release) -> Iterator[str]:
    """Nothing but a person or a fault lowers a floor, and that is mended at the next poll; no side shrinks below the need."""
    for low in floors.spells(world):
        if low.lasted > POLL + SLACK + RETRIES:
            yield f"the floor of {low.group} stood at {low.least}, below the need, for {low.lasted:.0f} s"


@promise("F44d")
def the_need_follows_the_requests(world: Place, release: Release) -> Iterator[str]:
    """As far as the last poll could know: the newest minute doesn't count, nor the one in which the load rose."""
    at, service = moment(world), world.run.service
    over = [
        run["at"]
        for run in world.cloud.lambda_invocations
        if run["function"] in ("PromoteFunction", "RestoreBlueFunction")
    ]
    if at is None or service["past_minutes"] < 8:
        return
    minutes = (min(over) - at - METRIC_DELAY - POLL) // 60 - 3
    share = min(5, max(0, minutes)) / 5  # of the window of five minutes
    growth = 1 + share * (world.run.faults[0].args["rate"] / service["rate"] - 1)
    wanted, need = min(9, math.ceil(3 * growth)), int(world.record_of(release)["need"])
    if growth > 1.25 and need < wanted:
        yield f"the need was {need} when the load was worth {wanted}"


@promise("F44e")
def green_gets_no_more_while_a_fleet_is_replaced(world: Place, release: Release) -> Iterator[str]:
    """From the first look after it began: one that began between look and write nobody could see."""
    at, args = moment(world), world.run.faults[0].args
    refreshes = [
        each
        for group in scaling().autoscaling_groups.values()
        for each in vars(group).get("instance_refreshes", ())
    ]
    spans = [(each.began, each.ended or math.inf) for each in refreshes if each.began is not None]
    if at is not None and "minutes" in args:
        spans = [(at, at + 60 * float(args["minutes"]))]
    for entry in route_writes(world):
        if entry["principal"] == "ShiftTrafficFunction":
            for began, over in spans:
                if began + SLACK < entry["at"] < over:
                    yield f"weights were shifted {entry['at'] - began:.0f} s after others began to replace a fleet"


@promise("F44f", "F51")
def nothing_is_forced(world: Place, release: Release) -> Iterator[str]:
    if any(each["request"].get("ForceDelete") for each in ours(world, "DeleteAutoScalingGroup")):
        yield "a group was deleted by force"


@promise("F48")
def launches_are_pinned(world: Place, release: Release) -> Iterator[str]:
    """No instance of either side ever ran the version that somebody made meanwhile."""
    if "9.9.9" in world.cloud.plane.by_version():
        yield "an instance runs the version that somebody made the default"


@promise("F49")
def what_stood_there_stands(world: Place, release: Release) -> Iterator[str]:
    found = world.record_of(release)
    if not found or world.run.faults[0].args["what"] != "group":
        return
    name = str(record(world)["plan"]["green_group"])
    group = scaling().autoscaling_groups.get(name)
    if group is None or not any(tag["Key"] == "owner" for tag in group.tags):
        yield f"the foreign group {name} is gone"


@promise("F50")
def green_is_blues_copy(world: Place, release: Release) -> Iterator[str]:
    """Every member that the launch of an instance, its check or its end depends on."""
    shown = world.cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    blue = next(each for each in shown if each["AutoScalingGroupName"] == world.shop.group_name)
    green = next((each for each in shown if each["AutoScalingGroupName"].startswith("viridian-")), None)
    if green is None:
        yield "there is no green"
        return
    differs: tuple[str, ...] = (
        "AutoScalingGroupName",
        "AutoScalingGroupARN",
        "CreatedTime",
        "Instances",
        "LaunchTemplate",
    )
    differs += (
        "MinSize",
        "DesiredCapacity",
        "Tags",
        "TargetGroupARNs",
        "TrafficSources",
        "SuspendedProcesses",
    )
    for member, value in blue.items():
        if member not in differs and green.get(member) != value:
            yield f"{member} is {green.get(member)} on green, {value} on blue"


# --- signals -------------------------------------------------------------------------------------------------


@promise("F60", "F61", "F62", "F63", "F64")
def no_verdict_without_evidence(world: Place, release: Release) -> Iterator[str]:
    """A weight is followed by a greater one only after the slowest alarm's whole evaluation, and its delay."""
    writes = [each["at"] for each in route_writes(world) if each["principal"] == "ShiftTrafficFunction"]
    promoted = [each["at"] for each in ours(world, "ModifyRule") if each["principal"] == "PromoteFunction"]
    steps = [*writes, *promoted[:1]]
    for before, after in itertools.pairwise(steps):
        if after - before < EVIDENCE:
            yield f"the next step came {after - before:.0f} s after the one before"


# --- API -----------------------------------------------------------------------------------------------------


@promise("F70")
def throttled_but_not_wasteful(world: Place, release: Release) -> Iterator[str]:
    """At 30% at most twice the calls of a clean run, and no poll skipped."""
    fault = world.run.faults[0]
    if float(fault.args["p"]) > 0.3:
        return
    most = int(fault.args["calls_at_most"])
    if (sent := len(world.injector.points)) > most:
        yield f"{sent} calls where {most} are twice those of a clean run"
    polls = [run["at"] for run in world.cloud.lambda_invocations if run["function"] == "JudgeGreenFunction"]
    for before, after in itertools.pairwise(polls):
        if after - before > 2 * POLL + RETRIES:
            yield f"{after - before:.0f} s between two polls"


CLEAN_ENDS = {
    "bad": "RolledBack",
    "ordered": "RolledBack",
    "retired": "Retired",
    "taken": "RolledBack",
    "revived": "RolledBack",
    "stepped": "RolledBack",
    "named_bad": "RolledBack",
    "named_ordered": "RolledBack",
    "network": "Retired",
    "network_bad": "RolledBack",
    "network_ordered": "RolledBack",
}


@promise("F72", "F76")
def the_missing_permission_is_named(world: Place, release: Release) -> Iterator[str]:
    """Where a release ends otherwise than it would have, people are told for want of what."""
    if moment(world) is None or ended(world, release) == CLEAN_ENDS.get(world.run.scenario, "Promoted"):
        return
    action = str(world.run.faults[0].args["action"])
    pages = "\n".join(str(each["request"].get("Message")) for each in ours(world, "Publish"))
    causes = "\n".join(str(each.cause or "") for each in world.executions())  # a way back may die of it too
    words = f"{told(world, release)}\n{pages}\n{causes}"
    if action not in words and action.split(":")[1] not in words:
        yield f"{action} is not named in: {words[:300]}"


@promise("F73", "F74", "F70", "F49")
def nothing_is_made_twice(world: Place, release: Release) -> Iterator[str]:
    made = [each["call"] for each in ours(world, *CREATING) if each["execution"] == release.arn]
    for call in CREATING:
        if made.count(call) > 1:
            yield f"{call} was carried out {made.count(call)} times"


@promise("F75")
def a_partial_answer_has_a_name(world: Place, release: Release) -> Iterator[str]:
    words = told(world, release)
    for name in RAW:
        if f"{name}:" in words or words.startswith(name):
            yield f"what came of a partial answer is {words[:200]}"
            return


@promise("F71")
def nothing_retires_in_the_dark(world: Place, release: Release) -> Iterator[str]:
    """While the load balancer can't be asked, nothing is scaled in, deregistered or deleted."""
    fault = world.run.faults[0]
    if fault.args["service"] != "elbv2":
        return
    begin = world.began + float(fault.args.get("after", 0))
    end = begin + 60 * float(fault.args["minutes"])
    for each in ours(world, "UpdateAutoScalingGroup", "DeleteAutoScalingGroup", "DeleteTargetGroup"):
        lower = (each.get("after") or {}).get("desired", 99) < (each.get("before") or {}).get("desired", 0)
        if begin + 5 <= each["at"] < end and (lower or each["call"].startswith("Delete")):
            yield f"{each['call']} by {each['principal']} while Elastic Load Balancing could not be asked"


# --- incidents -----------------------------------------------------------------------------------------------


@promise("argo-rollouts#3333", "argo-rollouts#4595", "flagger#1898")
def nothing_leaves_before_its_traffic(world: Place, release: Release) -> Iterator[str]:
    """A side is scaled in only once the route has shown nothing of it for the settle time."""
    settle = float(record(world)["plan"]["profile"]["settle_seconds"]) if record(world) else 0.0
    fleets = {world.shop.group_name: world.shop.target_group_arn}
    for each in ours(world, "UpdateAutoScalingGroup", "DeleteAutoScalingGroup"):
        if each["request"].get("DesiredCapacity") != 0 and each["call"] != "DeleteAutoScalingGroup":
            continue
        group = str(each["request"]["AutoScalingGroupName"])
        arn = fleets.get(group, "")
        carried = [
            write["at"]
            for write in route_writes(world)
            if write["at"] <= each["at"]
            and _carries(write["before"], arn)
            and not _carries(write["after"], arn)
        ]
        last = [write for write in route_writes(world) if write["at"] <= each["at"]]
        if last and arn and _carries(last[-1]["after"], arn):
            yield f"{group} was scaled in while it had weight"
        elif carried and each["at"] - carried[-1] < max(60.0, settle):
            yield f"{group} was scaled in {each['at'] - carried[-1]:.0f} s after its last weight"


def _carries(shown: dict[str, int] | None, arn: str) -> bool:
    """Whether a group has weight; green's, if no other is named."""
    return (
        bool(shown)
        and shown is not None
        and any(w for a, w in shown.items() if a == arn or (not arn and "/shop-1/" not in a))
    )


@promise("argo-rollouts#2864")
def the_rule_is_changed_in_place(world: Place, release: Release) -> Iterator[str]:
    for each in ours(world, "DeleteRule", "CreateRule"):
        if each["request"].get("RuleArn") == world.shop.route_arn:
            yield "the production rule was deleted"
    if not weights(world):
        yield "the production rule is gone"


@promise("argo-rollouts#1411")
def the_failure_counts_at_once(world: Place, release: Release) -> Iterator[str]:
    at = moment(world)
    back = restored_after(world, at) if at is not None else None
    if at is not None and (back is None or back - at > POLL + SLACK):
        yield "the red alarm did not stop the release at once"


@promise("flagger#30")
def the_other_is_refused(world: Place, release: Release) -> Iterator[str]:
    others = [
        each
        for each in world.executions()
        if '"3.0.0"' in str(each.input_data) or "3.0.0" in str(each.input_data)
    ]
    if not others:
        yield "no other release was started"
    for other in others:
        if other.error != "Refused":
            yield f"the other release ended {other.error or other.status}"
        if world.mutations(other.exec_arn):
            yield "the other release changed something"
    if record(world)["plan"]["version"] != "2.0.0":
        yield "the release's version is another one now"


@promise("spinnaker#6973")
def an_unhealthy_green_gets_nothing(world: Place, release: Release) -> Iterator[str]:
    if route_writes(world):
        yield "weights were written for a green that was never healthy"


@promise("spinnaker#4812", "spinnaker#4895")
def the_minimum_is_blues_own_again(world: Place, release: Release) -> Iterator[str]:
    """Nobody's pin is left, and none of ours was ever lower than what blue had."""
    group = scaling().autoscaling_groups[world.shop.group_name]
    if world.run.row == "spinnaker#4812" and ended(world, release) == "RolledBack" and group.min_size != 2:
        yield f"blue's minimum is {group.min_size}, and was 2"
    for each in ours(world, "UpdateAutoScalingGroup"):
        named = each["request"].get("AutoScalingGroupName") == world.shop.group_name
        if named and int(each["request"].get("MinSize", 9)) < 1:
            yield f"{each['principal']} set blue's minimum to 0"


@promise("aws-cdk#36649", "containers-roadmap#2853", "terraform-provider-aws#4678")
def a_blue_that_serves_stays(world: Place, release: Release) -> Iterator[str]:
    """Whoever has weight has instances; what was lent is never deleted."""
    blue = scaling().autoscaling_groups.get(world.shop.group_name)
    if blue is None:
        yield "blue's group is gone"
    elif weights(world).get(world.shop.target_group_arn, 0) and not blue.desired_capacity:
        yield "blue has weight and no instances"


@promise("codedeploy-hooks")
def blue_is_as_it_was(world: Place, release: Release) -> Iterator[str]:
    hooks = [
        each.name
        for each in scaling().lifecycle_hooks.values()
        if each.auto_scaling_group_name == world.shop.group_name
    ]
    wanted = ["last-words"] if world.run.faults[0].args["with"] == "hooks" else []
    if hooks != wanted:
        yield f"blue's hooks are {hooks}, and were {wanted}"
    blue = scaling().autoscaling_groups[world.shop.group_name]
    if blue.desired_capacity and (suspended := blue.suspended_processes):  # at zero it is kept from launching
        yield f"{suspended} are suspended on blue"


@promise("ecs-deploy#191")
def the_execution_fails(world: Place, release: Release) -> Iterator[str]:
    if (status := world.cloud._execution(release.arn).status) != "FAILED":
        yield f"the execution of a release that was rolled back is {status}"
