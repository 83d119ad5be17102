"""A route as a person writes it, with their own credentials: no fence, no ledger, no function of Viridian's."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from botocore.exceptions import ClientError

from viridian import dns, names, traffic
from viridian.aws import auto_scaling, clients, load_balancer, route53, router, target_groups
from viridian.converge import LATE_WRITER_SECONDS
from viridian.dns import Answers
from viridian.fleet import Side
from viridian.traffic import Forward
from viridian_cli import failures
from viridian_cli.aws import clock
from viridian_cli.exits import Exit, Stop

LOOK_SECONDS = 5
_LATE_WRITER = timedelta(seconds=LATE_WRITER_SECONDS)
_PATIENCE = timedelta(minutes=5)  # with a lost connection, or with somebody who writes, too


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind a route: of two fleets the older one is blue; `green` is None where only one is known."""

    forward: Forward
    blue: Side
    green: Side | None = None

    @property
    def one_alone(self) -> bool:
        """Whether the one fleet that is known serves alone already."""
        return self.green is None and self.forward.alone(self.blue.target_group)


def sides(route: str, service: str) -> Sides:
    """The fleets of a route: those it names, and the one that stands by while one alone is named."""
    now = router.forward(route)
    targets = dict.fromkeys((*now.weights, *_standing_by(route, service, now)))
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


def _standing_by(route: str, service: str, now: Forward) -> tuple[str, ...]:
    if dns.is_name(route):
        alone = len(now.weights) == 1
        others = (
            [target for target in _behind_balancers(service) if target not in now.weights] if alone else []
        )
        # An older one may still be kept, from a release before.
        return tuple(sorted(others, key=lambda target: auto_scaling.attached(target)["CreatedTime"])[-1:])
    standby = router.standby_forward(load_balancer.find_route(route).listener, service)
    return tuple(standby.weights) if standby else ()


def _behind_balancers(service: str) -> Iterator[str]:
    """The service's fleets that could serve a name: a side without traffic has no record, but its load balancer."""
    known = [group["TargetGroupArn"] for group in target_groups.everywhere() if group["LoadBalancerArns"]]
    for arn, tags in load_balancer.tags_of(known).items():
        if tags.get(names.SERVICE) == service and target_groups.healthy(arn):
            yield arn


def restore(route: str, found: Sides) -> datetime:
    """Gives blue everything, and reads it back until the last writer that may still be on its way has had its time.

    Answers with the moment since which blue was seen to serve alone. Raises Stop if somebody goes on writing against it.
    """
    began, alone_since = clock.now(), None
    while True:
        kept, over = False, clock.now() - began >= _PATIENCE
        try:
            kept = alone_since is not None and _alone(route, found)
            if not kept:
                alone_since = None
                _write(route, found)
                alone_since = clock.now() if _alone(route, found) else None
        except Exception as error:
            if over or not (failures.passes(error) or _was_overtaken(error)):
                raise
        if alone_since and kept and clock.now() - began >= _LATE_WRITER:
            return alone_since
        if over:
            raise Stop(
                f"route: somebody writes to {route} again and again. Hold Viridian off first, with `viridian hands-off`; "
                "if it isn't Viridian, CloudTrail says who it is.",
                Exit.HELD,
            )
        time.sleep(LOOK_SECONDS)


def _was_overtaken(error: Exception) -> bool:
    """Whether Route 53 refused a change of records that aren't any more as they were read."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == "InvalidChangeBatch"


def _alone(route: str, found: Sides) -> bool:
    return router.forward(route).alone(found.blue.target_group)


def _write(route: str, found: Sides) -> None:
    now = router.find(route)
    blue, green = found.blue.target_group, found.green.target_group if found.green else ""
    sticky = now.forward.sticky_seconds
    wanted = traffic.split(blue, green, 0, now.forward, sticky=sticky, sticky_targets=0)
    if isinstance(now, Answers):
        new = {} if blue in now.records else {blue: route53.made(now, blue)}
        if changes := dns.batch(now, wanted, new):
            zone, _ = dns.place(route)
            client = clients.writer("route53")
            client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
        return
    client, actions = clients.writer("elbv2"), load_balancer.whole(now, wanted)
    if ":listener/" in route:
        client.modify_listener(ListenerArn=route, DefaultActions=actions)
    else:
        client.modify_rule(RuleArn=route, Actions=actions)
