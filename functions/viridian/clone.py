"""What green takes over from blue: every member of CreateAutoScalingGroup is carried, set by the release, or left out for a reason."""

from collections.abc import Mapping, Sequence
from typing import Any

from viridian.errors import Refusal
from viridian.overrides import Setup

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
)
LEFT = {
    "LaunchConfigurationName": "a group without a launch template is refused",
    "InstanceId": "it would copy one instance, not the group",
    "AvailabilityZones": "the subnets name the zones",
    "AvailabilityZoneIds": "the subnets name the zones",
    "LoadBalancerNames": "Classic Load Balancers have no weights",
    "TrafficSources": "the target group is attached by TargetGroupARNs (aws-facts A2)",
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
_POLICY = ("PolicyName", "PolicyType", "EstimatedInstanceWarmup", "TargetTrackingConfiguration", "Enabled")


def members(blue: Mapping[str, Any], version: str, types: Sequence[str] = ()) -> dict[str, Any]:
    """Blue's own settings as CreateAutoScalingGroup takes them, launching this version of blue's launch template.

    With `types` green is a mixed group of these, each as blue has it.
    """
    carried = {name: blue[name] for name in CARRIED if blue.get(name) not in (None, "", [], {})}
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
    return [{key: hook[key] for key in _HOOK if hook.get(key) not in (None, "")} for hook in found]


def policies(
    found: Sequence[Mapping[str, Any]], label: str, targets: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Target tracking policies as PutScalingPolicy takes them, with the resource label of green's own target group.

    `targets` are the values that some of them, by name, are to have instead of blue's.
    """
    copies = []
    for policy in found:
        copy = {key: policy[key] for key in _POLICY if policy.get(key) not in (None, "")}
        tracking = dict(copy["TargetTrackingConfiguration"])
        if "ResourceLabel" in (metric := tracking.get("PredefinedMetricSpecification", {})):
            tracking["PredefinedMetricSpecification"] = {**metric, "ResourceLabel": label}
        tracking["TargetValue"] = (targets or {}).get(copy["PolicyName"], tracking["TargetValue"])
        copies.append({**copy, "TargetTrackingConfiguration": tracking})
    return copies


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
