"""A load balancer that is to have a twin: what its clone takes over, what it has of its own, and what can't be cloned."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from viridian.errors import Refusal

# What CreateLoadBalancer, CreateListener and CreateRule take of what AWS shows.
CARRIED = ("SecurityGroups", "Scheme", "Type", "IpAddressType", "CustomerOwnedIpv4Pool", "IpamPools")
LISTENER = ("Protocol", "Port", "SslPolicy", "AlpnPolicy")
RULE = ("Transforms",)
SET = (
    "Name",
    "Subnets",
    "Tags",
    "LoadBalancerArn",
    "ListenerArn",
    "Certificates",
    "DefaultActions",
    "Actions",
)
SET_TOO = ("Conditions", "Priority", "MutualAuthentication")
LEFT = {
    "SubnetMappings": "it is for addresses of one's own, which an Application Load Balancer has from IpamPools alone",
    "EnablePrefixForIpv6SourceNat": "it is a Network Load Balancer's",
}
# What of a listener's mutual authentication AWS shows and doesn't take.
_SHOWN_ONLY = ("TrustStoreAssociationStatus",)
PROTECTION = "deletion_protection.enabled"


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """One listener: as AWS shows it, with its attributes, all its certificates, its rules and everybody's tags."""

    description: dict[str, Any]
    attributes: dict[str, str]
    certificates: tuple[str, ...]
    rules: tuple[dict[str, Any], ...]
    tags: dict[str, dict[str, str]]

    @property
    def arn(self) -> str:
        return str(self.description["ListenerArn"])

    @property
    def certificate(self) -> str | None:
        """The one that is offered where no other fits."""
        return next((str(each["CertificateArn"]) for each in self.description.get("Certificates", [])), None)

    @property
    def further(self) -> list[str]:
        """The others, in the order of their ARNs."""
        return sorted({*self.certificates} - {self.certificate})


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A load balancer with everything that hangs on it."""

    description: dict[str, Any]
    attributes: dict[str, str]
    tags: dict[str, str]
    listeners: tuple[Listening, ...]
    web_acl: str | None
    reserved: int = 0

    @property
    def name(self) -> str:
        return str(self.description["LoadBalancerName"])


def ensure_clonable(blue: Shape, target_group: str) -> None:
    """Refuses what a twin would lack, or could not be given."""
    kind, name = blue.description["Type"], blue.name
    if kind != "application":
        raise Refusal("route", f"{name} is a {kind} load balancer", "Use an Application Load Balancer.")
    if blue.reserved:
        fix = "Cancel the reservation for the release, or raise the weights slowly without it."
        raise Refusal(
            "route", f"{name} has {blue.reserved} capacity units reserved, its twin would have none", fix
        )
    for action in _actions(blue):
        if action["Type"].startswith("authenticate-"):
            fix = "Let the service ask who it is: AWS shows nobody an OpenID client's secret, and user pools are not lent."
            raise Refusal("route", f"a rule of {name} has an action {action['Type']}", fix)
        if others := {group for group in _groups(action) if group != target_group}:
            fix = "Let all its rules forward to the one target group that serves."
            raise Refusal("route", f"{name} forwards to {', '.join(sorted(others))} too", fix)


def first(blue: Shape, target_group: str) -> Listening:
    """The listener at which green is asked first: one that forwards, encrypted if there is one."""
    able = [each for each in blue.listeners if any(target_group in _groups(action) for action in _acts(each))]
    return min(able, key=lambda each: (each.description["Protocol"] != "HTTPS", each.description["Port"]))


def create(blue: Shape, name: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """What CreateLoadBalancer is asked, but for the form of the tags."""
    told = blue.description
    subnets = [zone["SubnetId"] for zone in told["AvailabilityZones"]]
    carried = {key: told[key] for key in CARRIED if told.get(key)}
    return {"Name": name, "Subnets": subnets, **carried, "Tags": own_tags(blue.tags, tags)}


def attributes(blue: Shape) -> dict[str, str]:
    """Green's attributes: blue's, but that it may be deleted; AWS takes no empty ones."""
    return {key: value for key, value in blue.attributes.items() if value != ""} | {PROTECTION: "false"}


def listener(blue: Listening, target_group: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """What CreateListener is asked: the same certificates, forwarding to another target group."""
    told = blue.description
    asked = {key: told[key] for key in LISTENER if told.get(key)}
    if default := blue.certificate:
        asked["Certificates"] = [{"CertificateArn": default}]
    if mutual := told.get("MutualAuthentication"):
        asked["MutualAuthentication"] = {k: v for k, v in mutual.items() if k not in _SHOWN_ONLY}
    own = own_tags(blue.tags.get(blue.arn, {}), tags)
    return {**asked, "DefaultActions": _swapped(told["DefaultActions"], target_group), "Tags": own}


def rule(
    blue: Listening, told: Mapping[str, Any], target_group: str, tags: Mapping[str, str]
) -> dict[str, Any]:
    """What CreateRule is asked, but for the form of conditions."""
    return {
        "Conditions": told["Conditions"],
        "Priority": int(told["Priority"]),
        "Actions": _swapped(told["Actions"], target_group),
        **{key: told[key] for key in RULE if told.get(key)},
        "Tags": own_tags(blue.tags.get(told["RuleArn"], {}), tags),
    }


def own_tags(theirs: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Its owner's tags, and ours; AWS's own can't be given."""
    return {k: v for k, v in theirs.items() if not k.startswith(("aws:", "viridian:"))} | dict(ours)


def _actions(blue: Shape) -> Iterator[dict[str, Any]]:
    for listening in blue.listeners:
        yield from _acts(listening)


def _acts(listening: Listening) -> Iterator[dict[str, Any]]:
    yield from listening.description["DefaultActions"]
    for told in listening.rules:
        yield from told["Actions"]


def _groups(action: Mapping[str, Any]) -> set[str]:
    named = {pair["TargetGroupArn"] for pair in action.get("ForwardConfig", {}).get("TargetGroups", [])}
    return named | ({action["TargetGroupArn"]} if action.get("TargetGroupArn") else set())


def _swapped(actions: list[dict[str, Any]], target_group: str) -> list[dict[str, Any]]:
    """The same actions, forwarding to another target group; AWS shows a single one in two forms, and takes either."""
    return [
        _forwarding(action, target_group) if action["Type"] == "forward" else action for action in actions
    ]


def _forwarding(action: Mapping[str, Any], target_group: str) -> dict[str, Any]:
    config = action.get("ForwardConfig", {})
    pairs = [{**pair, "TargetGroupArn": target_group} for pair in config.get("TargetGroups", [{}])]
    kept = {key: value for key, value in action.items() if key != "TargetGroupArn"}
    return {**kept, "ForwardConfig": {**config, "TargetGroups": pairs[:1]}}
