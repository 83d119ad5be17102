"""A route as a person writes it, with their own credentials: no fence, no ledger, no function of Viridian's."""

import time
from datetime import datetime, timedelta

import msgspec

from viridian import dns, traffic
from viridian.aws import auto_scaling, clients, load_balancer, router
from viridian.converge import LATE_WRITER_SECONDS
from viridian.dns import Answers
from viridian.fleet import Side
from viridian.traffic import Forward
from viridian_cli.aws import clock
from viridian_cli.exits import Stop

LOOK_SECONDS = 5


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind a route: of two fleets the older one is blue; `green` is None where one serves alone."""

    forward: Forward
    blue: Side
    green: Side | None = None


def sides(route: str, service: str) -> Sides:
    """The fleets of a route: those it names, and the one behind the standby rule while one alone is named."""
    now = router.forward(route)
    targets = dict.fromkeys((*now.weights, *_standing_by(route, service)))
    if not 1 <= len(targets) <= 2:
        raise Stop(
            f"route: {route} shows {traffic.describe(now)}. Set it by hand: docs/break-glass.md has the calls."
        )
    groups = {target: auto_scaling.attached(target) for target in targets}
    found = [
        auto_scaling.side(group, target)
        for target, group in sorted(groups.items(), key=lambda each: each[1]["CreatedTime"])
    ]
    return Sides(forward=now, blue=found[0], green=found[1] if found[1:] else None)


def _standing_by(route: str, service: str) -> tuple[str, ...]:
    if dns.is_name(route):
        return ()
    standby = router.standby_forward(load_balancer.find_route(route).listener, service)
    return tuple(standby.weights) if standby else ()


def restore(route: str, found: Sides) -> datetime:
    """Gives blue everything, and reads it back until the last writer that may still be on its way has had its time.

    Answers with the moment at which blue was first seen to serve alone.
    """
    _write(route, found)
    alone_at, until = None, clock.now() + timedelta(seconds=LATE_WRITER_SECONDS)
    while alone_at is None or clock.now() < until:
        if router.forward(route).alone(found.blue.target_group):
            alone_at = alone_at or clock.now()
        else:
            _write(route, found)
        time.sleep(LOOK_SECONDS)
    return alone_at


def _write(route: str, found: Sides) -> None:
    now = router.find(route)
    green = found.green.target_group if found.green else ""
    sticky = now.forward.sticky_seconds
    wanted = traffic.split(found.blue.target_group, green, 0, now.forward, sticky=sticky, sticky_targets=0)
    if isinstance(now, Answers):
        if changes := dns.batch(now, wanted, {}):
            zone, _ = dns.place(route)
            client = clients.writer("route53")
            client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
        return
    client, actions = clients.writer("elbv2"), load_balancer.whole(now, wanted)
    if ":listener/" in route:
        client.modify_listener(ListenerArn=route, DefaultActions=actions)
    else:
        client.modify_rule(RuleArn=route, Actions=actions)
