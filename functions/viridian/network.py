"""A route by a Network Load Balancer: its listener has no rules, and knows of flows where others know of requests."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from viridian.errors import Refusal
from viridian.request import Profile, Thresholds
from viridian.traffic import Forward

PROTOCOLS = ("TCP", "TLS")
# What a preview listener has of the route's.
_CARRIED = ("Protocol", "SslPolicy", "AlpnPolicy")


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """A listener of a Network Load Balancer, and where it forwards to."""

    arn: str
    port: int
    forward: Forward


def is_network(arn: str) -> bool:
    """Whether this is a Network Load Balancer, or a listener of one."""
    return arn.split(":", 5)[5].split("/")[1] == "net"


def balancer(listener: str) -> str:
    """The load balancer that a listener belongs to."""
    return listener.replace(":listener/", ":loadbalancer/").rsplit("/", 1)[0]


def ensure_flows(protocol: str, sticky: bool) -> None:
    """Refuses a listener whose flows can't be followed, and target groups that bind a client's flows to one target."""
    if protocol not in PROTOCOLS:
        raise Refusal("route", f"a {protocol} listener", "Use a TCP or TLS listener: others have no preview.")
    if sticky:
        fix = "Turn its stickiness off: whom a client's address binds would not follow the weights."
        raise Refusal("route", "blue's target group has stickiness enabled", fix)


def ensure_measured(thresholds: Thresholds) -> None:
    """Refuses limits on what a Network Load Balancer doesn't measure."""
    usual = Thresholds()
    for field in ("error_percent", "latency_seconds"):
        if (value := getattr(thresholds, field)) != getattr(usual, field):
            fix = "Leave it out, and watch it by an alarm of the service's own, listed under guards."
            raise Refusal(f"thresholds.{field}", f"{value} on a Network Load Balancer", fix)


def ensure_no_rules(rules: Sequence[Mapping[str, Any]]) -> None:
    """Refuses a load balancer whose listeners have rules, as dual-stack ones may: nothing here follows where those lead."""
    if own := [str(rule["RuleArn"]) for rule in rules if not rule["IsDefault"]]:
        fix = (
            "Give such flows a load balancer of their own: a release moves a listener's default action alone."
        )
        raise Refusal("route", f"rules stand beside it: {', '.join(own)}", fix)


def ensure_port(profile: Profile, standing: Sequence[Listening]) -> int:
    """The port of the preview listener; a Refusal if it isn't named, or one of those that stand has it."""
    port = profile.preview_port
    if port is None:
        fix = "Name a free port of the load balancer, where green is reached before it gets traffic."
        raise Refusal("preview_port", "missing", fix)
    if holder := next((each.arn for each in standing if each.port == port), None):
        raise Refusal("preview_port", f"{port} is {holder}'s", "Name a port that no listener has.")
    return port


def ensure_no_port(profile: Profile) -> None:
    """Refuses a port for a preview where a header or a name leads to green."""
    if profile.preview_port is not None:
        fix = "Remove it: only a Network Load Balancer's route has a preview listener."
        raise Refusal("preview_port", profile.preview_port, fix)


def preview(told: Mapping[str, Any]) -> dict[str, Any]:
    """What CreateListener is asked for a preview of a listener, but for its port and where it forwards to."""
    asked = {key: told[key] for key in _CARRIED if told.get(key)}
    certificates = [{"CertificateArn": each["CertificateArn"]} for each in told.get("Certificates", [])]
    return {**asked, **({"Certificates": certificates} if certificates else {})}


def scheme(listener: str, health_check: str) -> str:
    """How green is asked through a listener of this protocol: its targets speak TLS if their health checks do."""
    return "HTTPS" if "TLS" in listener or health_check == "HTTPS" else "HTTP"
