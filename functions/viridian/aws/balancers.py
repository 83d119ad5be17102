"""Elastic Load Balancing: load balancers themselves, and their clones, where each side of a service has one of its own."""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from viridian import balancer, leftovers
from viridian.aws import clients, ledger, load_balancer
from viridian.balancer import Listening, Shape
from viridian.errors import Drifted, Refusal
from viridian.fence import Fence
from viridian.leftovers import Thing, thing


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


def count() -> int:
    """How many Application Load Balancers the Region has."""
    return sum(each["Type"] == "application" for each in _all())


def before(target_group: str) -> str:
    """The ARN of the load balancer that forwards to a target group; raises Drifted if none does."""
    client = clients.reader("elbv2")
    groups = client.describe_target_groups(TargetGroupArns=[target_group])["TargetGroups"]
    arns = [str(arn) for group in groups for arn in group["LoadBalancerArns"]]
    if not arns:
        raise Drifted(f"no load balancer forwards to {target_group}")
    return arns[0]


def of(target_group: str) -> Balancer:
    """The same load balancer, with all that it forwards to."""
    return _balancer(_told(before(target_group)))


def left() -> list[Thing]:
    """Every load balancer that a release made."""
    arns = [str(each["LoadBalancerArn"]) for each in _all() if each["Type"] == "application"]
    told = load_balancer.tags_of(arns)
    return leftovers.things(thing("load balancer", arn, tags) for arn, tags in told.items())


def groups_of(arn: str) -> tuple[str, ...]:
    """The target groups that a load balancer forwards to."""
    client = clients.reader("elbv2")
    try:
        found = client.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
    except client.exceptions.TargetGroupNotFoundException:  # how AWS may say that there is none
        return ()
    return tuple(str(group["TargetGroupArn"]) for group in found)


def shape(arn: str) -> Shape:
    """A load balancer with all that hangs on it."""
    client = clients.reader("elbv2")
    capacity = client.describe_capacity_reservation(LoadBalancerArn=arn)
    acl = clients.reader("wafv2").get_web_acl_for_resource(ResourceArn=arn).get("WebACL")
    return Shape(
        description=_told(arn),
        attributes=_pairs(client.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]),
        tags=load_balancer.tags(arn),
        listeners=tuple(_listening(listener) for listener in load_balancer.listeners_of(arn)),
        web_acl=str(acl["ARN"]) if acl else None,
        reserved=int((capacity.get("MinimumLoadBalancerCapacity") or {}).get("CapacityUnits", 0)),
    )


def make(name: str, like: Shape, target_group: str, tags: dict[str, str], fence: Fence) -> str:
    """A load balancer cloned from `like` that forwards to one target group, or what is missing of an earlier try's.

    Answers with its ARN.
    """
    found = find_by_name(name)
    if found is None:
        asked = balancer.create(like, name, tags)
        with ledger.mutation(fence, "CreateLoadBalancer", name) as entry:
            answer = clients.writer("elbv2").create_load_balancer(
                **{**asked, "Tags": load_balancer.tag_list(asked["Tags"])}
            )
            entry.shown = found = str(answer["LoadBalancers"][0]["LoadBalancerArn"])
    elif not tags.items() <= load_balancer.tags(found).items():
        raise Refusal("service", f"load balancer {name} exists and is not this release's", "Delete it.")
    _set_attributes(found, balancer.attributes(like), fence)
    standing = {
        (each["Protocol"], each["Port"]): str(each["ListenerArn"])
        for each in load_balancer.listeners_of(found)
    }
    for listening in like.listeners:
        told = listening.description
        arn = standing.get((told["Protocol"], told["Port"]))
        _fill(
            arn or _make_listener(found, listening, target_group, tags, fence),
            listening,
            target_group,
            tags,
            fence,
        )
    _protect(found, like.web_acl, fence)
    return found


def find_by_name(name: str) -> str | None:
    """The ARN of the load balancer of this name."""
    client = clients.reader("elbv2")
    try:
        return str(client.describe_load_balancers(Names=[name])["LoadBalancers"][0]["LoadBalancerArn"])
    except (client.exceptions.LoadBalancerNotFoundException, IndexError):
        return None


def standing(arn: str) -> str | None:
    """The same ARN, while its load balancer is there."""
    client = clients.reader("elbv2")
    try:
        return arn if client.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"] else None
    except client.exceptions.LoadBalancerNotFoundException:
        return None


def entry(arn: str) -> tuple[str, str]:
    """The name by which a load balancer is reached, and its state: until it takes requests, the name may lead nowhere."""
    told = _told(arn)
    return str(told["DNSName"]), str(told["State"]["Code"])


def delete(arn: str, fence: Fence) -> None:
    """Deletes a load balancer of ours with its listeners and rules; one that is gone already is fine."""
    if standing(arn) is not None:
        _set_attributes(arn, {balancer.PROTECTION: "false"}, fence)
        with ledger.mutation(fence, "DeleteLoadBalancer", arn):
            clients.writer("elbv2").delete_load_balancer(LoadBalancerArn=arn)


def _set_attributes(arn: str, wanted: dict[str, str], fence: Fence) -> None:
    now = _pairs(clients.reader("elbv2").describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
    if change := {key: value for key, value in wanted.items() if now.get(key) != value}:
        with ledger.mutation(fence, "ModifyLoadBalancerAttributes", arn, after=change):
            clients.writer("elbv2").modify_load_balancer_attributes(
                LoadBalancerArn=arn, Attributes=load_balancer.tag_list(change)
            )


def _make_listener(arn: str, like: Listening, target_group: str, tags: dict[str, str], fence: Fence) -> str:
    asked = balancer.listener(like, target_group, tags)
    with ledger.mutation(fence, "CreateListener", arn) as entry:
        made = clients.writer("elbv2").create_listener(
            LoadBalancerArn=arn, **{**asked, "Tags": load_balancer.tag_list(asked["Tags"])}
        )
        entry.shown = str(made["Listeners"][0]["ListenerArn"])
    return str(entry.shown)


def _fill(arn: str, like: Listening, target_group: str, tags: dict[str, str], fence: Fence) -> None:
    """Gives a listener of green's what it lacks of blue's: attributes, further certificates, rules."""
    reader, writer = clients.reader("elbv2"), clients.writer("elbv2")
    now = _pairs(reader.describe_listener_attributes(ListenerArn=arn)["Attributes"])
    if change := {key: value for key, value in like.attributes.items() if now.get(key) != value}:
        with ledger.mutation(fence, "ModifyListenerAttributes", arn, after=change):
            writer.modify_listener_attributes(ListenerArn=arn, Attributes=load_balancer.tag_list(change))
    if missing := sorted(set(like.further) - set(_certificates(arn))):
        with ledger.mutation(fence, "AddListenerCertificates", arn, after=missing):
            writer.add_listener_certificates(
                ListenerArn=arn, Certificates=[{"CertificateArn": each} for each in missing]
            )
    standing = {str(each["Priority"]) for each in load_balancer.rules_of(arn)}
    for told in like.rules:
        if str(told["Priority"]) in standing:
            continue
        asked = balancer.rule(like, told, target_group, tags)
        conditions = [load_balancer.as_asked(each) for each in asked["Conditions"]]
        with ledger.mutation(fence, "CreateRule", arn):
            writer.create_rule(
                ListenerArn=arn,
                **{**asked, "Conditions": conditions, "Tags": load_balancer.tag_list(asked["Tags"])},
            )


def _protect(arn: str, web_acl: str | None, fence: Fence) -> None:
    """The same web ACL before it: without one, green would let in what blue keeps out."""
    if web_acl is None:
        return
    found = clients.reader("wafv2").get_web_acl_for_resource(ResourceArn=arn).get("WebACL")
    if found is None or found["ARN"] != web_acl:
        with ledger.mutation(fence, "AssociateWebACL", arn, after=web_acl):
            clients.writer("wafv2").associate_web_acl(WebACLArn=web_acl, ResourceArn=arn)


def _listening(told: dict[str, Any]) -> Listening:
    arn = str(told["ListenerArn"])
    own = [rule for rule in load_balancer.rules_of(arn) if not rule["IsDefault"]]
    attributes = clients.reader("elbv2").describe_listener_attributes(ListenerArn=arn)["Attributes"]
    return Listening(
        description=told,
        attributes=_pairs(attributes),
        certificates=tuple(sorted(_certificates(arn))),
        rules=tuple(own),
        tags=load_balancer.tags_of([arn, *(str(rule["RuleArn"]) for rule in own)]),
    )


def _certificates(listener: str) -> Iterator[str]:
    pages = (
        clients.reader("elbv2").get_paginator("describe_listener_certificates").paginate(ListenerArn=listener)
    )
    return (str(each["CertificateArn"]) for page in pages for each in page["Certificates"])


def _balancer(told: dict[str, Any]) -> Balancer:
    return Balancer(
        arn=told["LoadBalancerArn"],
        name=told["LoadBalancerName"],
        dns_name=told["DNSName"],
        zone=told["CanonicalHostedZoneId"],
        target_groups=groups_of(told["LoadBalancerArn"]),
    )


def _told(arn: str) -> dict[str, Any]:
    found = clients.reader("elbv2").describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    return dict(found[0])


def _all() -> Iterator[dict[str, Any]]:
    pages = clients.reader("elbv2").get_paginator("describe_load_balancers").paginate()
    return (dict(each) for page in pages for each in page["LoadBalancers"])


def _pairs(listed: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in listed}
