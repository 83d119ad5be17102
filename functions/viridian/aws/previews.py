"""Elastic Load Balancing: preview listeners, which are to a Network Load Balancer what standby rules are to others."""

from contextlib import suppress
from typing import Any

import msgspec

from viridian import leftovers, names, network
from viridian.aws import clients, ledger, load_balancer
from viridian.errors import Busy, Drifted
from viridian.fence import Fence
from viridian.leftovers import Thing, thing
from viridian.network import Listening
from viridian.plan import Standby
from viridian.traffic import Forward


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside a route's listener: where this service's preview listener forwards to, if it stands, and all
    other listeners of the load balancer, the route's among them.
    """

    standby: Forward | None
    others: tuple[Listening, ...]


def place(listener: str, service: str) -> Place:
    """What of a load balancer's listeners matters to a release of one route."""
    standing, own = _beside(listener, service)
    others = tuple(
        Listening(arn=arn, port=told["Port"], forward=load_balancer.forward_of(told["DefaultActions"]))
        for arn, told in standing.items()
        if told is not own
    )
    return Place(standby=load_balancer.forward_of(own["DefaultActions"]) if own else None, others=others)


def set_standby(listener: str, standby: Standby, wanted: Forward, tags: dict[str, str], fence: Fence) -> str:
    """Makes the service's preview listener forward as wanted, creating it if there is none; answers with its ARN."""
    standing, found = _beside(listener, tags[names.SERVICE])
    if (route := standing.get(listener)) is None:
        raise Drifted(f"listener {listener} is gone")
    actions = [load_balancer.action(wanted, listener)]
    asked = {"Port": standby.port, **network.preview(route)}
    writer = clients.writer("elbv2")
    if found is None:
        balancer = network.balancer(listener)
        with ledger.mutation(fence, "CreateListener", balancer, after=wanted) as entry:
            made = writer.create_listener(
                LoadBalancerArn=balancer,
                **asked,
                DefaultActions=actions,
                Tags=load_balancer.tag_list(tags),
            )
            entry.shown = str(made["Listeners"][0]["ListenerArn"])
        return str(entry.shown)
    arn, shown = str(found["ListenerArn"]), load_balancer.forward_of(found["DefaultActions"])
    stands = {"Port": found["Port"], **network.preview(found)}
    change = {key: value for key, value in asked.items() if stands.get(key) != value}
    if change or shown != wanted:
        with ledger.mutation(fence, "ModifyListener", arn, before=shown, after=wanted):
            writer.modify_listener(ListenerArn=arn, **change, DefaultActions=actions)
    return arn


def find_standby(listener: str, service: str) -> dict[str, Any] | None:
    """The listener of the same load balancer that a release of this service has made."""
    return _beside(listener, service)[1]


def standby_forward(listener: str, service: str) -> Forward | None:
    """Where a service's preview listener forwards to; None if it has none."""
    return place(listener, service).standby


def forwards(listener: str, service: str, target_group: str) -> bool:
    """Whether anything but the service's preview listener gives a target group traffic on this load balancer."""
    return any(each.forward.of(target_group) for each in place(listener, service).others)


def delete_standby(listener: str, service: str, fence: Fence) -> None:
    """Deletes the service's preview listener, if it stands."""
    client = clients.writer("elbv2")
    if (found := find_standby(listener, service)) is not None:
        with (
            ledger.mutation(fence, "DeleteListener", found["ListenerArn"]),
            suppress(client.exceptions.ListenerNotFoundException),  # another try was quicker
        ):
            client.delete_listener(ListenerArn=found["ListenerArn"])


def left() -> list[Thing]:
    """Every preview listener that a release made."""
    standing = [str(each["ListenerArn"]) for each in load_balancer.listeners("network")]
    tags = _tags_of(standing)
    return leftovers.things(thing("preview listener", arn, told) for arn, told in tags.items())


def _tags_of(listeners: list[str]) -> dict[str, dict[str, str]]:
    """The tags of listeners. Raises Busy if one of them went since they were listed: another service's preview may."""
    try:
        return load_balancer.tags_of(listeners)
    except clients.reader("elbv2").exceptions.ListenerNotFoundException as gone:
        raise Busy(f"a listener went meanwhile: {gone}") from gone


def _beside(listener: str, service: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any] | None]:
    """The listeners of the same load balancer by their ARN, this one among them, and the service's preview listener."""
    found = load_balancer.listeners_of(network.balancer(listener))
    standing = {str(each["ListenerArn"]): each for each in found}
    tags = _tags_of(list(standing))
    mine = (arn for arn, told in tags.items() if names.RELEASE in told and told.get(names.SERVICE) == service)
    return standing, next((standing[arn] for arn in mine), None)
