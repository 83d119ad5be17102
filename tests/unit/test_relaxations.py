"""What is less secure than blue is found, and refused unless it is named."""

from typing import Any

import msgspec
import pytest

from viridian import relaxations
from viridian.errors import Refusal
from viridian.overrides import Setup
from viridian.relaxations import Ingress, Security
from viridian.request import Overrides


def ingress(source: str = "10.0.0.0/16", low: int = 80, high: int = 80, protocol: str = "tcp") -> Ingress:
    return Ingress(group="sg-2", protocol=protocol, source=source, low=low, high=high)


def security(template: dict[str, Any] | None = None, **more: Any) -> Security:
    return Security(setup=Setup(template=template or {}, minimum=1, maximum=1), **more)


def tokens(said: str | None) -> Security:
    return security({"MetadataOptions": {"HttpTokens": said} if said else {}})


def address(public: bool | None) -> Security:
    interface = {} if public is None else {"AssociatePublicIpAddress": public}
    return security({"NetworkInterfaces": [interface]})


BEFORE_AND_AFTER: list[tuple[str, Security, Security, str]] = [
    ("tokens given up", tokens("required"), tokens("optional"), "imdsv2"),
    ("tokens where blue says nothing, and so may have to", tokens(None), tokens("optional"), "imdsv2"),
    ("tokens that were optional", tokens("optional"), tokens("optional"), ""),
    ("tokens asked for", tokens("optional"), tokens("required"), ""),
    ("an address", address(False), address(True), "public_address"),
    ("an address where the subnet decided", address(None), address(True), "public_address"),
    ("an address that was there", address(True), address(True), ""),
    ("an address less", address(True), address(False), ""),
    ("another role", security(role="a"), security(role="b"), "instance_profile"),
    ("a role where there was none", security(), security(role="b"), "instance_profile"),
    ("the same role", security(role="a"), security(role="a"), ""),
    ("a disk opened", security(encrypted={"a": True}), security(encrypted={"a": False}), "encryption"),
    ("a disk closed", security(encrypted={"a": False}), security(encrypted={"a": True}), ""),
    ("a disk that was open", security(encrypted={"a": False}), security(encrypted={"a": False}), ""),
    ("a new open disk", security(encrypted={"a": True}), security(encrypted={"a": True, "b": False}), "encryption"),
    ("a new open disk among open ones", security(encrypted={"a": False}), security(encrypted={"b": False}), ""),
    ("a door", security(ingress=(ingress(),)), security(ingress=(ingress(), ingress(low=22, high=22))), "security_groups"),
    ("a door to all", security(ingress=(ingress(),)), security(ingress=(ingress("0.0.0.0/0"),)), "security_groups"),
    ("a door less", security(ingress=(ingress(), ingress(low=22, high=22))), security(ingress=(ingress(),)), ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [each[1:] for each in BEFORE_AND_AFTER],
    ids=[each[0] for each in BEFORE_AND_AFTER],
)
def test_what_is_less_secure_is_found_by_its_name(before: Security, after: Security, name: str) -> None:
    assert list(relaxations.found(before, after)) == ([name] if name else [])


EVERYTHING = ingress("0.0.0.0/0", -1, -1, "-1")
COVERED: list[tuple[Ingress, Ingress, bool]] = [
    (ingress(), ingress(), True),
    (ingress("10.0.0.0/8"), ingress("10.0.1.0/24"), True),
    (ingress("10.0.1.0/24"), ingress("10.0.0.0/8"), False),
    (ingress("0.0.0.0/0"), ingress("::/0"), False),
    (ingress("::/0"), ingress("fd00::/8"), True),
    (ingress("0.0.0.0/0"), ingress("sg-1"), True),
    (ingress("0.0.0.0/0"), ingress("pl-1"), False),
    (ingress("10.0.0.0/8"), ingress("sg-1"), False),
    (ingress("::/0"), ingress("sg-1"), False),
    (ingress("sg-1"), ingress("sg-1"), True),
    (ingress("sg-1"), ingress("sg-2"), False),
    (ingress("sg-1"), ingress("10.0.0.0/32"), False),
    (ingress("pl-1"), ingress("pl-1"), True),
    (ingress(low=80, high=90), ingress(low=85, high=90), True),
    (ingress(low=80, high=90), ingress(low=85, high=91), False),
    (ingress(low=80, high=90), ingress(low=79, high=85), False),
    (ingress(protocol="tcp"), ingress(protocol="udp"), False),
    (ingress(protocol="-1", low=-1, high=-1), ingress(protocol="udp"), True),
    (ingress(protocol="tcp"), ingress(protocol="-1", low=-1, high=-1), False),
    (ingress(protocol="icmp", low=-1, high=-1), ingress(protocol="icmp", low=8, high=0), True),
    (ingress(protocol="icmp", low=8, high=0), ingress(protocol="icmp", low=-1, high=-1), False),
    (ingress(protocol="icmp", low=8, high=0), ingress(protocol="icmp", low=9, high=-1), False),
    (ingress(protocol="icmp", low=8, high=0), ingress(protocol="icmp", low=8, high=0), True),
    (ingress(low=-1, high=-1), ingress(), True),
    (ingress(), ingress(low=-1, high=-1), False),
    (EVERYTHING, EVERYTHING, True),
]


@pytest.mark.parametrize(("blue", "green", "covered"), COVERED, ids=str)
def test_a_door_is_no_wider_where_blues_lets_all_of_them_in(
    blue: Ingress, green: Ingress, covered: bool
) -> None:
    assert blue.covers(green) is covered


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (ingress(), "sg-2 lets in tcp 80 from 10.0.0.0/16"),
        (ingress(low=80, high=90), "sg-2 lets in tcp 80-90 from 10.0.0.0/16"),
        (EVERYTHING, "sg-2 lets in everything from 0.0.0.0/0"),
    ],
)
def test_a_door_is_told_in_words(rule: Ingress, words: str) -> None:
    assert str(rule) == words


def test_a_disk_is_encrypted_by_its_template_or_else_by_its_image() -> None:
    image = {
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}},
            {"DeviceName": "/dev/sdb", "Ebs": {"Encrypted": True}},
            {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral0"},
        ]
    }
    template = {
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}},
            {"DeviceName": "/dev/sdb", "Ebs": {"Encrypted": False}},
            {"DeviceName": "/dev/sdf", "Ebs": {}},
        ]
    }
    found = relaxations.encrypted(image, Setup(template=template, minimum=1, maximum=1))
    assert found == {"/dev/xvda": True, "/dev/sdb": False, "/dev/sdf": False}


def test_what_is_not_named_is_refused_with_the_name_to_give() -> None:
    relaxed = relaxations.found(
        security({"MetadataOptions": {"HttpTokens": "required"}}, role="a"),
        security({"MetadataOptions": {"HttpTokens": "optional"}}, role="b"),
    )
    named: dict[str, Any] = {"relax": ["imdsv2"], "reason": "the old agent knows no tokens"}
    with pytest.raises(Refusal) as refused:
        relaxations.ensure_named(relaxed, msgspec.convert(named, Overrides))
    assert refused.value.field == "fleet.relax"
    assert "instance_profile: role b in the place of a" in str(refused.value)
    assert '"relax": ["instance_profile"]' in refused.value.fix
    relaxations.ensure_named(
        relaxed, msgspec.convert({**named, "relax": ["imdsv2", "instance_profile"]}, Overrides)
    )
