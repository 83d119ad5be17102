"""How green differs from blue, in words: part of the plan, and so of the record."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from viridian.overrides import Setup

_NOTHING = "not said"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that green has otherwise than blue."""

    field: str
    blue: str
    green: str


def between(blue: Mapping[str, str], green: Mapping[str, str]) -> tuple[Change, ...]:
    """What differs between two descriptions, in their order."""
    return tuple(
        Change(field=field, blue=blue.get(field) or _NOTHING, green=green.get(field) or _NOTHING)
        for field in dict.fromkeys((*blue, *green))
        if blue.get(field, "") != green.get(field, "")
    )


def describe(image: str, setup: Setup) -> dict[str, str]:
    """A fleet by everything that a release may change of it; what isn't said is empty."""
    template = setup.template
    metadata, public = template.get("MetadataOptions", {}), setup.is_public()
    return {
        "image": image,
        "instance type": ", ".join(setup.instance_types()),
        "security groups": ", ".join(setup.security_groups()),
        "instance profile": profile(template),
        "user data": _digest(template.get("UserData", "")),
        "metadata http_tokens": metadata.get("HttpTokens", ""),
        "metadata hop_limit": str(metadata.get("HttpPutResponseHopLimit", "")),
        "public address": "" if public is None else "yes" if public else "no",
        **{f"disk {device}": _disk(volume) for device, volume in setup.disks().items()},
        "MinSize": str(setup.minimum),
        "MaxSize": str(setup.maximum),
        **{f"target of {policy}": f"{value:.12g}" for policy, value in setup.targets.items()},
    }


def profile(template: Mapping[str, Any]) -> str:
    """The name of a launch template's instance profile; nothing if it has none."""
    named = template.get("IamInstanceProfile", {})
    return str(named.get("Name") or named.get("Arn", "").rsplit("/", 1)[-1])


def _digest(user_data: str) -> str:
    """Enough to tell two scripts apart, and nothing of what they say."""
    script = base64.b64decode(user_data)
    return f"{len(script)} bytes, sha256 {hashlib.sha256(script).hexdigest()[:12]}" if script else ""


def _disk(volume: Mapping[str, Any]) -> str:
    key = volume.get("KmsKeyId")
    encrypted = {True: "encrypted", False: "not encrypted"}.get(volume.get("Encrypted", ""), "")
    said = (
        ("VolumeSize", "{} GiB"),
        ("VolumeType", "{}"),
        ("Iops", "{} IOPS"),
        ("Throughput", "{} MiB/s"),
        ("SnapshotId", "from {}"),
    )
    words = [form.format(volume[name]) for name, form in said if name in volume]
    return (
        ", ".join(filter(None, (*words, f"{encrypted} with {key}" if key else encrypted))) or "as the image"
    )
