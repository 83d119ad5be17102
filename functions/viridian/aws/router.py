"""Where the traffic of a route is split, by a load balancer's rule or listener or the weighted records of a name, and who is kept
in use meanwhile.
"""

from typing import Any

from viridian import dns, network
from viridian.aws import load_balancer, previews, route53
from viridian.aws.load_balancer import Rule
from viridian.dns import Answers
from viridian.fence import Fence
from viridian.plan import Standby
from viridian.record import Record
from viridian.traffic import Forward


def find(route: str) -> Rule | Answers:
    """What a route shows now; a Refusal if it is gone."""
    return route53.find(route) if dns.is_name(route) else load_balancer.find_rule(route)


def forward(route: str) -> Forward:
    """The weights a route shows now."""
    return find(route).forward


def set_forward(
    now: Rule | Answers, wanted: Forward, fence: Fence, *, anew: bool = False, **notes: Any
) -> Forward:
    """Sets all the weights of a route, and answers with what AWS then shows.

    `anew` writes those of a name though they stand: where it isn't known which change made them.
    Raises NotKept if that is something else. Setting what is set already sends nothing.
    """
    if isinstance(now, Answers):
        return route53.set_forward(now, wanted, fence, anew=anew, **notes)
    return load_balancer.set_forward(now, wanted, fence, **notes)


def is_told(record: Record) -> bool:
    """Whether everybody who asks is told the weights that the release has written; a rule tells them at once."""
    if not dns.is_name(record.plan.route) or record.first_weight_at is None:
        return True
    return record.change is not None and route53.in_sync(record.change)


def set_standby(listener: str, standby: Standby, wanted: Forward, tags: dict[str, str], fence: Fence) -> str:
    """Makes the service's standby rule, or its preview listener, forward as wanted; answers with its ARN."""
    if network.is_network(listener):
        return previews.set_standby(listener, standby, wanted, tags, fence)
    return load_balancer.set_standby(listener, standby, wanted, tags, fence)


def standby_forward(listener: str, service: str) -> Forward | None:
    """Where that forwards to; None if there is none."""
    if network.is_network(listener):
        return previews.standby_forward(listener, service)
    return load_balancer.standby_forward(listener, service)


def delete_standby(listener: str, service: str, fence: Fence) -> None:
    """Deletes it, if it stands."""
    if network.is_network(listener):
        previews.delete_standby(listener, service, fence)
    else:
        load_balancer.delete_standby(listener, service, fence)


def forwards(listener: str, service: str, target_group: str) -> bool:
    """Whether anything else there gives a target group traffic."""
    if network.is_network(listener):
        return previews.forwards(listener, service, target_group)
    return load_balancer.forwards(listener, service, target_group)
