"""What Elastic Load Balancing refuses and moto accepts (aws-facts.md E1, E2, E3, E11, E12, E16).

Of Network Load Balancers: https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html
(which target group a listener takes, and its attributes), .../network/load-balancer-listeners.html (weights), and
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html (no rules, but for dual-stack ones).
"""

from typing import Any

from moto.elbv2.exceptions import (
    DuplicateListenerError,
    DuplicateLoadBalancerName,
    DuplicateTargetGroupName,
    ELBClientError,
    InvalidTargetError,
    ListenerNotFoundError,
    RuleNotFoundError,
)
from moto.elbv2.models import ELBv2Backend, FakeAction, FakeLoadBalancer, FakeTargetGroup

from local.hooks import Hooks

GROUPS_PER_ACTION = 5
RULES_PER_BALANCER = 100
TAGS_PER_RESOURCE = 50
HEALTH = "target_group_health"
APPLICATION_DEFAULTS = {
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "slow_start.duration_seconds": "0",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.enabled": "false",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.type": "lb_cookie",
    f"{HEALTH}.dns_failover.minimum_healthy_targets.count": "1",
    f"{HEALTH}.dns_failover.minimum_healthy_targets.percentage": "off",
    f"{HEALTH}.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    f"{HEALTH}.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
NETWORK_DEFAULTS = {
    "deregistration_delay.connection_termination.enabled": "false",
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
    f"{HEALTH}.dns_failover.minimum_healthy_targets.count": "1",
    f"{HEALTH}.dns_failover.minimum_healthy_targets.percentage": "off",
    f"{HEALTH}.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    f"{HEALTH}.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}
DEFAULTS = {
    **dict.fromkeys(("HTTP", "HTTPS"), APPLICATION_DEFAULTS),
    **dict.fromkeys(("TCP", "TLS"), NETWORK_DEFAULTS),
}
# The protocols of the target groups that a Network Load Balancer's listener of this protocol takes.
TAKES = {
    "TCP": ("TCP", "TCP_UDP"),
    "TLS": ("TCP", "TLS"),
    "UDP": ("UDP", "TCP_UDP"),
    "TCP_UDP": ("TCP_UDP",),
}


def install(hooks: Hooks) -> None:
    hooks.wrap(ELBv2Backend, "create_load_balancer", _create_load_balancer)
    hooks.wrap(FakeAction, "__init__", _action)
    hooks.wrap(FakeTargetGroup, "__init__", _target_group)
    hooks.wrap(FakeLoadBalancer, "__init__", _load_balancer)
    hooks.wrap(ELBv2Backend, "create_listener", _create_listener)
    hooks.wrap(ELBv2Backend, "modify_listener", _modify_listener)
    hooks.wrap(ELBv2Backend, "create_rule", _create_rule)
    hooks.wrap(ELBv2Backend, "modify_rule", _modify_rule)
    hooks.wrap(ELBv2Backend, "delete_rule", _delete_rule)
    for name in ("delete_listener", "delete_load_balancer"):
        hooks.wrap(ELBv2Backend, name, _then_associate)
    hooks.wrap(ELBv2Backend, "describe_tags", _describe_tags)
    hooks.wrap(ELBv2Backend, "create_target_group", _create_target_group)
    hooks.wrap(ELBv2Backend, "modify_target_group_attributes", _modify_attributes)
    hooks.wrap(FakeTargetGroup, "register", _register)
    hooks.set(ELBv2Backend, "add_tags", _add_tags)


def _create_load_balancer(original: Any, backend: ELBv2Backend, *arguments: Any, **named: Any) -> Any:
    """A load balancer's kind is in its ARN; moto calls all of them `app`.

    Asked for once more with the same settings it is the one that stands; moto makes another of its name.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    before = list(backend.load_balancers.values())
    balancer = original(backend, *arguments, **named)
    if standing := next((each for each in before if each.name == balancer.name), None):
        del backend.load_balancers[balancer.arn]
        backend.tagging_service.delete_all_tags_for_resource(balancer.arn)
        if _settings(standing) != _settings(balancer):
            raise DuplicateLoadBalancerName
        return standing
    if balancer.type == "network":
        was, balancer.arn = balancer.arn, balancer.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
        backend.load_balancers[balancer.arn] = backend.load_balancers.pop(was)
        backend.tagging_service.copy_tags(was, balancer.arn)
        backend.tagging_service.delete_all_tags_for_resource(was)
    return balancer


def _settings(balancer: FakeLoadBalancer) -> tuple[Any, ...]:
    subnets = sorted(subnet.id for subnet in balancer.subnets)
    return (
        balancer.type,
        balancer.scheme,
        balancer.ip_address_type,
        subnets,
        sorted(balancer.security_groups or ()),
    )


def _load_balancer(original: Any, balancer: Any, *arguments: Any, **named: Any) -> None:
    """Zones are always balanced across on an Application Load Balancer; only its target groups may say otherwise."""
    original(balancer, *arguments, **named)
    if balancer.type == "application":
        balancer.attrs["load_balancing.cross_zone.enabled"] = "true"


def groups_of(action: dict[str, Any]) -> list[dict[str, Any]]:
    """The (group, weight) pairs that a forward action names, however it names them."""
    if "ForwardConfig" in action:
        return list(action["ForwardConfig"].get("TargetGroups", []))
    return [{"TargetGroupArn": action["TargetGroupArn"]}] if action.get("TargetGroupArn") else []


def associate(backend: ELBv2Backend) -> None:
    """A group belongs to the load balancer whose rules name it now; moto only ever adds."""
    for group in backend.target_groups.values():
        group.load_balancer_arns = []
    for balancer in backend.load_balancers.values():
        for listener in balancer.listeners.values():
            for rule in listener.rules.values():
                for arn in (
                    pair["TargetGroupArn"] for action in rule.actions for pair in groups_of(action.data)
                ):
                    named = backend.target_groups.get(arn)
                    if named and balancer.arn not in named.load_balancer_arns:
                        named.load_balancer_arns.append(balancer.arn)


def _action(original: Any, action: FakeAction, data: dict[str, Any]) -> None:
    """AWS shows a forward to one group in both its forms, and one to several only as ForwardConfig."""
    data = dict(data)
    if data.get("Type") == "forward":
        pairs = [{"Weight": 1, **pair} for pair in groups_of(data)]
        data["ForwardConfig"] = {
            "TargetGroupStickinessConfig": {"Enabled": False},
            **data.get("ForwardConfig", {}),
            "TargetGroups": pairs,
        }
        data.pop("TargetGroupArn", None)
        if len(pairs) == 1:
            data["TargetGroupArn"] = pairs[0]["TargetGroupArn"]
    original(action, data)


def _target_group(original: Any, group: FakeTargetGroup, *arguments: Any, **named: Any) -> None:
    original(group, *arguments, **named)
    if group.protocol in DEFAULTS:
        group.attributes = dict(DEFAULTS[group.protocol])


def _check_actions(backend: ELBv2Backend, balancer: str, actions: list[dict[str, Any]] | None) -> None:
    for action in actions or []:
        if action.get("Type") == "forward":
            _check_forward(backend, balancer, action)


def _check_forward(backend: ELBv2Backend, balancer: str, action: dict[str, Any]) -> None:
    pairs = groups_of(action)
    arns = [pair["TargetGroupArn"] for pair in pairs]
    weights = [pair.get("Weight", 1 if len(pairs) == 1 else None) for pair in pairs]
    named = action.get("TargetGroupArn")
    if not pairs or (named and arns != [named]):
        raise ELBClientError(
            "ValidationError", "A forward action must name its target groups, and name them once"
        )
    if len(pairs) > GROUPS_PER_ACTION:
        raise ELBClientError(
            "InvalidLoadBalancerAction", f"Forward actions can have at most {GROUPS_PER_ACTION} target groups"
        )
    if not all(isinstance(weight, int) and 0 <= weight <= 999 for weight in weights):
        raise ELBClientError(
            "ValidationError", "The weight for each target group must be between 0 and 999, inclusive"
        )
    if not any(weights):
        raise ELBClientError(
            "InvalidLoadBalancerAction", "At least one target group must have a weight above 0"
        )
    if missing := [arn for arn in arns if arn not in backend.target_groups]:
        raise ELBClientError("TargetGroupNotFound", f"Target groups '{', '.join(missing)}' not found")
    groups = [backend.target_groups[arn] for arn in arns]
    if taken := [group.arn for group in groups if set(group.load_balancer_arns) - {balancer}]:
        raise ELBClientError(
            "TargetGroupAssociationLimit",
            "The following target groups cannot be associated with more than one load balancer:"
            f" {', '.join(taken)}",
        )
    _check_stickiness(groups, action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {}))


def _check_stickiness(groups: list[FakeTargetGroup], group_stickiness: dict[str, Any]) -> None:
    enabled = _true(group_stickiness.get("Enabled"))
    if enabled and not 1 <= int(group_stickiness.get("DurationSeconds") or 0) <= 604800:
        raise ELBClientError(
            "ValidationError", "Target group stickiness duration must be between 1 and 604800 seconds"
        )
    sticky = [group.arn for group in groups if _true(group.attributes.get("stickiness.enabled"))]
    if len(groups) > 1 and sticky and not enabled:
        raise ELBClientError(
            "InvalidConfigurationRequest",
            "You must enable target group stickiness on a rule when one of its groups has stickiness enabled:"
            f" {', '.join(sticky)}",
        )


def _create_listener(
    original: Any, backend: ELBv2Backend, load_balancer_arn: str, *rest: Any, **named: Any
) -> Any:
    protocol, port = (named[key] if key in named else rest[at] for at, key in enumerate(("protocol", "port")))
    actions = named["actions"] if "actions" in named else rest[4]
    _check_port(backend, load_balancer_arn, port)
    _check_actions(backend, load_balancer_arn, actions)
    _check_protocols(backend, protocol, actions)
    return _then_associate(original, backend, load_balancer_arn, *rest, **named)


def _modify_listener(original: Any, backend: ELBv2Backend, arn: str, *rest: Any, **named: Any) -> Any:
    listener = backend.describe_listeners(None, [arn])[0]
    actions = named["actions"] if "actions" in named else (rest[4] if len(rest) > 4 else None)
    port = named["port"] if "port" in named else (rest[0] if rest else None)
    if port is not None and port != listener.port:
        _check_port(backend, listener.load_balancer_arn, port)
    _check_actions(backend, listener.load_balancer_arn, actions)
    _check_protocols(backend, listener.protocol, actions)
    return _then_associate(original, backend, arn, *rest, **named)


def _check_port(backend: ELBv2Backend, balancer: str, port: Any) -> None:
    """moto looks for the port among ARNs."""
    standing = (
        backend.load_balancers[balancer].listeners.values() if balancer in backend.load_balancers else ()
    )
    if any(str(each.port) == str(port) for each in standing):
        raise DuplicateListenerError


def _check_protocols(backend: ELBv2Backend, protocol: str, actions: list[dict[str, Any]] | None) -> None:
    for arn in (pair["TargetGroupArn"] for action in actions or [] for pair in groups_of(action)):
        told = backend.target_groups[arn].protocol
        if told not in TAKES.get(protocol, (told,)):
            raise ELBClientError(
                "IncompatibleProtocols", f"A {protocol} listener takes no {told} target group: {arn}"
            )


def _create_rule(
    original: Any,
    backend: ELBv2Backend,
    listener_arn: str,
    conditions: Any,
    priority: Any,
    actions: Any,
    tags: Any = None,
) -> Any:
    listener = backend.describe_listeners(None, [listener_arn])[0]
    balancer = backend.load_balancers[listener.load_balancer_arn]
    if balancer.type == "network" and balancer.ip_address_type != "dualstack":
        raise ELBClientError(
            "InvalidConfigurationRequest", f"Rules are not supported for listener '{listener_arn}'"
        )
    if sum(len(each.rules) - 1 for each in balancer.listeners.values()) >= RULES_PER_BALANCER:
        raise ELBClientError(
            "TooManyRules", f"The maximum number of rules on load balancer '{balancer.arn}' is reached"
        )
    if not 1 <= int(priority) <= 50000:
        raise ELBClientError("ValidationError", f"Priority '{priority}' must be between 1 and 50000")
    _check_actions(backend, balancer.arn, actions)
    return _then_associate(original, backend, listener_arn, conditions, priority, actions, tags)


def _modify_rule(original: Any, backend: ELBv2Backend, rule_arn: str, conditions: Any, actions: Any) -> Any:
    rule = _rule(backend, rule_arn)
    if rule.is_default:
        raise ELBClientError("OperationNotPermitted", f"Default rule '{rule_arn}' cannot be modified")
    listener = backend.describe_listeners(None, [rule.listener_arn])[0]
    _check_actions(backend, listener.load_balancer_arn, actions)
    return _then_associate(original, backend, rule_arn, conditions, actions)


def _delete_rule(original: Any, backend: ELBv2Backend, arn: str) -> None:
    if _rule(backend, arn).is_default:
        raise ELBClientError("OperationNotPermitted", f"Default rule '{arn}' cannot be deleted")
    _then_associate(original, backend, arn)


def _rule(backend: ELBv2Backend, arn: str) -> Any:
    try:
        return backend.describe_rules(None, [arn])[0]
    except IndexError:
        raise RuleNotFoundError from None


def _then_associate(original: Any, backend: ELBv2Backend, *arguments: Any, **named: Any) -> Any:
    result = original(backend, *arguments, **named)
    associate(backend)
    return result


def _describe_tags(
    original: Any, backend: ELBv2Backend, resource_arns: list[str]
) -> dict[str, dict[str, str]]:
    """A listener that is gone has no tags, but an error, for all that was asked with it.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
    """
    standing = {arn for balancer in backend.load_balancers.values() for arn in balancer.listeners}
    if any(":listener/" in arn and arn not in standing for arn in resource_arns):
        raise ListenerNotFoundError
    told: dict[str, dict[str, str]] = original(backend, resource_arns)
    return told


def _create_target_group(original: Any, backend: ELBv2Backend, name: str, **asked: Any) -> FakeTargetGroup:
    """The same name with the same settings is the same group; moto refuses that too."""
    settings = {key: value for key, value in asked.items() if key != "tags"}
    standing: Any = next((group for group in backend.target_groups.values() if group.name == name), None)
    if standing is not None:
        if getattr(standing, "asked", None) == settings:
            return standing  # type: ignore[no-any-return]
        raise DuplicateTargetGroupName
    group = original(backend, name, **asked)
    group.asked = settings
    return group  # type: ignore[no-any-return]


def _register(original: Any, group: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
    """A group takes instances of its own VPC alone; moto takes all.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
    """
    for target in targets:
        instance = group.ec2_backend.get_instance_by_id(target["Id"])
        if instance is not None and instance.vpc_id != group.vpc_id:
            raise InvalidTargetError
    original(group, targets)


def _modify_attributes(original: Any, backend: ELBv2Backend, arn: str, attributes: dict[str, Any]) -> None:
    group = backend.target_groups.get(arn)
    if group and group.protocol in DEFAULTS:
        for key in attributes:
            if key not in DEFAULTS[group.protocol]:
                raise ELBClientError(
                    "ValidationError", f"Target group attribute key '{key}' is not recognized"
                )
    # An empty cookie name is what AWS shows for "none", and takes back.
    original(backend, arn, {key: value for key, value in attributes.items() if value != ""})


def _add_tags(backend: ELBv2Backend, resource_arns: list[str], tags: list[dict[str, str]]) -> None:
    for arn in resource_arns:
        backend._get_resource_by_arn(arn)
        held = set(backend.tagging_service.get_tag_dict_for_resource(arn)) | {tag["Key"] for tag in tags}
        if len(held) > TAGS_PER_RESOURCE:
            raise ELBClientError("TooManyTags", f"A resource can have at most {TAGS_PER_RESOURCE} tags")
        backend.tagging_service.tag_resource(arn, tags)


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
