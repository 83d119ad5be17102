"""Where a service's requests come in, as a plan finds it: a rule that it lends, or a name and the load balancer behind it."""

import secrets
from typing import Any

from msgspec.structs import replace

from viridian import balancer, dns, network, preflight, traffic
from viridian.aws import balancers, load_balancer, previews, route53
from viridian.aws.load_balancer import Route
from viridian.aws.target_groups import TargetGroup
from viridian.errors import Refusal
from viridian.plan import Endpoint, Standby
from viridian.preflight import Lent
from viridian.request import Profile
from viridian.traffic import Forward


def find(route: str) -> Route:
    """The route as it stands; a Refusal if there is none, or none that can be released."""
    if not dns.is_name(route):
        return load_balancer.find_route(route)
    shown = route53.find(route)
    dns.ensure_weighted(route, list(shown.records.values()))
    blue = traffic.find_blue(shown.forward)
    if not blue.startswith("arn:"):
        fix = "Let it lead to an Application Load Balancer of this account and Region that forwards to one target group."
        raise Refusal("route", blue, fix)
    like = balancers.shape(balancers.before(blue))
    balancer.ensure_clonable(like, blue)
    first = balancer.first(like, blue)
    return Route(
        arn=route,
        listener=first.arn,
        load_balancer=str(like.description["LoadBalancerArn"]),
        protocol=first.description["Protocol"],
        port=int(first.description["Port"]),
        actions=(),
        forward=shown.forward,
    )


def rules(route: Route) -> list[dict[str, Any]]:
    """Every rule of the load balancer that a route shares with others; a name's is its side's alone."""
    return [] if dns.is_name(route.arn) else load_balancer.rules_on(route.load_balancer)


def standby(
    route: Route, rules: list[dict[str, Any]], service: str, profile: Profile, blue: TargetGroup
) -> tuple[Standby, Forward | None]:
    """The standby rule or preview listener as it is to be, and where it forwards to now; a name needs none, each side has its
    load balancer.

    `rules` are all of its load balancer's. Refuses a rule that the smoke
    tests would not meet, and one that is not alone in leading to blue.
    """
    token = f"{service}.{secrets.token_hex(16)}"
    if network.is_network(route.listener):
        network.ensure_flows(route.protocol, blue.sticky_seconds() > 0)
        network.ensure_measured(profile.thresholds)
        network.ensure_no_rules(rules)
        beside = previews.place(route.listener, service)
        preflight.ensure_only(
            blue.arn, {each.arn: each.forward for each in beside.others if each.arn != route.arn}
        )
        port = network.ensure_port(profile, beside.others)
        return Standby(value=token, priority=0, conditions=(), port=port), beside.standby
    network.ensure_no_port(profile)
    if dns.is_name(route.arn):
        return Standby(value=token, priority=0, conditions=()), None
    preflight.ensure_plain(route.arn, route.conditions, route.transforms)
    place = load_balancer.place(route, rules, service)
    preflight.ensure_only(blue.arn, place.others)
    rule = preflight.standby(route.conditions, route.priority, place.taken, token)
    preflight.ensure_reached(profile.smoke_tests, route.conditions)
    return rule, place.standby


def endpoint(route: Route, standby: Standby, blue: TargetGroup) -> Endpoint:
    """Where green is asked before anybody else asks it: by the host that users name, or at the preview listener."""
    if standby.port:
        users = load_balancer.endpoint(route, None, "/")
        protocol = network.scheme(users.protocol, str(blue.description["HealthCheckProtocol"]))
        return replace(users, protocol=protocol, port=standby.port)
    if dns.is_name(route.arn):
        _, name = dns.place(route.arn)
        return load_balancer.endpoint(route, name.rstrip("."), "/")
    return load_balancer.endpoint(route, preflight.host(route.conditions), preflight.path(route.conditions))


def lent(route: Route) -> tuple[Lent, ...]:
    """What of it its owner must have lent; whose weights may be set, the stack's RecordNames say."""
    if dns.is_name(route.arn):
        return (Lent(kind="elbv2", id=route.load_balancer, tags=load_balancer.tags(route.load_balancer)),)
    above = route.load_balancer if network.is_network(route.listener) else route.listener
    tags = load_balancer.tags_of(list(dict.fromkeys((above, route.arn))))
    shared = Lent(kind="elbv2", id=above, tags=tags[above], shared=True)
    rule = Lent(kind="elbv2", id=route.arn, tags=tags[route.arn])
    return (rule, shared) if above != route.arn else (rule,)
