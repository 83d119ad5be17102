"""What stands in the account, as `viridian init` looks at it."""

from collections.abc import Iterator
from typing import Any

from viridian.arns import suffix
from viridian.aws import alarms, auto_scaling, clients, load_balancer, profiles, target_groups
from viridian.errors import Refusal
from viridian.verdict import AlarmState
from viridian_cli import finding
from viridian_cli.aws import services
from viridian_cli.finding import Entrance, Found


def find(service: str) -> Found:
    """Everything that this service can be made of, and why the rest can't be."""
    entrances: list[Entrance] = []
    passed_over: dict[str, str] = {}
    for balancer in _pages("describe_load_balancers", "LoadBalancers"):
        if balancer["Type"] == "application":
            entrances += _entrances(balancer)
        else:
            why = (
                f"{balancer['LoadBalancerName']}: a {balancer['Type']} load balancer. Only application ones."
            )
            passed_over[str(balancer["LoadBalancerArn"])] = why
    others = {str(registered(name).get("route")): name for name in services.names() if name != service}
    found = finding.ways(entrances, target_groups.everywhere(), auto_scaling.everywhere(), others)
    return Found(ways=found.ways, passed_over={**found.passed_over, **passed_over})


def registered(service: str) -> dict[str, Any]:
    """A service's profile as it is registered; empty if it isn't, or not with a JSON object."""
    try:
        document, _ = profiles.find(service)
    except Refusal:
        return {}
    return document if isinstance(document, dict) else {}


def watching(balancer: str) -> list[tuple[dict[str, Any], AlarmState]]:
    """Every metric alarm that looks at a load balancer, and how it stands; those that releases made left out."""
    pages = clients.reader("cloudwatch").get_paginator("describe_alarms").paginate()
    shown = {
        str(alarm["AlarmName"]): dict(alarm)
        for page in pages
        for alarm in page["MetricAlarms"]
        if finding.watches(alarm, suffix(balancer))
    }
    ours = {thing.id for thing in alarms.left()}
    return [(shown[state.name], state) for state in alarms.states(shown.keys() - ours)]


def _entrances(balancer: dict[str, Any]) -> Iterator[Entrance]:
    for listener in _pages("describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"]):
        for rule in load_balancer.rules_of(listener["ListenerArn"]):
            forward = load_balancer.forward_of(rule["Actions"])
            if forward.weights and not load_balancer.is_standby(rule):
                yield finding.entrance(balancer, listener, rule, forward)


def _pages(call: str, what: str, **which: Any) -> Iterator[dict[str, Any]]:
    pages = clients.reader("elbv2").get_paginator(call).paginate(**which)
    return (dict(each) for page in pages for each in page[what])
