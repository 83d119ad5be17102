"""What green takes over from blue: every member of CreateAutoScalingGroup is carried, set by the release, or left out for a reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from viridian.errors import Refusal
from viridian.overrides import Setup
from viridian.plan import LaunchTemplate

CARRIED = (
    "MixedInstancesPolicy",
    "DefaultCooldown",
    "VPCZoneIdentifier",
    "HealthCheckType",
    "HealthCheckGracePeriod",
    "TerminationPolicies",
    "NewInstancesProtectedFromScaleIn",
    "CapacityRebalance",
    "ServiceLinkedRoleARN",
    "MaxInstanceLifetime",
    "DesiredCapacityType",
    "DefaultInstanceWarmup",
    "InstanceMaintenancePolicy",
    "AvailabilityZoneDistribution",
    "AvailabilityZoneImpairmentPolicy",
    "SkipZonalShiftValidation",
    "CapacityReservationSpecification",
    "InstanceLifecyclePolicy",
    "PlacementGroup",
    "Context",
)
SET = (
    "AutoScalingGroupName",
    "LaunchTemplate",
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
    "TargetGroupARNs",
    "Tags",
    "LifecycleHookSpecificationList",
    "AvailabilityZones",
)
LEFT = {
    "LaunchConfigurationName": "a group without a launch template is refused",
    "InstanceId": "it would copy one instance, not the group",
    "AvailabilityZoneIds": "the subnets, or else the names, say the zones",
    "LoadBalancerNames": "a group with a Classic Load Balancer is refused: it has no weights",
    "TrafficSources": "a group with more than its target group is refused; that one is attached by TargetGroupARNs (aws-facts A2)",
    "Operator": "a group that another service operates is refused",
    "DeletionProtection": "green must be deletable until it is promoted",
}
_DEFAULT_ROLE = "/AWSServiceRoleForAutoScaling"
_HOOK = (
    "LifecycleHookName",
    "LifecycleTransition",
    "NotificationMetadata",
    "HeartbeatTimeout",
    "DefaultResult",
    "NotificationTargetARN",
    "RoleARN",
)
_POLICY = (
    "PolicyName",
    "PolicyType",
    "AdjustmentType",
    "MinAdjustmentStep",
    "MinAdjustmentMagnitude",
    "ScalingAdjustment",
    "Cooldown",
    "MetricAggregationType",
    "StepAdjustments",
    "EstimatedInstanceWarmup",
    "TargetTrackingConfiguration",
    "PredictiveScalingConfiguration",
    "Enabled",
)
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_ALARM = (
    *_ACTIONS,
    "AlarmDescription",
    "ActionsEnabled",
    "ActionConfiguration",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
    "Metrics",
    "EvaluationPeriods",
    "EvaluationInterval",
    "EvaluationWindow",
    "EvaluationCriteria",
    "WarmUpConfiguration",
    "DatapointsToAlarm",
    "Threshold",
    "ThresholdMetricId",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
)
_SCHEDULED = (
    "ScheduledActionName",
    "StartTime",
    "EndTime",
    "Recurrence",
    "TimeZone",
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
)
_WARM_POOL = ("MaxGroupPreparedCapacity", "MinSize", "PoolState", "InstanceReusePolicy")
_DRIVEN_BY_ALARMS = ("StepScaling", "SimpleScaling")  # target tracking makes its alarms itself
# Without these a release goes on; without any other it can't come up, or back.
_MAY_REST = (
    "AZRebalance",
    "AlarmNotification",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)
_DOES_NOTHING = "RemoveFromLoadBalancerLowPriority"  # any more, but AWS still shows it
# Where a setting may name its own group, target group or policies.
_NAMING = ("Value", "ResourceLabel", *_ACTIONS)


def members(blue: Mapping[str, Any], version: str, types: Sequence[str] = ()) -> dict[str, Any]:
    """Blue's own settings as CreateAutoScalingGroup takes them, launching this version of blue's launch template.

    With `types` green is a mixed group of these, each as blue has it.
    """
    carried = _given(blue, CARRIED)
    if "VPCZoneIdentifier" not in carried:
        carried |= _given(blue, ("AvailabilityZones",))
    if carried.get("ServiceLinkedRoleARN", "").endswith(_DEFAULT_ROLE):
        del carried["ServiceLinkedRoleARN"]  # AWS uses it anyway; naming it would need iam:PassRole on it
    if types:
        carried["MixedInstancesPolicy"] = _mixed(blue, types)
    if "MixedInstancesPolicy" not in carried:
        return {**carried, "LaunchTemplate": _versioned(blue["LaunchTemplate"], version)}
    mixed = dict(carried["MixedInstancesPolicy"])
    template = dict(mixed["LaunchTemplate"])
    template["LaunchTemplateSpecification"] = _versioned(template["LaunchTemplateSpecification"], version)
    return {**carried, "MixedInstancesPolicy": {**mixed, "LaunchTemplate": template}}


def _mixed(blue: Mapping[str, Any], types: Sequence[str]) -> dict[str, Any]:
    policy = blue.get("MixedInstancesPolicy", {})
    template = policy.get("LaunchTemplate", {"LaunchTemplateSpecification": blue.get("LaunchTemplate")})
    known = {each.get("InstanceType"): each for each in template.get("Overrides", [])}
    chosen = [known.get(name, {"InstanceType": name}) for name in types]
    return {**policy, "LaunchTemplate": {**template, "Overrides": chosen}}


def setup(blue: Mapping[str, Any], template: dict[str, Any], policies: Sequence[Mapping[str, Any]]) -> Setup:
    """What a group launches from and how it scales, given its launch template version and its scaling policies."""
    mixed = blue.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get("Overrides", [])
    tracking = (policy for policy in policies if policy["PolicyType"] == "TargetTrackingScaling")
    return Setup(
        template=template,
        types=tuple(each["InstanceType"] for each in mixed if "InstanceType" in each),
        weighted=any("WeightedCapacity" in each for each in mixed),
        minimum=int(blue["MinSize"]),
        maximum=int(blue["MaxSize"]),
        targets={p["PolicyName"]: float(p["TargetTrackingConfiguration"]["TargetValue"]) for p in tracking},
    )


def metrics(blue: Mapping[str, Any]) -> list[str]:
    """The group metrics that blue publishes."""
    return [metric["Metric"] for metric in blue.get("EnabledMetrics", [])]


def launch_template(blue: Mapping[str, Any]) -> Mapping[str, Any]:
    """The launch template that blue's group launches from; a Refusal if it has none."""
    mixed = blue.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    if any("LaunchTemplateSpecification" in override for override in mixed.get("Overrides", [])):
        raise Refusal(
            "route", f"{_name(blue)} has a launch template per instance type", "Use one for all of them."
        )
    found = mixed.get("LaunchTemplateSpecification") or blue.get("LaunchTemplate")
    if not found:
        raise Refusal(
            "route", f"{_name(blue)} has no launch template", "Move the group to a launch template."
        )
    return dict(found)


def launches(group: Mapping[str, Any]) -> LaunchTemplate:
    """The same as a plan has it, the version as the group names it."""
    found = launch_template(group)
    return LaunchTemplate(template=found["LaunchTemplateId"], version=str(found.get("Version", "$Default")))


def tags(blue: Mapping[str, Any], ours: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    """Blue's tags and, over them, those of the release; all reach the instances as blue's do, ours always."""
    kept = {
        tag["Key"]: (tag["Value"], bool(tag.get("PropagateAtLaunch", False)))
        for tag in blue.get("Tags", [])
        if not tag["Key"].startswith(("aws:", "viridian:"))
    }
    merged = {**kept, **{key: (value, True) for key, value in ours.items()}}
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": k,
            "Value": v,
            "PropagateAtLaunch": p,
        }
        for k, (v, p) in merged.items()
    ]


def hooks(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lifecycle hooks as they are given at creation, so that the first instances have them too (aws-facts A11)."""
    return [_given(hook, _HOOK) for hook in found]


def policies(
    found: Sequence[Mapping[str, Any]], swap: Mapping[str, str], targets: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Scaling policies as PutScalingPolicy takes them, with green's names in the place of blue's (aws-facts A15).

    `targets` are the values that some that track a target, by name, are to have instead of blue's.
    """
    copies: list[dict[str, Any]] = [_swapped(_given(policy, _POLICY), swap) for policy in found]
    for copy in copies:
        if "MinAdjustmentMagnitude" in copy:
            copy.pop("MinAdjustmentStep", None)  # its old name; both at once are refused
        if (target := (targets or {}).get(copy["PolicyName"])) is not None:
            copy["TargetTrackingConfiguration"]["TargetValue"] = target
    return copies


def driving(found: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The alarms that drive a group's step and simple policies, and what tells them apart: their policy and a number."""
    told: dict[str, str] = {}
    for policy in found:
        if policy["PolicyType"] in _DRIVEN_BY_ALARMS:
            for number, alarm in enumerate(sorted(a["AlarmName"] for a in policy.get("Alarms", [])), start=1):
                told.setdefault(alarm, f"{policy['PolicyName']}-{number}")
    return told


def alarm(found: Mapping[str, Any], swap: Mapping[str, str]) -> dict[str, Any]:
    """An alarm as PutMetricAlarm takes it, on green's metrics and policies; what it does to other groups it does once."""
    acts = {
        key: [action for action in found.get(key, []) if action in swap or ":scalingPolicy:" not in action]
        for key in _ACTIONS
    }
    copy: dict[str, Any] = _swapped(_given({**found, **acts}, _ALARM), swap)
    return copy


def actions(found: Sequence[Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Scheduled actions that still lie ahead, as PutScheduledUpdateGroupAction takes them: never with a start in the past."""
    soon = now + timedelta(minutes=1)
    copies = []
    for copy in (_given(action, _SCHEDULED) for action in found):
        passed = copy.get("StartTime", now) <= soon
        over = "EndTime" in copy and copy["EndTime"] <= soon
        if passed:
            copy.pop("StartTime", None)
        if not over and ("Recurrence" in copy or not passed):
            copies.append(copy)
    return copies


def falls_inside(found: Sequence[Mapping[str, Any]], since: datetime, until: datetime) -> tuple[str, ...]:
    """What a release should know of blue's scheduled actions: AWS shows of each when it comes next."""
    return tuple(
        f"scheduled action {action['ScheduledActionName']} of {action['AutoScalingGroupName']} falls inside, at"
        f" {action['StartTime']:%Y-%m-%dT%H:%MZ}: what it sets below the floor is raised again, and green gets"
        " it with its next time"
        for action in found
        if action.get("StartTime") and since <= action["StartTime"] <= until
    )


def notifications(found: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What each topic is told of a group."""
    told: dict[str, list[str]] = {}
    for each in found:
        told.setdefault(each["TopicARN"], []).append(each["NotificationType"])
    return {topic: sorted(types) for topic, types in told.items()}


def warm_pool(blue: Mapping[str, Any]) -> dict[str, Any]:
    """Blue's warm pool as PutWarmPool takes it; nothing if it has none, or one that is being deleted."""
    pool = blue.get("WarmPoolConfiguration") or {}
    return {} if pool.get("Status") else _given(pool, _WARM_POOL)


def suspended(group: Mapping[str, Any]) -> list[str]:
    """The processes that somebody suspended."""
    names = {process["ProcessName"] for process in group.get("SuspendedProcesses", [])}
    return sorted(names - {_DOES_NOTHING})


def resting(group: Mapping[str, Any]) -> list[str]:
    """Those of them that a release goes on without: what somebody suspends later may be another."""
    return [process for process in suspended(group) if process in _MAY_REST]


def ensure_runs(group: Mapping[str, Any]) -> None:
    """Refuses a group that can't launch, register or end instances, or whose size isn't told in what instances count for."""
    if held := sorted(set(suspended(group)) - set(_MAY_REST)):
        raise Refusal(
            "route",
            f"{_name(group)} has suspended {', '.join(held)}",
            "Resume it: neither green nor a way back to blue could do without.",
        )
    if (unit := group.get("DesiredCapacityType") or "units") != "units":
        raise Refusal(
            "route",
            f"{_name(group)} has its size in {unit}",
            'Use DesiredCapacityType "units" with weights: AWS then shows what each instance counts for.',
        )


def ensure_carried(group: str, found: Mapping[str, Sequence[str]]) -> None:
    """Refuses what hangs on blue's group and would silently be missing on green's; `found` is names by kind."""
    for kind, present in found.items():
        if present:
            raise Refusal(
                "route",
                f"blue's group {group} has {kind}: {', '.join(present)}",
                "Green would lack it: take it off the group before a release.",
            )


def _versioned(specification: Mapping[str, Any], version: str) -> dict[str, str]:
    return {"LaunchTemplateId": specification["LaunchTemplateId"], "Version": version}


def _name(blue: Mapping[str, Any]) -> str:
    return f"group {blue['AutoScalingGroupName']}"


def _given(found: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: found[name] for name in names if found.get(name) not in (None, "", [], {})}


def _swapped(value: Any, swap: Mapping[str, str], key: str = "") -> Any:
    """A setting with green's names in the place of blue's, wherever it may name its own."""
    if isinstance(value, Mapping):
        return {name: _swapped(part, swap, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_swapped(part, swap, key) for part in value]
    return swap.get(value, value) if key in _NAMING else value
