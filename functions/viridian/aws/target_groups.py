"""Elastic Load Balancing: target groups, their health, and their clones."""

from collections.abc import Mapping
from typing import Any

import msgspec

from viridian import leftovers
from viridian.aws import clients, ledger, load_balancer
from viridian.errors import Refusal
from viridian.fence import Fence
from viridian.leftovers import Thing, thing

DNS_FAILOVER = "target_group_health.dns_failover.minimum_healthy_targets"
_OUT_OF_DNS = {f"{DNS_FAILOVER}.count": "off", f"{DNS_FAILOVER}.percentage": "off"}
# What CreateTargetGroup takes of what DescribeTargetGroups shows; the rest is an attribute, or AWS's own.
_CLONED = (
    "Protocol",
    "ProtocolVersion",
    "Port",
    "VpcId",
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
    "TargetType",
    "IpAddressType",
)


Health = dict[str, tuple[str, str]]  # state and reason, by instance id


class TargetGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A target group: its description, attributes and tags as AWS shows them."""

    arn: str
    description: dict[str, Any]
    attributes: dict[str, str]
    tags: dict[str, str]

    def sticky_seconds(self) -> int:
        """How long a client stays with its target; 0 if target stickiness is off."""
        if self.attributes.get("stickiness.enabled") != "true":
            return 0
        return int(self.attributes.get("stickiness.lb_cookie.duration_seconds", 86_400))


def find(arn: str) -> TargetGroup:
    """One target group with its attributes and tags."""
    client = clients.reader("elbv2")
    return TargetGroup(
        arn=arn,
        description=client.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0],
        attributes=attributes(arn),
        tags=load_balancer.tags(arn),
    )


def attributes(arn: str) -> dict[str, str]:
    """The attributes of one target group."""
    found = clients.reader("elbv2").describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    return {attribute["Key"]: attribute["Value"] for attribute in found}


def health(target_group: str) -> Health:
    """Every target as the load balancer sees it; DescribeTargetHealth has no pages (aws-facts E13)."""
    found = clients.reader("elbv2").describe_target_health(TargetGroupArn=target_group)[
        "TargetHealthDescriptions"
    ]
    return {
        target["Target"]["Id"]: (target["TargetHealth"]["State"], target["TargetHealth"].get("Reason", ""))
        for target in found
    }


def healthy(target_group: str) -> int:
    """How many targets are healthy: at least so much capacity, since no instance counts for less than one."""
    return sum(state == "healthy" for state, _ in health(target_group).values())


def everywhere() -> list[dict[str, Any]]:
    """Every target group of the Region, as AWS shows it."""
    pages = clients.reader("elbv2").get_paginator("describe_target_groups").paginate()
    return [group for page in pages for group in page["TargetGroups"]]


def left() -> list[Thing]:
    """Every target group that a release made."""
    tags = load_balancer.tags_of([group["TargetGroupArn"] for group in everywhere()])
    return leftovers.things(thing("target group", arn, told) for arn, told in tags.items())


def serving(
    instance: Mapping[str, Any], groups: list[dict[str, Any]], known: Mapping[str, Health]
) -> str | None:
    """One of these target groups in which an instance is registered, if any.

    EC2 can't tell, so every group that could have it is asked, but the known; one of another VPC takes no such target.
    """
    id_, could_have = instance["InstanceId"], ("instance", instance.get("VpcId"))
    for group in groups:
        arn, has = group["TargetGroupArn"], (group.get("TargetType", "instance"), group.get("VpcId"))
        if has == could_have and id_ in (known.get(arn) or health(arn)):
            return str(group["TargetGroupName"])
    return None


def cross_zone(target_group: TargetGroup, load_balancer: str) -> bool:
    """Whether targets get requests from every zone; the group's own setting beats the load balancer's."""
    key = "load_balancing.cross_zone.enabled"
    setting = target_group.attributes.get(key, "use_load_balancer_configuration")
    if setting not in ("true", "false"):
        client = clients.reader("elbv2")
        found = client.describe_load_balancer_attributes(LoadBalancerArn=load_balancer)["Attributes"]
        setting = next((str(item["Value"]) for item in found if item["Key"] == key), "true")
    return setting == "true"


def find_by_name(name: str) -> str | None:
    """The ARN of the target group of this name."""
    client = clients.reader("elbv2")
    try:
        return str(client.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"])
    except (client.exceptions.TargetGroupNotFoundException, IndexError):
        return None


def make(name: str, like: TargetGroup, wanted_tags: dict[str, str], fence: Fence) -> str:
    """A target group cloned from `like`, or the one that an earlier try made; answers with its ARN.

    Until its first weight it may not take the load balancer out of DNS (aws-facts H1).
    """
    if (found := find_by_name(name)) is None:
        members = {key: like.description[key] for key in _CLONED if like.description.get(key) is not None}
        kept = {key: value for key, value in like.tags.items() if not key.startswith(("aws:", "viridian:"))}
        with ledger.mutation(fence, "CreateTargetGroup", name) as entry:
            made = clients.writer("elbv2").create_target_group(
                Name=name, **members, Tags=load_balancer.tag_list({**kept, **wanted_tags})
            )
            entry.shown = found = str(made["TargetGroups"][0]["TargetGroupArn"])
    elif not wanted_tags.items() <= load_balancer.tags(found).items():
        raise Refusal("service", f"target group {name} exists and is not this release's", "Delete it.")
    set_attributes(found, {**like.attributes, **_OUT_OF_DNS}, fence)
    return found


def leave_dns(target_group: str, fence: Fence) -> None:
    """A group that is about to lose its targets may not take the load balancer out of DNS either."""
    set_attributes(target_group, _OUT_OF_DNS, fence)


def set_attributes(target_group: str, wanted: dict[str, str], fence: Fence) -> None:
    """Sets those attributes of a target group that differ."""
    now = attributes(target_group)
    if change := {key: value for key, value in wanted.items() if now.get(key) != value}:
        with ledger.mutation(fence, "ModifyTargetGroupAttributes", target_group, after=change):
            clients.writer("elbv2").modify_target_group_attributes(
                TargetGroupArn=target_group, Attributes=load_balancer.tag_list(change)
            )


def delete(arn: str, fence: Fence) -> None:
    """Deletes a target group of ours; one that is gone already is fine."""
    if exists(arn):
        with ledger.mutation(fence, "DeleteTargetGroup", arn):
            clients.writer("elbv2").delete_target_group(TargetGroupArn=arn)


def exists(target_group: str) -> bool:
    """Whether a target group is still there."""
    client = clients.reader("elbv2")
    try:
        return bool(client.describe_target_groups(TargetGroupArns=[target_group])["TargetGroups"])
    except client.exceptions.TargetGroupNotFoundException:
        return False
