"""What of an account a service can be made of, and the profile to begin with: decided from what AWS shows."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from viridian import clone, names, preflight, traffic
from viridian.errors import Refusal
from viridian.fleet import Side
from viridian.preflight import Lent
from viridian.request import FIXES, Profile, ServiceName, SmokeTest, Thresholds
from viridian.traffic import Forward
from viridian.verdict import AlarmState
from viridian_cli.exits import Stop

Shown = Mapping[str, Any]  # as AWS describes it
_GUARDS = 10  # a profile takes no more


class Entrance(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, or a listener's default action, that gives target groups traffic; `words` say what people reach by it."""

    route: str
    load_balancer: str
    words: str
    forward: Forward


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """An entrance with one fleet behind it: what can be released."""

    entrance: Entrance
    target_group: str
    group: str

    @property
    def words(self) -> str:
        """The way of a request, from the load balancer to the fleet."""
        return f"{self.entrance.words} -> {_name(self.target_group)} -> {self.group}"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What can be released, and why the rest can't, by the route or load balancer."""

    ways: tuple[Way, ...]
    passed_over: dict[str, str]


def entrance(balancer: Shown, listener: Shown, rule: Shown, forward: Forward) -> Entrance:
    """One rule of a listener, in the words that tell it from others; the default one is named by its listener."""
    values = [_condition(condition) for condition in rule.get("Conditions", ())]
    which = ", ".join(values) or "everything else"
    return Entrance(
        route=str(listener["ListenerArn"] if rule.get("IsDefault") else rule["RuleArn"]),
        load_balancer=str(balancer["LoadBalancerArn"]),
        words=f"{balancer['LoadBalancerName']} {listener['Protocol']}:{listener['Port']} {which}",
        forward=forward,
    )


def ways(
    entrances: Iterable[Entrance],
    target_groups: Iterable[Shown],
    groups: Sequence[Shown],
    others: Mapping[str, str],
) -> Found:
    """What can be released of it; `others` are the services that are registered, by their route."""
    kinds = {group["TargetGroupArn"]: group.get("TargetType", "instance") for group in target_groups}
    found: list[Way] = []
    passed_over: dict[str, str] = {}
    for each in sorted(entrances, key=lambda each: each.words):
        try:
            if each.route in others:
                raise Refusal(
                    "route", f"{others[each.route]} is registered by it", "A route has one service."
                )
            found.append(_way(each, kinds, groups))
        except Refusal as refusal:
            passed_over[each.route] = f"{each.words}: {refusal.value}. {refusal.fix}"
    return Found(ways=tuple(found), passed_over=passed_over)


def _way(entrance: Entrance, kinds: Mapping[str, str], groups: Sequence[Shown]) -> Way:
    target = traffic.find_blue(entrance.forward)
    if (kind := kinds.get(target, "instance")) != "instance":
        raise Refusal(
            "route",
            f"{_name(target)} has targets of type {kind}",
            "Fleets of EC2 instances are released, no tasks of ECS, no addresses, no functions.",
        )
    group = traffic.find_group(target, groups)
    clone.launch_template(group)
    return Way(entrance=entrance, target_group=target, group=str(group["AutoScalingGroupName"]))


def named(found: Found, route: str) -> Way:
    """The way of this route; Stop with why it isn't one."""
    for way in found.ways:
        if way.entrance.route == route:
            return way
    if route in found.passed_over:
        raise Stop(f"route: {found.passed_over[route]}")
    raise Stop(
        f"route: {route}. Name a listener or rule of an Application Load Balancer in this account and Region; "
        "a name in Route 53 is registered by hand (docs/route53.md)."
    )


def nothing(found: Found) -> Stop:
    """What to say where nothing can be released."""
    why = "; ".join(found.passed_over.values()) or "no load balancer forwards to anything"
    return Stop(f"route: nothing here can be released: {why}")


def several(found: Found) -> Stop:
    """What to say to somebody who can't be asked."""
    listed = "; ".join(f"{way.entrance.route} ({way.words})" for way in found.ways)
    return Stop(f"route: {len(found.ways)} fit. Say which with --route: {listed}")


def service_name(way: Way) -> str:
    """A name for what is behind it, of the group's: what tells releases of it apart, and colours, left out."""
    plain = re.sub(r"[^a-z0-9]+", "-", way.group.lower())
    plain = re.sub(r"(-(asg|group|blue|green|v?\d+))+$", "", plain).strip("-0123456789")
    return plain[:20].strip("-") if len(plain) > 1 else "service"


def ensure_name(service: str) -> None:
    """Refuses a name that no service can have."""
    try:
        msgspec.convert(service, ServiceName)
    except msgspec.ValidationError:
        raise Refusal("service", service, FIXES["service"]) from None


def ensure_free(service: str, things: Iterable[Lent]) -> None:
    """Refuses what another service has lent: each has its own."""
    for thing in things:
        owner = thing.tags.get(names.SERVICE, service)
        if owner != service and not thing.shared:
            fix = f"Give {service} one of its own, or register {owner}."
            raise Refusal("service", f"{thing.id} is lent to {owner}", fix)


def watches(alarm: Shown, balancer: str) -> bool:
    """Whether an alarm looks at a load balancer, given as CloudWatch calls it, or at one of its target groups."""
    return ("LoadBalancer", balancer) in _dimensions(alarm)


def guards(
    alarms: Iterable[tuple[Shown, AlarmState]], blue: Side, profile: Profile
) -> tuple[list[str], dict[str, str]]:
    """The alarms that can guard a release, and why the others can't."""
    fit: list[str] = []
    unfit: dict[str, str] = {}
    for alarm, state in sorted(alarms, key=lambda each: each[1].name):
        try:
            if any(name == "TargetGroup" for name, _ in _dimensions(alarm)):
                fix = "Each release has its own, with alarms made from `thresholds`."
                raise Refusal("guards", f"{state.name} looks at one target group", fix)
            ensure_guards(replace(profile, guards=(state.name,)), (state,), blue)
            if len(fit) == _GUARDS:
                raise Refusal(
                    "guards", f"{state.name} is one too many", "Name those that count with --guard."
                )
            fit.append(state.name)
        except Refusal as refusal:
            unfit[state.name] = f"{refusal.value}. {refusal.fix}"
    return fit, unfit


def ensure_guards(profile: Profile, alarms: Sequence[AlarmState], blue: Side) -> None:
    """Refuses guards as a plan does, but for being red: by the time of a release they may be OK."""
    calm = [replace(alarm, state="OK") for alarm in alarms]
    preflight.ensure_guards(profile, None, calm, blue)


def smoke_test(target_group: Shown, conditions: Sequence[Shown]) -> SmokeTest:
    """What the load balancer asks for its health check, if the rule takes that; else the first path that it takes."""
    matcher = str(target_group.get("Matcher", {}).get("HttpCode", "200")).split(",")
    plain = tuple(int(code) for code in matcher if code.isdigit())
    status = plain[0] if len(plain) == 1 else plain[:10] or 200
    path = str(target_group.get("HealthCheckPath") or "/")
    try:
        test = msgspec.convert({"path": path, "status": status}, SmokeTest)
        preflight.ensure_reached((test,), conditions)
    except (Refusal, msgspec.ValidationError):
        return SmokeTest(path=preflight.path(conditions))
    return test


def thresholds(rate: float, profile: Profile) -> Thresholds:
    """The usual ones; where few ask, half of what green's first step will get is enough to judge it by."""
    usual, first = profile.thresholds, profile.steps[0]
    expected = rate * first.observe_minutes * first.weight / 100
    few = max(1, round(expected / 2)) if rate else usual.minimum_requests
    return replace(usual, minimum_requests=min(usual.minimum_requests, few))


def registration(parameter: str, document: Shown, overwrite: bool) -> str:
    """The AWS CLI line that registers a service."""
    words = ["aws", "ssm", "put-parameter", "--name", parameter, "--type", "String"]
    words += ["--tier", "Intelligent-Tiering", *(["--overwrite"] if overwrite else [])]
    return shlex.join([*words, "--value", text(document)])


def text(document: Shown) -> str:
    """A profile as people read it: JSON, a line for each field."""
    return "{\n" + ",\n".join(f'  "{name}": {json.dumps(value)}' for name, value in document.items()) + "\n}"


def _dimensions(alarm: Shown) -> list[tuple[str, str]]:
    metrics = [alarm, *(each.get("MetricStat", {}).get("Metric", {}) for each in alarm.get("Metrics", ()))]
    return [(each["Name"], each["Value"]) for metric in metrics for each in metric.get("Dimensions", ())]


def _condition(condition: Shown) -> str:
    told = next((value for key, value in condition.items() if key.endswith("Config") and value), condition)
    values = told.get("Values") or told.get("RegexValues") or ()
    return f"{condition['Field']} {' or '.join(map(str, values))}"


def _name(target_group: str) -> str:
    return target_group.split("/")[1]
