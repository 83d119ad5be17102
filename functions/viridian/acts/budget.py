"""What a release will take of the account: of its quotas, and in dollars. Reads only."""

from collections.abc import Iterator, Mapping
from typing import Any

from viridian import arns, cost, dns, network
from viridian.aws import (
    auto_scaling,
    balancers,
    instance_types,
    load_balancer,
    prices,
    quotas,
)
from viridian.aws.load_balancer import Route
from viridian.errors import NotKnown
from viridian.head_room import TEMPLATE_VERSIONS, Quota, vcpus_by_quota
from viridian.plan import LaunchTemplate
from viridian.timetable import Phase

_PRICED = 3  # so many instance types are asked for: a plan may not wait for a price list


def head_room(
    route: Route,
    blue: Mapping[str, Any],
    launches: LaunchTemplate,
    data: Mapping[str, Any],
    groups: list[dict[str, Any]],
    rules: list[dict[str, Any]],
    *,
    versions: int,
    has_standby: bool,
) -> Iterator[Quota]:
    """What a release makes, against what AWS allows; `blue` is blue's group, green will have as many instances.

    `groups` are the Region's target groups, `rules` those of its load balancer, `versions` those of the launch template.
    """
    limits = load_balancer.limits()
    instances = auto_scaling.instance_types(blue)
    count, in_use = sum(instances.values()), auto_scaling.limits()
    if dns.is_name(route.arn):
        yield Quota(
            name="load balancers in the Region",
            used=balancers.count(),
            more=1,
            limit=limits.get("application-load-balancers"),
        )
    else:
        yield from _shared(route, groups, rules, limits, has_standby=has_standby)
    yield Quota(
        name="target groups in the Region", used=len(groups), more=1, limit=limits.get("target-groups")
    )
    if not dns.is_name(route.arn):
        kind = "network" if network.is_network(route.listener) else "application"
        yield Quota(
            name="targets of the load balancer, blue's alone",
            used=count,
            more=count,
            limit=limits.get(f"targets-per-{kind}-load-balancer"),
        )
    yield Quota(name="Auto Scaling groups in the Region", used=in_use[0], more=1, limit=in_use[1])
    yield Quota(
        name=f"versions of launch template {launches.template}",
        used=versions,
        more=1,
        limit=TEMPLATE_VERSIONS,
        fix="Delete versions that no group launches.",
    )
    yield from _vcpus(
        instances, may_be_spot="MixedInstancesPolicy" in blue or "InstanceMarketOptions" in data
    )


def _shared(
    route: Route,
    groups: list[dict[str, Any]],
    rules: list[dict[str, Any]],
    limits: Mapping[str, int],
    *,
    has_standby: bool,
) -> Iterator[Quota]:
    """What both sides have of one load balancer and its rule."""
    if network.is_network(route.listener):
        # How many target groups an action of its takes, AWS may still tell as it was before they had weights.
        yield Quota(
            name="listeners of the load balancer",
            used=len(load_balancer.listeners_of(route.load_balancer)),
            more=0 if has_standby else 1,
            limit=limits.get("listeners-per-network-load-balancer"),
        )
        return
    yield Quota(
        name="rules of the load balancer",
        used=sum(not rule["IsDefault"] for rule in rules),
        more=0 if has_standby else 1,
        limit=limits.get("rules-per-application-load-balancer"),
    )
    yield Quota(
        name="target groups in the rule",
        used=len(route.forward.weights),
        more=1,
        limit=limits.get("target-groups-per-action-on-application-load-balancer"),
        fix="Take one out of the rule: AWS raises this for nobody.",
    )
    yield Quota(
        name="target groups of the load balancer",
        used=sum(route.load_balancer in group["LoadBalancerArns"] for group in groups),
        more=1,
        limit=limits.get("target-groups-per-application-load-balancer"),
        fix="Take one out of all its rules: AWS raises this for nobody.",
    )


def _vcpus(instances: Mapping[str, int], *, may_be_spot: bool) -> Iterator[Quota]:
    """The On-Demand vCPUs that green needs beside everything that runs."""
    try:
        if may_be_spot:
            raise NotKnown("the group may buy Spot Instances, which have quotas of their own")
        needed = vcpus_by_quota(instances, instance_types.vcpus(instances))
    except NotKnown as unknown:
        yield Quota(name="On-Demand vCPUs", why=str(unknown))
        return
    for code, more in needed.items():
        yield _vcpu_quota(code, more)


def _vcpu_quota(code: str | None, more: int) -> Quota:
    name = f"On-Demand vCPUs{f' ({code})' if code else ''}"
    try:
        if code is None:
            raise NotKnown("no quota of this instance family is known here")
        quota = quotas.find(code)
        limit = int(quota["Value"])
    except NotKnown as unknown:
        return Quota(name=name, more=more, why=str(unknown))
    try:
        return Quota(name=name, used=quotas.used(quota), more=more, limit=limit)
    except NotKnown as unknown:
        return Quota(name=name, more=more, limit=limit, why=str(unknown))


def dollars(
    near: str, blue: Mapping[str, Any], image: Mapping[str, Any], phases: tuple[Phase, ...]
) -> tuple[str, ...]:
    """What both fleets cost while both run, or why that isn't known; `near` is anything of their Region."""
    instances, last = auto_scaling.instance_types(blue), phases[-1]
    try:
        if len(instances) > _PRICED:
            raise NotKnown(f"blue has {len(instances)} instance types")
        operation = cost.usage_operation(image)
        priced = {kind: prices.hourly(kind, arns.region(near), operation) for kind in instances}
    except NotKnown as unknown:
        return (f"not known: {unknown}",)
    began = phases[0].soonest
    return cost.in_words(instances, instances, priced, last.soonest - began, last.latest - began)
