"""Elastic Load Balancing: routes and their weights, and the standby rule."""

from contextlib import suppress
from typing import Any

import msgspec
from msgspec.structs import replace

from viridian import leftovers, names, network, traffic
from viridian.aws import clients, ledger
from viridian.errors import NotKept, Refusal
from viridian.fence import Fence
from viridian.leftovers import Thing, thing
from viridian.plan import Endpoint, Standby
from viridian.traffic import Forward


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule or a listener's default action: `actions` as AWS shows them now, `forward` what they mean."""

    arn: str
    actions: tuple[dict[str, Any], ...]
    forward: Forward


class Route(Rule, frozen=True, kw_only=True):
    """The rule of a route, and the listener where it stands, or at which a name's load balancer is asked."""

    listener: str
    load_balancer: str
    protocol: str
    port: int
    priority: int | None = None
    conditions: tuple[dict[str, Any], ...] = ()
    transforms: tuple[dict[str, Any], ...] = ()


def find_route(arn: str) -> Route:
    """The listener or rule of this ARN; a Refusal if there is none."""
    listener = arn if ":listener/" in arn else listener_of(arn)
    found = _found(arn, "describe_listeners", ListenerArns=[listener])["Listeners"][0]
    if arn == listener:
        return _route(arn, found, found["DefaultActions"])
    rule = _found(arn, "describe_rules", RuleArns=[arn])["Rules"][0]
    if rule.get("IsDefault") or not str(rule["Priority"]).isdigit():
        raise Refusal("route", arn, f"Register the default action by its listener's ARN: {listener}")
    return replace(
        _route(arn, found, rule["Actions"]),
        priority=int(rule["Priority"]),
        conditions=tuple(as_asked(condition) for condition in rule["Conditions"]),
        transforms=tuple(rule.get("Transforms", ())),
    )


def find_rule(route: str) -> Rule:
    """What a route's rule, or its listener's default action, shows now; one call."""
    if ":listener/" in route:
        actions = _found(route, "describe_listeners", ListenerArns=[route])["Listeners"][0]["DefaultActions"]
    else:
        actions = _found(route, "describe_rules", RuleArns=[route])["Rules"][0]["Actions"]
    return Rule(arn=route, actions=tuple(actions), forward=forward_of(actions))


def forward(route: str) -> Forward:
    """The weights a route shows now."""
    return find_rule(route).forward


def set_forward(rule: Rule, wanted: Forward, fence: Fence, **notes: Any) -> Forward:
    """Sets the whole forward action of a rule, keeping its other actions; answers with what AWS then shows.

    `notes` are fields of the release's record that go with the write.

    Raises NotKept if that is something else. Setting what is set already sends nothing.
    """
    if rule.forward == wanted:
        return wanted
    actions = whole(rule, wanted)
    client, listens = clients.writer("elbv2"), ":listener/" in rule.arn
    written = (rule.forward, wanted)
    with ledger.mutation(
        fence, "ModifyListener" if listens else "ModifyRule", rule.arn,
        before=rule.forward, after=wanted, written=written, **notes,
    ) as entry:  # fmt: skip
        if listens:
            client.modify_listener(ListenerArn=rule.arn, DefaultActions=actions)
        else:
            client.modify_rule(RuleArn=rule.arn, Actions=actions)
        entry.shown = shown = forward(rule.arn)
    if shown.weights != wanted.weights:
        raise NotKept(f"wrote {traffic.describe(wanted)}, the rule shows {traffic.describe(shown)}")
    return shown


def whole(rule: Rule, wanted: Forward) -> list[dict[str, Any]]:
    """All the actions of a rule as they are to be: a rule's are replaced as a whole, and only where it forwards changes."""
    return [
        _kept(each) if each["Type"] != "forward" else action(wanted, rule.arn, each) for each in rule.actions
    ]


def tags(arn: str) -> dict[str, str]:
    """The tags of a load balancer, listener, rule or target group."""
    found = clients.reader("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"]
    return names.tags_on(found[0]) if found else {}


def tags_of(arns: list[str]) -> dict[str, dict[str, str]]:
    """The tags of many of them; AWS tells twenty at a time."""
    found: dict[str, dict[str, str]] = {}
    for start in range(0, len(arns), 20):
        answer = clients.reader("elbv2").describe_tags(ResourceArns=arns[start : start + 20])
        for told in answer["TagDescriptions"]:
            found[str(told["ResourceArn"])] = names.tags_on(told)
    return found


def endpoint(route: Route, host: str | None, path: str) -> Endpoint:
    """Where smoke tests reach the load balancer."""
    told = clients.reader("elbv2").describe_load_balancers(LoadBalancerArns=[route.load_balancer])
    dns_name = told["LoadBalancers"][0]["DNSName"]
    return Endpoint(dns_name=dns_name, protocol=route.protocol, port=route.port, host=host, path=path)


def limits() -> dict[str, int]:
    """What the account is allowed of Elastic Load Balancing, by AWS's names."""
    pages = clients.reader("elbv2").get_paginator("describe_account_limits").paginate()
    return {limit["Name"]: int(limit["Max"]) for page in pages for limit in page["Limits"]}


def rules_on(load_balancer: str) -> list[dict[str, Any]]:
    """Every rule of every listener of a load balancer, default ones included."""
    return [rule for each in listeners_of(load_balancer) for rule in rules_of(str(each["ListenerArn"]))]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around a route: the priorities that others have on its listener, where this service's standby rule
    forwards to, if it stands, and where all other rules of the load balancer do.
    """

    taken: frozenset[int]
    standby: Forward | None
    others: dict[str, Forward]


def place(route: Route, rules: list[dict[str, Any]], service: str) -> Place:
    """What of a load balancer's rules matters to a release of one route."""
    here = [rule for rule in rules if listener_of(rule["RuleArn"]) == route.listener]
    own = _standby_among(here, service)
    production = next(
        r for r in here if (r["IsDefault"] if route.arn == route.listener else r["RuleArn"] == route.arn)
    )
    taken = {str(rule["Priority"]) for rule in here if rule is not own} - {"default"}
    others = {r["RuleArn"]: forward_of(r["Actions"]) for r in rules if r is not own and r is not production}
    standby = forward_of(own["Actions"]) if own else None
    return Place(taken=frozenset(int(priority) for priority in taken), standby=standby, others=others)


def listener_of(rule: str) -> str:
    """The listener of a rule, by its ARN."""
    return rule.replace(":listener-rule/", ":listener/").rpartition("/")[0]


def set_standby(listener: str, standby: Standby, wanted: Forward, tags: dict[str, str], fence: Fence) -> str:
    """Makes the service's standby rule forward as wanted, creating it if there is none; answers with its ARN."""
    actions = [action(wanted, listener)]
    conditions = [as_asked(condition) for condition in standby.conditions]
    writer = clients.writer("elbv2")
    if (rule := find_standby(listener, tags[names.SERVICE])) is None:
        with ledger.mutation(fence, "CreateRule", listener, after=wanted) as entry:
            made = writer.create_rule(
                ListenerArn=listener,
                Priority=standby.priority,
                Conditions=conditions,
                Actions=actions,
                Tags=tag_list(tags),
            )
            entry.shown = str(made["Rules"][0]["RuleArn"])
        return str(entry.shown)
    arn = str(rule["RuleArn"])
    if forward_of(rule["Actions"]) != wanted or [as_asked(c) for c in rule["Conditions"]] != conditions:
        with ledger.mutation(fence, "ModifyRule", arn, before=forward_of(rule["Actions"]), after=wanted):
            writer.modify_rule(RuleArn=arn, Conditions=conditions, Actions=actions)
    return arn


def find_standby(listener: str, service: str) -> dict[str, Any] | None:
    """The rule whose header condition carries this service's standby value."""
    return _standby_among(rules_of(listener), service)


def _standby_among(rules: list[dict[str, Any]], service: str) -> dict[str, Any] | None:
    for rule in rules:
        for condition in rule["Conditions"]:
            header = condition.get("HttpHeaderConfig", {})
            if header.get("HttpHeaderName") == names.STANDBY_HEADER and any(
                value.startswith(f"{service}.") for value in header.get("Values", [])
            ):
                return rule
    return None


def everywhere() -> list[dict[str, Any]]:
    """Every rule of every Application Load Balancer in the Region, default ones included."""
    return [rule for listener in listeners("application") for rule in rules_of(str(listener["ListenerArn"]))]


def listeners(kind: str) -> list[dict[str, Any]]:
    """Every listener of the Region's load balancers of this type."""
    pages = clients.reader("elbv2").get_paginator("describe_load_balancers").paginate()
    arns = [
        str(balancer["LoadBalancerArn"])
        for page in pages
        for balancer in page["LoadBalancers"]
        if balancer["Type"] == kind
    ]
    return [listener for arn in arns for listener in listeners_of(arn)]


def listeners_of(load_balancer: str) -> list[dict[str, Any]]:
    """Every listener of a load balancer."""
    pages = (
        clients.reader("elbv2").get_paginator("describe_listeners").paginate(LoadBalancerArn=load_balancer)
    )
    return [dict(listener) for page in pages for listener in page["Listeners"]]


def forwards_everywhere() -> dict[str, Forward]:
    """Where each rule of the Region, and each listener that has none, forwards to, by its ARN."""
    rules = {str(rule["RuleArn"]): forward_of(rule["Actions"]) for rule in everywhere()}
    plain = {str(each["ListenerArn"]): forward_of(each["DefaultActions"]) for each in listeners("network")}
    return rules | plain


def left() -> list[Thing]:
    """Every standby rule that a release made."""
    standing = [str(rule["RuleArn"]) for rule in everywhere() if is_standby(rule)]
    return leftovers.things(thing("standby rule", arn, tags) for arn, tags in tags_of(standing).items())


def is_standby(rule: dict[str, Any]) -> bool:
    """Whether a release made a rule, to keep the side that isn't serving in use."""
    headers = [condition.get("HttpHeaderConfig", {}) for condition in rule.get("Conditions", [])]
    return any(header.get("HttpHeaderName") == names.STANDBY_HEADER for header in headers)


def standby_forward(listener: str, service: str) -> Forward | None:
    """Where a service's standby rule forwards to; None if it has none."""
    rule = find_standby(listener, service)
    return forward_of(rule["Actions"]) if rule else None


def forwards(listener: str, service: str, target_group: str) -> bool:
    """Whether anything but the service's standby rule gives a target group traffic on this listener."""
    rules = rules_of(listener)
    standby = _standby_among(rules, service)
    return any(forward_of(rule["Actions"]).of(target_group) for rule in rules if rule is not standby)


def delete_standby(listener: str, service: str, fence: Fence) -> None:
    """Deletes the service's standby rule, if it stands."""
    client = clients.writer("elbv2")
    if (rule := find_standby(listener, service)) is not None:
        with (
            ledger.mutation(fence, "DeleteRule", rule["RuleArn"]),
            suppress(client.exceptions.RuleNotFoundException),  # another try was quicker
        ):
            client.delete_rule(RuleArn=rule["RuleArn"])


def _found(route: str, call: str, **which: list[str]) -> dict[str, Any]:
    client = clients.reader("elbv2")
    try:
        return dict(getattr(client, call)(**which))
    except (client.exceptions.ListenerNotFoundException, client.exceptions.RuleNotFoundException):
        raise Refusal("route", route, "Register a listener or rule that exists.") from None


def _route(arn: str, listener: dict[str, Any], actions: Any) -> Route:
    return Route(
        arn=arn,
        listener=listener["ListenerArn"],
        load_balancer=listener["LoadBalancerArn"],
        protocol=listener["Protocol"],
        port=int(listener["Port"]),
        actions=tuple(actions),
        forward=forward_of(actions),
    )


def forward_of(actions: Any) -> Forward:
    """What the actions of a rule or a listener mean; no weights at all where it forwards nothing."""
    for action in actions:
        if action["Type"] == "forward":
            config = action.get("ForwardConfig") or {
                "TargetGroups": [{"TargetGroupArn": action["TargetGroupArn"]}]
            }
            sticky = config.get("TargetGroupStickinessConfig", {})
            enabled = str(sticky.get("Enabled", False)).lower() == "true"
            groups = config["TargetGroups"]
            return Forward(
                weights={group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups},
                sticky_seconds=int(sticky.get("DurationSeconds", 3600)) if enabled else 0,
            )
    return Forward(weights={})


def action(forward: Forward, of: str, like: dict[str, Any] | None = None) -> dict[str, Any]:
    """The forward action of a rule or listener; a Network Load Balancer's knows neither order nor group stickiness."""
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in forward.weights.items()]
    if network.is_network(of):
        return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    sticky: dict[str, Any] = {"Enabled": forward.sticky_seconds > 0}
    if forward.sticky_seconds:
        sticky["DurationSeconds"] = forward.sticky_seconds
    config = {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky}
    order = {"Order": like["Order"]} if like and "Order" in like else {}
    return {"Type": "forward", **order, "ForwardConfig": config}


def _kept(action: dict[str, Any]) -> dict[str, Any]:
    """Another action of the rule, as Modify takes it back: AWS never shows an OpenID client's secret, but keeps it."""
    if action["Type"] != "authenticate-oidc":
        return action
    config = {**action["AuthenticateOidcConfig"], "UseExistingClientSecret": True}
    return {**action, "AuthenticateOidcConfig": config}


def as_asked(condition: dict[str, Any]) -> dict[str, Any]:
    """A condition as Create and Modify take it: `Values` beside a config of the same is refused."""
    config = {key: value for key, value in condition.items() if key.endswith("Config") and value}
    return {"Field": condition["Field"], **(config or {"Values": condition.get("Values", [])})}


def rules_of(listener: str) -> list[dict[str, Any]]:
    """Every rule of a listener, its default one included."""
    pages = clients.reader("elbv2").get_paginator("describe_rules").paginate(ListenerArn=listener)
    return [rule for page in pages for rule in page["Rules"]]


def tag_list(values: dict[str, str]) -> list[dict[str, str]]:
    """Tags as Elastic Load Balancing takes them, and attributes too."""
    return [{"Key": key, "Value": value} for key, value in values.items()]
