"""The load balancer's listeners and rules as its data plane sees them, read from moto."""

import fnmatch
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LAST = 1_000_000  # the default rule comes after every priority a user can give


@dataclass(frozen=True)
class Condition:
    """One condition of a rule; any of its values may match, `*` and `?` are wildcards."""

    field: str
    values: tuple[str, ...]
    header: str = ""


@dataclass(frozen=True)
class Fixed:
    """A response of the load balancer itself."""

    status: int
    body: str
    content_type: str


@dataclass(frozen=True)
class Rule:
    """Conditions, then the groups' weights or a fixed response; `sticky` is the cookie's life in seconds."""

    arn: str
    priority: int
    conditions: tuple[Condition, ...]
    weights: tuple[tuple[str, int], ...]
    sticky: int = 0
    fixed: Fixed | None = None


@dataclass(frozen=True)
class Listener:
    """A port of a load balancer and its rules, in the order in which they are tried.

    A `network` one has no rule but its default, and carries connections: nobody answers but targets.
    """

    arn: str
    load_balancer_arn: str
    dns_name: str
    port: int
    rules: tuple[Rule, ...]
    network: bool = False

    def groups(self) -> set[str]:
        return {group for rule in self.rules for group, _ in rule.weights}


@dataclass(frozen=True)
class Request:
    """What a rule can look at."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str]


def read(backend: Any) -> tuple[Listener, ...]:
    """Every listener of moto's ELBv2 backend."""
    return tuple(
        Listener(
            arn=listener.arn,
            load_balancer_arn=balancer.arn,
            dns_name=balancer.dns_name,
            port=int(listener.port),
            rules=tuple(sorted(map(_rule, list(listener.rules.values())), key=lambda rule: rule.priority)),
            network=balancer.type == "network",
        )
        for balancer in list(backend.load_balancers.values())
        for listener in list(balancer.listeners.values())
    )


def match(rules: Iterable[Rule], request: Request) -> Rule | None:
    """The first rule whose every condition holds."""
    return next((rule for rule in rules if all(_holds(c, request) for c in rule.conditions)), None)


def cookie_of(group: str) -> str:
    """The value of AWSALBTG that names a group; opaque to clients, as the real one is."""
    return hashlib.sha256(group.encode()).hexdigest()[:16]


def pinned(rule: Rule, cookies: str) -> str | None:
    """The group that the request's cookie names, while the rule still lists it (aws-facts E3)."""
    found = re.search(r"(?:^|;\s*)AWSALBTG=([0-9a-f]+)", cookies) if rule.sticky else None
    names = {cookie_of(group): group for group, _ in rule.weights}
    return names.get(found[1]) if found else None


def _rule(rule: Any) -> Rule:
    action = _last(rule.actions)
    forward = action.get("ForwardConfig") or {}
    tuples: Sequence[Mapping[str, Any]] = forward.get("TargetGroups") or (
        [{"TargetGroupArn": action["TargetGroupArn"]}] if action.get("TargetGroupArn") else []
    )
    return Rule(
        arn=rule.arn,
        priority=LAST if rule.priority == "default" else int(rule.priority),
        conditions=tuple(map(_condition, rule.conditions or [])),
        weights=tuple((entry["TargetGroupArn"], int(entry.get("Weight", 1))) for entry in tuples),
        sticky=_stickiness(forward.get("TargetGroupStickinessConfig") or {}),
        fixed=_fixed(action) if action.get("Type") == "fixed-response" else None,
    )


def _last(actions: Sequence[Any]) -> dict[str, Any]:
    return dict(actions[-1].data) if actions else {}


def _stickiness(config: Mapping[str, Any]) -> int:
    on = str(config.get("Enabled")).lower() == "true"
    return int(config.get("DurationSeconds") or 86400) if on else 0


def _fixed(action: Mapping[str, Any]) -> Fixed:
    config = action.get("FixedResponseConfig") or {}
    return Fixed(
        int(config.get("StatusCode", 200)),
        config.get("MessageBody") or "",
        config.get("ContentType") or "text/plain",
    )


def _condition(condition: Mapping[str, Any]) -> Condition:
    field = condition["Field"]
    config = condition.get("".join(word.capitalize() for word in field.split("-")) + "Config") or {}
    values = tuple(str(value) for value in config.get("Values") or condition.get("Values") or [])
    return Condition(field, values, config.get("HttpHeaderName", ""))


def _holds(condition: Condition, request: Request) -> bool:
    match condition.field:
        case "path-pattern":
            path = request.path.partition("?")[0]
            return any(_like(path, value) for value in condition.values)
        case "host-header":
            return any(_like(request.host.lower(), value.lower()) for value in condition.values)
        case "http-header":
            sent = {name.lower(): value for name, value in request.headers.items()}.get(
                condition.header.lower()
            )
            return sent is not None and any(_like(sent.lower(), value.lower()) for value in condition.values)
        case "http-request-method":
            return request.method in condition.values
        case _:
            return False


def _like(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))
