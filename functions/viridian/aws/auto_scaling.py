"""EC2 Auto Scaling: the groups behind a route, their clones, floors and ends."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from viridian import clone, forecast, leftovers, names, traffic
from viridian.arns import suffix
from viridian.aws import alarms, clients, ledger, target_groups
from viridian.aws.target_groups import Health
from viridian.errors import Busy, Drifted, Refusal
from viridian.fence import Fence
from viridian.fleet import Member, Side, Sizes
from viridian.leftovers import Thing, thing
from viridian.overrides import targets
from viridian.request import Overrides

_AS_BLUE = Overrides()
# What policies of every kind, scheduled actions, refreshes and warm pools all start instances through.
_LAUNCH = "Launch"
# How an instance refresh ends; one that bakes may still be rolled back.
_REFRESHED = ("Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed")
_STANDS = ("InService", "Pending", "Pending:Wait", "Pending:Proceed", "Standby", "EnteringStandby")


def attached(target_group: str) -> dict[str, Any]:
    """The one Auto Scaling group attached to a target group, as AWS shows it; a Refusal if it isn't one."""
    return traffic.find_group(target_group, everywhere())


def of_service(service: str) -> list[dict[str, Any]]:
    """Every group of a service, lent or made by a release, as AWS shows it."""
    return everywhere(Filters=[{"Name": f"tag:{names.SERVICE}", "Values": [service]}])


def everywhere(**narrowed: Any) -> list[dict[str, Any]]:
    """Every Auto Scaling group of the Region, as AWS shows it, unless it is asked for fewer."""
    pages = clients.reader("autoscaling").get_paginator("describe_auto_scaling_groups").paginate(**narrowed)
    return [group for page in pages for group in page["AutoScalingGroups"]]


def left() -> list[Thing]:
    """Every group that a release made."""
    return leftovers.things(
        thing("Auto Scaling group", group["AutoScalingGroupName"], tags(group), group.get("CreatedTime"))
        for group in everywhere()
    )


def find(name: str) -> dict[str, Any] | None:
    """A group by name, as AWS shows it."""
    return by_name(name).get(name)


def by_name(*wanted: str) -> dict[str, dict[str, Any]]:
    """Those of these groups that stand, as AWS shows them."""
    found = clients.reader("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=list(wanted))
    return {group["AutoScalingGroupName"]: dict(group) for group in found["AutoScalingGroups"]}


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
        # An answer without instances says nothing: least of all that nobody is left.
        for instance in group["Instances"]
        if instance["LifecycleState"] in _STANDS
    )
    return Side(target_group=target_group, members=members, **asdict(sizes(group)))


def sizes(group: dict[str, Any]) -> Sizes:
    """How large a group is, and may be."""
    return Sizes(
        group=group["AutoScalingGroupName"],
        minimum=int(group["MinSize"]),
        desired=int(group["DesiredCapacity"]),
        maximum=int(group["MaxSize"]),
    )


def find_sides(target_groups: dict[str, str]) -> dict[str, Side]:
    """Fleets by the names of their groups, each with its target group; a group that is gone is left out."""
    return {name: side(group, target_groups[name]) for name, group in by_name(*target_groups).items()}


def instance_types(group: Mapping[str, Any]) -> dict[str, int]:
    """How many instances of each type a group has."""
    return dict(Counter(instance["InstanceType"] for instance in group.get("Instances", [])))


def limits() -> tuple[int, int]:
    """How many groups the account has in the Region, and how many it may have."""
    found = clients.reader("autoscaling").describe_account_limits()
    return int(found["NumberOfAutoScalingGroups"]), int(found["MaxNumberOfAutoScalingGroups"])


def tags(group: dict[str, Any]) -> dict[str, str]:
    """A group's tags."""
    return names.tags_on(group)


def ensure_clonable(
    group: dict[str, Any], policies: list[dict[str, Any]], target_group: str, service: str
) -> None:
    """Refuses a group that green couldn't be like: each refusal has its reason in docs/clone.md."""
    name, operator = group["AutoScalingGroupName"], group.get("Operator", {}).get("Principal")
    sources = [source["Identifier"] for source in group.get("TrafficSources", [])]
    others = {*group.get("TargetGroupARNs", []), *sources} - {target_group}
    clone.ensure_runs(group)
    clone.ensure_carried(
        name,
        {
            "another target group or traffic source": sorted(others),
            "a Classic Load Balancer": group.get("LoadBalancerNames", []),
            "an operator": [operator] if operator else [],
        },
    )
    forecast.ensure_shared(policies, (name, suffix(target_group)), name, service)


def make_green(
    name: str,
    blue_name: str,
    version: str,
    target_group: str,
    need: int,
    tags: dict[str, str],
    fence: Fence,
    fleet: Overrides = _AS_BLUE,
) -> dict[str, Any]:
    """Green's group: blue's clone on its own target group, at the need from the first hour; an earlier try's is kept.

    While the release runs its MaxSize is blue's at least, since so far the need may rise. Answers with blue's group.
    """
    standing = by_name(blue_name, name)
    if (blue := standing.get(blue_name)) is None:
        raise Drifted(f"blue's group {blue_name} is gone")
    if (found := standing.get(name)) is None:
        hooks = clients.reader("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=blue_name)
        with ledger.mutation(
            fence, "CreateAutoScalingGroup", name, after={"MinSize": need, "DesiredCapacity": need}
        ):
            clients.writer("autoscaling").create_auto_scaling_group(
                AutoScalingGroupName=name,
                **clone.members(blue, version, fleet.instance_types),
                MinSize=need,
                DesiredCapacity=need,
                MaxSize=max(int(blue["MaxSize"]), fleet.max_size or 0),
                TargetGroupARNs=[target_group],
                Tags=clone.tags(blue, tags, name),
                LifecycleHookSpecificationList=clone.hooks(hooks["LifecycleHooks"]),
            )
    else:
        _ensure_tagged(found, tags, "It stands where green is to be made: delete it.")
    return blue


def copy_metrics(name: str, blue: dict[str, Any], fence: Fence) -> None:
    """Blue's group metrics on green."""
    wanted = clone.metrics(blue)
    if wanted and (missing := sorted(set(wanted) - set(clone.metrics(find(name) or {})))):
        with ledger.mutation(fence, "EnableMetricsCollection", name, after=missing):
            clients.writer("autoscaling").enable_metrics_collection(
                AutoScalingGroupName=name, Metrics=missing, Granularity="1Minute"
            )


def copy_policies(
    name: str, blue: list[dict[str, Any]], swap: dict[str, str], fence: Fence, fleet: Overrides = _AS_BLUE
) -> None:
    """Blue's scaling policies on green, at the targets that are asked for; one that is there already is left."""
    standing = {policy["PolicyName"] for policy in policies(name)} if blue else set()
    for policy in clone.policies(blue, swap, targets(fleet)):
        if policy["PolicyName"] not in standing:
            with ledger.mutation(fence, "PutScalingPolicy", f"{name}/{policy['PolicyName']}"):
                clients.writer("autoscaling").put_scaling_policy(AutoScalingGroupName=name, **policy)


def copy_notifications(name: str, blue: str, fence: Fence) -> None:
    """Who is told of blue is told of green."""
    told = _notifications(blue)
    standing = _notifications(name) if told else {}
    for topic, types in told.items():
        if standing.get(topic) != types:
            with ledger.mutation(fence, "PutNotificationConfiguration", name, after={topic: types}):
                clients.writer("autoscaling").put_notification_configuration(
                    AutoScalingGroupName=name, TopicARN=topic, NotificationTypes=types
                )


def copy_suspensions(name: str, blue: dict[str, Any], fence: Fence) -> None:
    """What blue's owner has suspended is suspended on green."""
    resting = clone.resting(blue)
    if resting and (missing := sorted(set(resting) - set(clone.suspended(find(name) or {})))):
        with ledger.mutation(fence, "SuspendProcesses", name, after=missing):
            clients.writer("autoscaling").suspend_processes(
                AutoScalingGroupName=name, ScalingProcesses=missing
            )


def copy_schedule(name: str, blue: str, now: datetime, fence: Fence) -> None:
    """Blue's scheduled actions on green; one that is there already is left."""
    wanted = clone.actions(scheduled(blue), now)
    standing = {action["ScheduledActionName"] for action in scheduled(name)} if wanted else set()
    for action in wanted:
        if action["ScheduledActionName"] not in standing:
            resource = f"{name}/{action['ScheduledActionName']}"
            with ledger.mutation(fence, "PutScheduledUpdateGroupAction", resource):
                clients.writer("autoscaling").put_scheduled_update_group_action(
                    AutoScalingGroupName=name, **action
                )


def copy_warm_pool(name: str, blue: dict[str, Any], fence: Fence) -> None:
    """A warm pool beside green, as beside blue."""
    pool = clone.warm_pool(blue)
    if pool and clone.warm_pool(find(name) or {}) != pool:
        with ledger.mutation(fence, "PutWarmPool", name, after=pool):
            clients.writer("autoscaling").put_warm_pool(AutoScalingGroupName=name, **pool)


def set_minimum(side: Sizes, minimum: int, fence: Fence) -> None:
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


def lower_maximum(side: Side, maximum: int, fence: Fence) -> None:
    """Sets a group's ceiling, if that is lower than it was; AWS would scale in what is above, so never below that."""
    wanted = max(maximum, side.desired)
    if wanted < side.maximum:
        before, after = {"MaxSize": side.maximum}, {"MaxSize": wanted}
        with ledger.mutation(
            fence, "UpdateAutoScalingGroup", side.group, before=before, after=after
        ) as entry:
            clients.writer("autoscaling").update_auto_scaling_group(
                AutoScalingGroupName=side.group, MaxSize=wanted
            )
            entry.shown = {"MaxSize": int((find(side.group) or {}).get("MaxSize", -1))}


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
    """Scales a group that carries these tags in to nothing: its instances drain and terminate.

    With a release's own tags it is for good; without them the group may be brought back, with all that hangs on it, and
    launches nothing until then.
    """
    group = find(name)
    if group:
        _ensure_tagged(group, tags, "Scale it in by hand.")
        if names.RELEASE in tags:
            _take_back(tags, group, fence)
        else:
            _suspend_launches(group, fence)
        _unprotect(group, fence)
    if group and (int(group["MinSize"]) or int(group["DesiredCapacity"])):
        with ledger.mutation(
            fence, "UpdateAutoScalingGroup", name, after={"MinSize": 0, "DesiredCapacity": 0}
        ):
            clients.writer("autoscaling").update_auto_scaling_group(
                AutoScalingGroupName=name, MinSize=0, DesiredCapacity=0
            )


def resume_launches(name: str, fence: Fence) -> None:
    """Lets a group launch again that was emptied to be brought back."""
    if _LAUNCH in clone.suspended(find(name) or {}):
        with ledger.mutation(fence, "ResumeProcesses", name, before=[_LAUNCH]) as entry:
            clients.writer("autoscaling").resume_processes(
                AutoScalingGroupName=name, ScalingProcesses=[_LAUNCH]
            )
            entry.shown = clone.suspended(find(name) or {})
        if _LAUNCH in entry.shown:
            raise Busy(f"{name} shows its launches suspended: they are resumed again unless that is late")
    ledger.note(fence, launches_suspended=False)


def delete(name: str, tags: dict[str, str], fence: Fence) -> bool:
    """Deletes an empty group that carries our tags, never by force; answers whether it is gone (aws-facts A4).

    Its warm pool goes before it, which may take minutes.
    """
    group = find(name)
    if group is None:
        return True
    if group["Instances"] or group.get("Status"):
        return False
    _ensure_tagged(group, tags, "Delete it by hand.")
    client = clients.writer("autoscaling")
    try:
        _delete_warm_pool(group, fence)
        if (find(name) or {}).get("WarmPoolConfiguration"):
            return False
        with ledger.mutation(fence, "DeleteAutoScalingGroup", name):
            client.delete_auto_scaling_group(AutoScalingGroupName=name)
    except (client.exceptions.ResourceInUseFault, client.exceptions.ScalingActivityInProgressFault) as error:
        raise Busy(f"group {name} is not ready to go: {error}") from None
    return find(name) is None


def refresh(name: str) -> str | None:
    """The status of an instance refresh that is not over; a group has one at a time."""
    found = clients.reader("autoscaling").describe_instance_refreshes(AutoScalingGroupName=name)
    going = (str(each["Status"]) for each in found["InstanceRefreshes"] if each["Status"] not in _REFRESHED)
    return next(going, None)


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


def _take_back(tags: dict[str, str], group: dict[str, Any], fence: Fence) -> None:
    """What a release gave its group goes first: alarms would scale it out again, a warm pool would keep its instances."""
    alarms.delete(alarms.scaling(tags[names.SERVICE], tags[names.RELEASE]), fence)
    _delete_warm_pool(group, fence)


def _suspend_launches(group: dict[str, Any], fence: Fence) -> None:
    """Nothing that hangs on a group at zero may start an instance; noted first, and only if its owner has not done it."""
    name = group["AutoScalingGroupName"]
    if _LAUNCH not in clone.suspended(group):
        with ledger.mutation(
            fence, "SuspendProcesses", name, after=[_LAUNCH], launches_suspended=True
        ) as entry:
            clients.writer("autoscaling").suspend_processes(
                AutoScalingGroupName=name, ScalingProcesses=[_LAUNCH]
            )
            entry.shown = clone.suspended(find(name) or {})
        if _LAUNCH not in entry.shown:
            raise Busy(f"{name} shows its launches not suspended: they are again unless that is late")


def _unprotect(group: dict[str, Any], fence: Fence) -> None:
    """Protected instances would stay for ever; AWS takes fifty at a time (aws-facts A9)."""
    held = [each["InstanceId"] for each in group["Instances"] if each.get("ProtectedFromScaleIn")]
    for start in range(0, len(held), 50):
        name, some = group["AutoScalingGroupName"], held[start : start + 50]
        with ledger.mutation(fence, "SetInstanceProtection", name, after=some):
            clients.writer("autoscaling").set_instance_protection(
                AutoScalingGroupName=name, InstanceIds=some, ProtectedFromScaleIn=False
            )


def _delete_warm_pool(group: dict[str, Any], fence: Fence) -> None:
    """Lets a warm pool go, which takes as long as its instances take; without force, as with the group itself."""
    pool = group.get("WarmPoolConfiguration")
    if pool and not pool.get("Status"):
        with ledger.mutation(fence, "DeleteWarmPool", group["AutoScalingGroupName"]):
            clients.writer("autoscaling").delete_warm_pool(AutoScalingGroupName=group["AutoScalingGroupName"])


def policies(name: str) -> list[dict[str, Any]]:
    """A group's scaling policies, each with the alarms that drive it."""
    pages = (
        clients.reader("autoscaling").get_paginator("describe_policies").paginate(AutoScalingGroupName=name)
    )
    return [policy for page in pages for policy in page["ScalingPolicies"]]


def scheduled(name: str) -> list[dict[str, Any]]:
    """A group's scheduled actions, each with its next time."""
    pages = (
        clients.reader("autoscaling")
        .get_paginator("describe_scheduled_actions")
        .paginate(AutoScalingGroupName=name)
    )
    return [action for page in pages for action in page["ScheduledUpdateGroupActions"]]


def _notifications(name: str) -> dict[str, list[str]]:
    pages = (
        clients.reader("autoscaling")
        .get_paginator("describe_notification_configurations")
        .paginate(AutoScalingGroupNames=[name])
    )
    return clone.notifications([each for page in pages for each in page["NotificationConfigurations"]])
