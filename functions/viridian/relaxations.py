"""Where green is less secure than blue: refused, unless it is asked for by name and with a reason."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec

from viridian.errors import Refusal
from viridian.overrides import Setup
from viridian.request import Overrides, Relaxation


class Ingress(msgspec.Struct, frozen=True, kw_only=True):
    """Who may connect to what: `source` is a range of addresses, a security group or a prefix list."""

    group: str
    protocol: str
    source: str
    low: int = -1
    high: int = -1

    def covers(self, other: "Ingress") -> bool:
        """Whether this lets in everybody whom the other lets in."""
        return self._takes(other) and _within(other.source, self.source)

    def _takes(self, other: "Ingress") -> bool:
        """ICMP has a type and a code where TCP and UDP have a range of ports; -1 is all of them."""
        if self.protocol == "-1":
            return True
        if self.protocol != other.protocol:
            return False
        same = (self.low, self.high) == (other.low, other.high)
        ranged = self.protocol in ("tcp", "udp") and self.low <= other.low and other.high <= self.high
        return self.low == -1 or same or (ranged and other.low != -1)

    def __str__(self) -> str:
        ports = (
            "" if self.low == -1 else f" {self.low}" if self.low == self.high else f" {self.low}-{self.high}"
        )
        protocol = "everything" if self.protocol == "-1" else self.protocol
        return f"{self.group} lets in {protocol}{ports} from {self.source}"


class Security(msgspec.Struct, frozen=True, kw_only=True):
    """What of a fleet's setup is compared; `encrypted` is by device name."""

    setup: Setup
    role: str | None = None
    ingress: tuple[Ingress, ...] = ()
    encrypted: dict[str, bool] = {}


def found(blue: Security, green: Security) -> dict[Relaxation, str]:
    """How green is less secure than blue, in words by the name that allows it."""
    words: dict[Relaxation, str] = {}
    for name in get_args(Relaxation):
        if said := "; ".join(_FINDERS[name](blue, green)):
            words[name] = said
    return words


def ensure_named(relaxed: Mapping[Relaxation, str], fleet: Overrides) -> None:
    """Refuses the first relaxation that nobody has asked for by its name."""
    for name, words in relaxed.items():
        if name not in fleet.relax:
            fix = f'Green would be less secure than blue: if that is meant, add "relax": ["{name}"] and a "reason".'
            raise Refusal("fleet.relax", f"{name}: {words}", fix)


def encrypted(image: Mapping[str, Any], setup: Setup) -> dict[str, bool]:
    """Which disks are encrypted: what the template says counts, then what the image brings."""
    brought = {
        each["DeviceName"]: each["Ebs"] for each in image.get("BlockDeviceMappings", []) if "Ebs" in each
    }
    disks = {
        device: {**brought.get(device, {}), **setup.disks().get(device, {})}
        for device in (*brought, *setup.disks())
    }
    return {device: bool(volume.get("Encrypted")) for device, volume in disks.items()}


def _imdsv2(blue: Security, green: Security) -> Iterator[str]:
    """A template that says nothing may still need tokens, by its image or its account."""
    was, wanted = (each.setup.template.get("MetadataOptions", {}).get("HttpTokens") for each in (blue, green))
    if wanted == "optional" != was:
        yield "http_tokens optional"


def _security_groups(blue: Security, green: Security) -> Iterator[str]:
    for rule in green.ingress:
        if not any(standing.covers(rule) for standing in blue.ingress):
            yield str(rule)


def _instance_profile(blue: Security, green: Security) -> Iterator[str]:
    if green.role != blue.role:
        yield f"role {green.role} in the place of {blue.role or 'none'}"


def _encryption(blue: Security, green: Security) -> Iterator[str]:
    """A disk that blue has not is measured by the best that blue has."""
    for device, safe in green.encrypted.items():
        if not safe and blue.encrypted.get(device, any(blue.encrypted.values())):
            yield f"disk {device} not encrypted"


def _public_address(blue: Security, green: Security) -> Iterator[str]:
    if green.setup.is_public() and not blue.setup.is_public():
        yield "a public address"


_FINDERS = {
    "imdsv2": _imdsv2,
    "security_groups": _security_groups,
    "instance_profile": _instance_profile,
    "encryption": _encryption,
    "public_address": _public_address,
}


def _within(inner: str, outer: str) -> bool:
    """Every address of a network lies within 0.0.0.0/0, those of a security group's members too."""
    if inner == outer:
        return True
    if "/" not in outer:
        return False
    if "/" not in inner:
        return outer == "0.0.0.0/0" and inner.startswith("sg-")
    one, other = ipaddress.ip_network(inner, strict=False), ipaddress.ip_network(outer, strict=False)
    return isinstance(one, type(other)) and one.subnet_of(other)  # type: ignore[arg-type]
