"""EC2 Auto Scaling: the groups behind a route, their clones, floors and ends."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from viridian import clone
from viridian.aws import clients, ledger, target_groups
from viridian.aws.target_groups import Health
from viridian.errors import Busy, Refusal
from viridian.fence import Fence
from viridian.fleet import Member, Side

_STANDS = ("InService", "Pending", "Pending:Wait", "Pending:Proceed", "Standby", "EnteringStandby")


def attached(target_group: str) -> dict[str, Any]:
    """The one Auto Scaling group attached to a target group, as AWS shows it; a Refusal if it isn't one."""
    pages = clients.reader("autoscaling").get_paginator("describe_auto_scaling_groups").paginate()
    groups = [
        group
        for page in pages
        for group in page["AutoScalingGroups"]
        if target_group in group.get("TargetGroupARNs", [])
        or any(source["Identifier"] == target_group for source in group.get("TrafficSources", []))
    ]
    if len(groups) != 1:
        found = ", ".join(group["AutoScalingGroupName"] for group in groups) or "no Auto Scaling group"
        raise Refusal(
            "route", f"{target_group} is served by {found}", "Attach exactly one Auto Scaling group to it."
        )
    if target_group not in groups[0].get("TargetGroupARNs", []):
        raise Refusal(
            "route",
            f"{groups[0]['AutoScalingGroupName']} is attached as a traffic source",
            "Attach the target group with AttachLoadBalancerTargetGroups.",
        )
    return dict(groups[0])


def find(name: str) -> dict[str, Any] | None:
    """A group by name, as AWS shows it."""
    found = clients.reader("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return dict(found["AutoScalingGroups"][0]) if found["AutoScalingGroups"] else None


def side(group: dict[str, Any], target_group: str, health: Health | None = None) -> Side:
    """A fleet as it is now: the group's sizes, and each instance with its state in the target group."""
    states = target_groups.health(target_group) if health is None else health
    members = tuple(
        Member(
            instance=instance["InstanceId"],
            zone=instance["AvailabilityZone"],
            health=states.get(instance["InstanceId"], ("unregistered", ""))[0],
            reason=states.get(instance["InstanceId"], ("", ""))[1],
            capacity=int(instance.get("WeightedCapacity") or 1),
        )
        for instance in group.get("Instances", [])
        if instance["LifecycleState"] in _STANDS
    )
    return Side(
        group=group["AutoScalingGroupName"],
        target_group=target_group,
        minimum=int(group["MinSize"]),
        desired=int(group["DesiredCapacity"]),
        maximum=int(group["MaxSize"]),
        members=members,
    )


def find_sides(target_groups: dict[str, str]) -> dict[str, Side]:
    """Fleets by the names of their groups, each with its target group; a group that is gone is left out."""
    found = clients.reader("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=list(target_groups)
    )
    groups = {group["AutoScalingGroupName"]: dict(group) for group in found["AutoScalingGroups"]}
    return {name: side(group, target_groups[name]) for name, group in groups.items()}


def instance_types(group: Mapping[str, Any]) -> dict[str, int]:
    """How many instances of each type a group has."""
    return dict(Counter(instance["InstanceType"] for instance in group.get("Instances", [])))


def limits() -> tuple[int, int]:
    """How many groups the account has in the Region, and how many it may have."""
    found = clients.reader("autoscaling").describe_account_limits()
    return int(found["NumberOfAutoScalingGroups"]), int(found["MaxNumberOfAutoScalingGroups"])


def tags(group: dict[str, Any]) -> dict[str, str]:
    """A group's tags."""
    return {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}


def ensure_clonable(name: str) -> None:
    """Refuses a group with anything attached that green would silently lack."""
    client = clients.reader("autoscaling")
    policies = [p for p in _policies(name) if p["PolicyType"] != "TargetTrackingScaling"]
    actions = client.describe_scheduled_actions(AutoScalingGroupName=name)["ScheduledUpdateGroupActions"]
    group = find(name) or {}
    suspended, warm = group.get("SuspendedProcesses", []), group.get("WarmPoolConfiguration")
    operator = group.get("Operator", {}).get("Principal")
    clone.ensure_carried(
        name,
        {
            "a scaling policy other than target tracking": [p["PolicyName"] for p in policies],
            "a scheduled action": [action["ScheduledActionName"] for action in actions],
            "a suspended process": [process["ProcessName"] for process in suspended],
            "an operator": [operator] if operator else [],
            "a warm pool": ["WarmPoolConfiguration"] if warm else [],
        },
    )


def make_green(
    name: str,
    blue: dict[str, Any],
    version: str,
    target_group: str,
    need: int,
    tags: dict[str, str],
    fence: Fence,
) -> None:
    """Green's group: blue's clone on its own target group, at the need from the first hour; an earlier try's is kept."""
    if (found := find(name)) is None:
        blue_name = blue["AutoScalingGroupName"]
        hooks = clients.reader("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=blue_name)
        with ledger.mutation(
            fence, "CreateAutoScalingGroup", name, after={"MinSize": need, "DesiredCapacity": need}
        ):
            clients.writer("autoscaling").create_auto_scaling_group(
                AutoScalingGroupName=name,
                **clone.members(blue, version),
                MinSize=need,
                DesiredCapacity=need,
                MaxSize=int(blue["MaxSize"]),
                TargetGroupARNs=[target_group],
                Tags=clone.tags(blue, tags, name),
                LifecycleHookSpecificationList=clone.hooks(hooks["LifecycleHooks"]),
            )
    else:
        _ensure_tagged(found, tags, "It stands where green is to be made: delete it.")


def copy_metrics(name: str, blue: dict[str, Any], fence: Fence) -> None:
    """Blue's group metrics on green."""
    wanted = clone.metrics(blue)
    if missing := sorted(set(wanted) - set(clone.metrics(find(name) or {}))):
        with ledger.mutation(fence, "EnableMetricsCollection", name, after=missing):
            clients.writer("autoscaling").enable_metrics_collection(
                AutoScalingGroupName=name, Metrics=missing, Granularity="1Minute"
            )


def copy_policies(name: str, blue: str, label: str, fence: Fence) -> None:
    """Blue's target tracking on green; one that is there already is left."""
    standing = {policy["PolicyName"] for policy in _policies(name)}
    for policy in clone.policies(_policies(blue), label):
        if policy["PolicyName"] not in standing:
            with ledger.mutation(fence, "PutScalingPolicy", f"{name}/{policy['PolicyName']}"):
                clients.writer("autoscaling").put_scaling_policy(AutoScalingGroupName=name, **policy)


def set_minimum(side: Side, minimum: int, fence: Fence) -> None:
    """Sets a group's floor; AWS itself raises what it wants if that is below."""
    if side.minimum != minimum:
        with ledger.mutation(
            fence,
            "UpdateAutoScalingGroup",
            side.group,
            before={"MinSize": side.minimum},
            after={"MinSize": minimum},
        ) as entry:
            clients.writer("autoscaling").update_auto_scaling_group(
                AutoScalingGroupName=side.group, MinSize=minimum
            )
            shown = int((find(side.group) or {}).get("MinSize", -1))
            entry.shown = {"MinSize": shown}
        if shown != minimum:
            raise Busy(
                f"wrote MinSize {minimum}, {side.group} shows {shown}: it is written again unless that is late"
            )


def raise_desired(side: Side, need: int, fence: Fence) -> None:
    """Gives a group back its capacity: both its floor and what it wants become the need at least."""
    if side.desired < need or side.minimum < need:
        wanted = {"MinSize": max(side.minimum, need), "DesiredCapacity": max(side.desired, need)}
        before = {"MinSize": side.minimum, "DesiredCapacity": side.desired}
        with ledger.mutation(fence, "UpdateAutoScalingGroup", side.group, before=before, after=wanted):
            clients.writer("autoscaling").update_auto_scaling_group(AutoScalingGroupName=side.group, **wanted)


def is_ours(name: str, wanted: dict[str, str]) -> bool:
    """Whether a group of this name stands and carries these tags."""
    group = find(name)
    return group is not None and wanted.items() <= tags(group).items()


def empty(name: str, tags: dict[str, str], fence: Fence) -> None:
    """Scales a group that carries these tags in to nothing: its instances drain and terminate."""
    group = find(name)
    if group:
        _ensure_tagged(group, tags, "Scale it in by hand.")
    if group and (int(group["MinSize"]) or int(group["DesiredCapacity"])):
        with ledger.mutation(
            fence, "UpdateAutoScalingGroup", name, after={"MinSize": 0, "DesiredCapacity": 0}
        ):
            clients.writer("autoscaling").update_auto_scaling_group(
                AutoScalingGroupName=name, MinSize=0, DesiredCapacity=0
            )


def delete(name: str, tags: dict[str, str], fence: Fence) -> bool:
    """Deletes an empty group that carries our tags, never by force; answers whether it is gone (aws-facts A4)."""
    group = find(name)
    if group is None:
        return True
    if group["Instances"] or group.get("Status"):
        return False
    _ensure_tagged(group, tags, "Delete it by hand.")
    client = clients.writer("autoscaling")
    try:
        with ledger.mutation(fence, "DeleteAutoScalingGroup", name):
            client.delete_auto_scaling_group(AutoScalingGroupName=name)
    except (client.exceptions.ResourceInUseFault, client.exceptions.ScalingActivityInProgressFault) as error:
        raise Busy(f"group {name} is not ready to go: {error}") from None
    return find(name) is None


def failures(name: str) -> list[str]:
    """Why launches failed, in EC2's words, newest first."""
    found = clients.reader("autoscaling").describe_scaling_activities(
        AutoScalingGroupName=name, MaxRecords=20
    )
    return [
        str(activity.get("StatusMessage") or activity["Description"])
        for activity in found["Activities"]
        if activity["StatusCode"] == "Failed"
    ]


def activities(name: str) -> list[str]:
    """The last things a group did, in words, newest first."""
    found = clients.reader("autoscaling").describe_scaling_activities(
        AutoScalingGroupName=name, MaxRecords=20
    )
    return [
        f"{activity['StatusCode']}: {activity['Description']} {activity.get('StatusMessage', '')}".strip()
        for activity in found["Activities"]
    ]


def _ensure_tagged(group: dict[str, Any], wanted: dict[str, str], fix: str) -> None:
    if not wanted.items() <= tags(group).items():
        name, asked = (
            group["AutoScalingGroupName"],
            ", ".join(f"{key}={value}" for key, value in wanted.items()),
        )
        raise Refusal("service", f"group {name} is not this release's: it has not all of {asked}", fix)


def _policies(name: str) -> list[dict[str, Any]]:
    pages = (
        clients.reader("autoscaling").get_paginator("describe_policies").paginate(AutoScalingGroupName=name)
    )
    return [policy for page in pages for policy in page["ScalingPolicies"]]
