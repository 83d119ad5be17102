"""Elastic Load Balancing: load balancers themselves, where a service has one for each of its sides."""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from viridian.aws import clients
from viridian.errors import Drifted


class Balancer(msgspec.Struct, frozen=True, kw_only=True):
    """A load balancer: `zone` is the hosted zone of its own name, `target_groups` are all that it forwards to."""

    arn: str
    name: str
    dns_name: str
    zone: str
    target_groups: tuple[str, ...]


def by_name(dns_names: Collection[str]) -> dict[str, Balancer]:
    """The load balancers with these DNS names, in lower case; who isn't found is none of this account and Region."""
    found = {str(each["DNSName"]).lower(): each for each in _all()} if any(dns_names) else {}
    return {name: _balancer(found[name]) for name in dns_names if name in found}


def of(target_group: str) -> Balancer:
    """The load balancer that forwards to a target group; raises Drifted if none does."""
    client = clients.reader("elbv2")
    groups = client.describe_target_groups(TargetGroupArns=[target_group])["TargetGroups"]
    arns = [arn for group in groups for arn in group["LoadBalancerArns"]]
    if not arns:
        raise Drifted(f"no load balancer forwards to {target_group}")
    return _balancer(client.describe_load_balancers(LoadBalancerArns=arns[:1])["LoadBalancers"][0])


def _balancer(told: dict[str, Any]) -> Balancer:
    client = clients.reader("elbv2")
    groups = client.describe_target_groups(LoadBalancerArn=told["LoadBalancerArn"])["TargetGroups"]
    return Balancer(
        arn=told["LoadBalancerArn"],
        name=told["LoadBalancerName"],
        dns_name=told["DNSName"],
        zone=told["CanonicalHostedZoneId"],
        target_groups=tuple(group["TargetGroupArn"] for group in groups),
    )


def _all() -> Iterator[dict[str, Any]]:
    pages = clients.reader("elbv2").get_paginator("describe_load_balancers").paginate()
    return (dict(balancer) for page in pages for balancer in page["LoadBalancers"])
