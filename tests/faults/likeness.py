"""What a run leaves behind, in words that don't depend on ids or moments: two runs that did the same look the same."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.ec2.models import ec2_backends

from local.control.session import ACCOUNT, REGION
from tests.faults import sight
from tests.faults.interpreter import machine_in
from tests.faults.kinds import kind
from tests.faults.place import Place
from tests.faults.points import Fault, Run
from tests.faults.promises import promise
from tests.faults.sides import balancing, scaling
from tests.workflow.world import Release

_LOCK = ("epoch", "hands_off")
_RECORD = ("status", "need", "hold", "overwrite", "schema")


def left(world: Place, release: Release) -> dict[str, Any]:
    """Routes, groups, targets, alarms, images and the ledger's last word."""
    name = functools.partial(_named, str(world.record_of(release).get("pk", "")).split("#")[-1])
    elb = balancing()
    groups = {group.arn: name(group.name) for group in elb.target_groups.values()}
    return {
        "routes": [_route(rule, groups) for rule in _rules(elb)],
        "names": [
            sorted((groups.get(group, group), weight) for group, weight in weights.items())
            for route, weights in sight.routes().items()
            if sight.name_of(route)
        ],
        "target groups": sorted(_target_group(group, name) for group in elb.target_groups.values()),
        "groups": sorted(_group(group, name) for group in scaling().autoscaling_groups.values()),
        "alarms": sorted(name(alarm.name) for alarm in cloudwatch_backends[ACCOUNT][REGION].alarms.values()),
        "versions": _versions(),
        "images": sorted(name(each) for each in _images() if each.startswith(("shop", "viridian"))),
        "lock": [
            {key: item.get(key) for key in _LOCK} | {"held": "release" in item}
            for item in world.items()
            if item["sk"] == "lock"
        ],
        "record": {key: world.record_of(release).get(key) or False for key in _RECORD},
    }


def _named(release: str, text: str) -> str:
    plain = text.replace(release, "<release>") if release else text
    return re.sub(r"-[0-9a-f]{10}$", "-<made>", plain)


def _rules(elb: Any) -> Iterator[Any]:
    for balancer in elb.load_balancers.values():
        for listener in balancer.listeners.values():
            yield from (listener, *listener.rules.values())


def _route(rule: Any, groups: dict[str, str]) -> list[Any]:
    actions = getattr(rule, "actions", None) or rule.default_actions
    shown = json.dumps([getattr(action, "data", action) for action in actions], sort_keys=True, default=str)
    for arn, called in groups.items():
        shown = shown.replace(arn, called)
    return [str(getattr(rule, "priority", "")), shown]


def _target_group(group: Any, name: Any) -> list[Any]:
    return [name(group.name), bool(group.targets), sorted(group.attributes.items())]


def _group(group: Any, name: Any) -> list[Any]:
    sizes = [
        group.min_size,
        group.max_size,
        group.desired_capacity > 0,
    ]  # between them its own policies decide
    tags = sorted((tag["key" if "key" in tag else "Key"]) for tag in group.tags)
    stopped = sorted(each["ProcessName"] for each in group.suspended_processes)
    return [name(group.name), sizes, tags, stopped]


def _images() -> list[str]:
    return [image.name or "" for image in ec2_backends[ACCOUNT][REGION].amis.values()]


def _versions() -> list[int]:
    return [len(each.versions) for each in ec2_backends[ACCOUNT][REGION].launch_templates.values()]


@kind("note")
def note(world: Place, fault: Fault) -> None:
    """Changes nothing: the run's outcome tells what it left, and which states its machines entered."""
    world.fired(fault)


@promise("note", "clean")
def noted(world: Place, release: Release) -> Iterator[str]:
    world.facts["left"] = left(world, release)
    entered: dict[str, list[str]] = {}
    for run in world.executions():
        entered.setdefault(machine_in(run.state_machine.name), []).extend(world.states(run.exec_arn))
    world.facts["entered"] = entered
    yield from ()


_KNOWN: dict[str, dict[str, Any]] = {}


def learn(scenario: str, facts: Mapping[str, Any]) -> None:
    """A clean run was played already, and this is what it told."""
    _KNOWN[scenario] = dict(facts)


def clean(scenario: str) -> dict[str, Any]:
    """What a run of the scenario leaves where nothing goes wrong, and the states it enters, by machine."""
    from tests.faults.play import play

    if scenario not in _KNOWN:
        outcome = play(Run("note", scenario, (Fault("note"),)))
        if not outcome.facts:
            raise RuntimeError(f"the clean run of {scenario} broke: {outcome.broken}")
        learn(scenario, outcome.facts)
    return _KNOWN[scenario]


def expected(scenario: str) -> str:
    return json.dumps(clean(scenario)["left"], sort_keys=True, default=str)


@kind("like_clean")
def like_clean(world: Place, fault: Fault) -> None:
    """Changes nothing: at its end the run must have left what args left says."""
    world.facts["expected"] = str(fault.args["left"])
    world.fired(fault)


@promise("F03", "F04")
def leaves_the_same(world: Place, release: Release) -> Iterator[str]:
    """A task that ran twice has done what it does when it runs once."""
    wanted = json.loads(str(world.facts.pop("expected")))
    found = json.loads(json.dumps(left(world, release), sort_keys=True, default=str))
    for name, value in wanted.items():
        if found[name] != value:
            yield f"{name}: {json.dumps(found[name])}, after a clean run {json.dumps(value)}"
