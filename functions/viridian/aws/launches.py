"""EC2 and IAM: what instances are launched with, their types, security groups and instance profiles."""

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from viridian.aws import clients
from viridian.relaxations import Ingress


def types(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What EC2 says of these instance types; those that this Region hasn't are left out."""
    found = _all("describe_instance_types", "InstanceTypes", "instance-type", names)
    return {str(each["InstanceType"]): each for each in found}


def networks(groups: Sequence[str]) -> dict[str, str]:
    """The VPC of each of these security groups; those that don't exist are left out."""
    found = _all("describe_security_groups", "SecurityGroups", "group-id", groups)
    return {str(each["GroupId"]): str(each["VpcId"]) for each in found}


def ingress(groups: Sequence[str]) -> tuple[Ingress, ...]:
    """Whom these security groups let in."""
    return tuple(
        Ingress(
            group=rule["GroupId"],
            protocol=rule["IpProtocol"],
            source=_source(rule),
            low=rule.get("FromPort", -1),
            high=rule.get("ToPort", -1),
        )
        for rule in _all("describe_security_group_rules", "SecurityGroupRules", "group-id", groups)
        if not rule["IsEgress"]
    )


def role(profile: str) -> str | None:
    """The ARN of the role in an instance profile; None if there is no such profile, or no role in it."""
    if not profile:
        return None
    try:
        found = clients.reader("iam").get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchEntity":
            return None
        raise
    return next((str(each["Arn"]) for each in found["Roles"]), None)


def _all(call: str, key: str, name: str, values: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What EC2 has of these, by a filter: what isn't there is then no error."""
    if values:
        filters = [{"Name": name, "Values": list(values)}]
        for page in clients.reader("ec2").get_paginator(call).paginate(Filters=filters):
            yield from page[key]


def _source(rule: dict[str, Any]) -> str:
    group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return str(rule.get("CidrIpv4") or rule.get("CidrIpv6") or group or rule.get("PrefixListId"))
