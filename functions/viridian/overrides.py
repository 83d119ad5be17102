"""What green has that blue hasn't: what blue launches from and how it scales, changed as a release asks."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from viridian.errors import Refusal
from viridian.request import BlockDevice, Overrides

_FAST = ("gp3", "io1", "io2")  # the volume types that take IOPS


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a fleet launches from, as EC2 shows its launch template version; and how it scales.

    `types` are a mixed group's; `weighted` says whether that group weighs them.
    """

    template: dict[str, Any]
    minimum: int
    maximum: int
    types: tuple[str, ...] = ()
    weighted: bool = False
    targets: dict[str, float] = {}

    def instance_types(self) -> tuple[str, ...]:
        """Every type that the fleet may launch; none if that is said by requirements."""
        one = self.template.get("InstanceType")
        return self.types or ((one,) if one else ())

    def security_groups(self) -> tuple[str, ...]:
        """The security groups of its instances, wherever the template has them."""
        interfaces = self.template.get("NetworkInterfaces", [])
        of_interfaces = (group for interface in interfaces for group in interface.get("Groups", []))
        return tuple(dict.fromkeys((*self.template.get("SecurityGroupIds", []), *of_interfaces)))

    def is_public(self) -> bool | None:
        """Whether its instances get a public address; None if their subnet decides."""
        said = [each.get("AssociatePublicIpAddress") for each in self.template.get("NetworkInterfaces", [])]
        return True if True in said else next(iter(said), None)

    def disks(self) -> dict[str, dict[str, Any]]:
        """What the template says of each EBS volume, by device name."""
        mappings = self.template.get("BlockDeviceMappings", [])
        return {mapping["DeviceName"]: mapping["Ebs"] for mapping in mappings if "Ebs" in mapping}


def applied(blue: Setup, fleet: Overrides) -> Setup:
    """Green's setup; a Refusal where blue's leaves no room for what is asked."""
    _ensure_types(blue, fleet)
    for target in fleet.targets:
        if target.policy not in blue.targets:
            known = ", ".join(blue.targets) or "none"
            raise Refusal(
                "fleet.targets", target.policy, f"Name a target tracking policy of blue's: {known}."
            )
    return Setup(
        template={**blue.template, **template(blue.template, fleet)},
        types=fleet.instance_types or blue.types,
        weighted=blue.weighted,
        minimum=blue.minimum if fleet.min_size is None else fleet.min_size,
        maximum=blue.maximum if fleet.max_size is None else fleet.max_size,
        targets={**blue.targets, **targets(fleet)},
    )


def targets(fleet: Overrides) -> dict[str, float]:
    """The target values that are asked for, by the names of their policies."""
    return {target.policy: target.value for target in fleet.targets}


def template(blue: Mapping[str, Any], fleet: Overrides) -> dict[str, Any]:
    """The members of blue's launch template that green has otherwise, each of them whole: EC2 replaces, never merges."""
    asked: dict[str, Any] = {}
    if fleet.instance_type:
        asked["InstanceType"] = fleet.instance_type
    if fleet.security_groups or fleet.public_address is not None:
        asked |= _network(blue, fleet)
    if fleet.instance_profile:
        asked["IamInstanceProfile"] = {"Name": fleet.instance_profile}
    if fleet.user_data:
        asked["UserData"] = base64.b64encode(fleet.user_data.encode()).decode()
    metadata = {
        "HttpTokens": fleet.metadata.http_tokens,
        "HttpPutResponseHopLimit": fleet.metadata.hop_limit,
    }
    if said := {name: value for name, value in metadata.items() if value is not None}:
        was = {name: value for name, value in blue.get("MetadataOptions", {}).items() if name != "State"}
        asked["MetadataOptions"] = {**was, **said}
    if fleet.block_devices:
        asked["BlockDeviceMappings"] = _disks(blue.get("BlockDeviceMappings", []), fleet.block_devices)
    return asked


def on_image(disks: Sequence[Mapping[str, Any]], root: str | None) -> list[dict[str, Any]]:
    """Disks beside another image: each keeps the snapshot that it is made of, but the root disk has the image's."""
    own = [dict(disk) for disk in disks]
    for disk in own:
        if disk["DeviceName"] == root and "Ebs" in disk:
            disk["Ebs"] = {name: value for name, value in disk["Ebs"].items() if name != "SnapshotId"}
    return own


def _ensure_types(blue: Setup, fleet: Overrides) -> None:
    if not (fleet.instance_type or fleet.instance_types):
        return
    if "InstanceRequirements" in blue.template:
        field = "fleet.instance_type" if fleet.instance_type else "fleet.instance_types"
        raise Refusal(
            field,
            "blue's launch template chooses types by requirements",
            "Change the requirements in the template.",
        )
    if fleet.instance_type and blue.types:
        fix = f"Use instance_types: blue's group launches {', '.join(blue.types)}."
        raise Refusal("fleet.instance_type", fleet.instance_type, fix)
    if blue.weighted and (new := [each for each in fleet.instance_types if each not in blue.types]):
        fix = f"Blue's group weighs its types: choose among {', '.join(blue.types)}."
        raise Refusal("fleet.instance_types", new[0], fix)


def _network(blue: Mapping[str, Any], fleet: Overrides) -> dict[str, Any]:
    """Security groups stand on the network interface if there is one: EC2 refuses them in both places."""
    groups, interfaces = list(fleet.security_groups), blue.get("NetworkInterfaces", [])
    if not interfaces and fleet.public_address is not None:
        fix = "Blue's launch template has no network interface: let the subnet decide, or give the template one."
        raise Refusal("fleet.public_address", fleet.public_address, fix)
    if len(interfaces) > 1 or any("NetworkInterfaceId" in each for each in interfaces):
        field = "fleet.security_groups" if groups else "fleet.public_address"
        fix = "Change them in the template: which of them is meant can't be said here."
        raise Refusal(field, "blue's launch template has several network interfaces, or a standing one", fix)
    if blue.get("SecurityGroups"):
        fix = "Name them by id in the template first: EC2 takes names or ids, not both."
        raise Refusal("fleet.security_groups", "blue's launch template has its groups by name", fix)
    if not interfaces:
        return {"SecurityGroupIds": groups}
    public = {} if fleet.public_address is None else {"AssociatePublicIpAddress": fleet.public_address}
    return {"NetworkInterfaces": [{**interfaces[0], **({"Groups": groups} if groups else {}), **public}]}


def _disks(blue: Sequence[Mapping[str, Any]], asked: Sequence[BlockDevice]) -> list[dict[str, Any]]:
    """All of blue's mappings, with what is asked for over them; a new disk goes when its instance does."""
    mappings = {mapping["DeviceName"]: dict(mapping) for mapping in blue}
    for index, disk in enumerate(asked):
        was = dict(mappings.get(disk.device, {}).get("Ebs", {"DeleteOnTermination": True}))
        if disk.type and disk.type != was.get("VolumeType"):  # what one type takes, another refuses
            was = {name: value for name, value in was.items() if name not in ("Iops", "Throughput")}
        if disk.encrypted is False:
            was.pop("KmsKeyId", None)
        said = {
            "VolumeSize": disk.size_gib,
            "VolumeType": disk.type,
            "Iops": disk.iops,
            "Throughput": disk.throughput,
            "Encrypted": disk.encrypted,
            "KmsKeyId": disk.kms_key,
        }
        volume = {**was, **{name: value for name, value in said.items() if value is not None}}
        _ensure_fast(f"fleet.block_devices[{index}]", volume)
        mappings[disk.device] = {"DeviceName": disk.device, "Ebs": volume}
    return list(mappings.values())


def _ensure_fast(field: str, volume: Mapping[str, Any]) -> None:
    kind = volume.get("VolumeType")
    if "Iops" in volume and kind not in _FAST:
        raise Refusal(f"{field}.iops", volume["Iops"], f"Say a type that takes it: {', '.join(_FAST)}.")
    if kind in ("io1", "io2") and "Iops" not in volume:
        raise Refusal(f"{field}.type", kind, "Say its iops too.")
    if "Throughput" in volume and kind != "gp3":
        raise Refusal(f"{field}.throughput", volume["Throughput"], "Say the type that takes it: gp3.")
