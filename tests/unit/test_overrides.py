"""What green gets of blue's launch template: all that nobody asked to change, and what was asked for whole."""

import base64
from typing import Any

import msgspec
import pytest
from botocore.session import Session

from viridian import overrides
from viridian.errors import Refusal
from viridian.overrides import Setup
from viridian.request import Overrides

MODEL = Session().get_service_model("ec2")
BLUE: dict[str, Any] = {
    "ImageId": "ami-1",
    "InstanceType": "t2.small",
    "SecurityGroupIds": ["sg-1"],
    "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/shop"},
    "MetadataOptions": {"State": "applied", "HttpTokens": "optional", "HttpEndpoint": "enabled"},
    "BlockDeviceMappings": [
        {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Iops": 3000}},
        {"DeviceName": "/dev/sdb", "Ebs": {"SnapshotId": "snap-1", "Encrypted": True, "KmsKeyId": "key-1"}},
    ],
}
INTERFACE = {
    "DeviceIndex": 0,
    "Groups": ["sg-1"],
    "AssociatePublicIpAddress": False,
    "DeleteOnTermination": True,
}


def fleet(**asked: Any) -> Overrides:
    return msgspec.convert(asked, Overrides)


def changed(blue: dict[str, Any] = BLUE, **asked: Any) -> dict[str, Any]:
    """What is sent to EC2; all of it must be what CreateLaunchTemplateVersion knows."""
    found = overrides.template(blue, fleet(**asked))
    shape: Any = MODEL.shape_for("RequestLaunchTemplateData")
    assert set(found) <= set(shape.members)
    assert set(found.get("MetadataOptions", {})) <= set(shape.members["MetadataOptions"].members)
    return found


def setup(template: dict[str, Any] | None = None, **sizes: Any) -> Setup:
    return Setup(template=template or BLUE, **{"minimum": 2, "maximum": 9, "targets": {"cpu": 50.0}, **sizes})


def refused(blue: Setup, **asked: Any) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        overrides.applied(blue, fleet(**asked))
    return refusal.value


def test_nothing_asked_is_nothing_changed() -> None:
    assert changed() == {}
    assert overrides.applied(setup(), Overrides()) == setup()


TEMPLATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a type": ({"instance_type": "t3.small"}, {"InstanceType": "t3.small"}),
    "groups": ({"security_groups": ["sg-0abc1234"]}, {"SecurityGroupIds": ["sg-0abc1234"]}),
    "a profile": ({"instance_profile": "app"}, {"IamInstanceProfile": {"Name": "app"}}),
    "a script": (
        {"user_data": "#!/bin/sh\necho ü\n"},
        {"UserData": base64.b64encode("#!/bin/sh\necho ü\n".encode()).decode()},
    ),
    "tokens, and the rest of the metadata as it was": (
        {"metadata": {"http_tokens": "required"}},
        {"MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"}},
    ),
    "a hop limit alone": (
        {"metadata": {"hop_limit": 2}},
        {
            "MetadataOptions": {
                "HttpTokens": "optional",
                "HttpEndpoint": "enabled",
                "HttpPutResponseHopLimit": 2,
            }
        },
    ),
    "a mixed group's types are the group's business": ({"instance_types": ["t3.small", "t3a.small"]}, {}),
    "sizes and targets too": ({"min_size": 1, "targets": [{"policy": "cpu", "value": 60}]}, {}),
}


@pytest.mark.parametrize(("asked", "sent"), TEMPLATES.values(), ids=TEMPLATES)
def test_what_is_asked_for_is_sent_whole(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    assert changed(**asked) == sent


def test_a_bigger_disk_leaves_the_others_as_they_are() -> None:
    root, data = changed(block_devices=[{"device": "/dev/xvda", "size_gib": 20}])["BlockDeviceMappings"]
    assert root["Ebs"] == {"VolumeSize": 20, "VolumeType": "gp3", "Iops": 3000}
    assert data == BLUE["BlockDeviceMappings"][1]


def test_a_new_disk_goes_when_its_instance_does() -> None:
    *old, new = changed(
        block_devices=[{"device": "/dev/sdf", "size_gib": 5, "encrypted": True, "kms_key": "k"}]
    )["BlockDeviceMappings"]
    assert old == BLUE["BlockDeviceMappings"]
    assert new["Ebs"] == {"DeleteOnTermination": True, "VolumeSize": 5, "Encrypted": True, "KmsKeyId": "k"}


def test_a_disk_of_another_type_does_not_keep_what_only_the_old_one_takes() -> None:
    root = changed(block_devices=[{"device": "/dev/xvda", "type": "gp2"}])["BlockDeviceMappings"][0]
    assert root["Ebs"] == {"VolumeSize": 8, "VolumeType": "gp2"}


def test_a_disk_that_is_not_encrypted_has_no_key() -> None:
    data = changed(block_devices=[{"device": "/dev/sdb", "encrypted": False}])["BlockDeviceMappings"][1]
    assert data["Ebs"] == {"SnapshotId": "snap-1", "Encrypted": False}


def test_where_blue_has_a_network_interface_its_groups_stand_there() -> None:
    blue = {"NetworkInterfaces": [INTERFACE]}
    assert changed(blue, security_groups=["sg-0abc1234"]) == {
        "NetworkInterfaces": [{**INTERFACE, "Groups": ["sg-0abc1234"]}]
    }
    assert changed(blue, public_address=True) == {
        "NetworkInterfaces": [{**INTERFACE, "AssociatePublicIpAddress": True}]
    }


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "several interfaces": (
        {"NetworkInterfaces": [INTERFACE, {**INTERFACE, "DeviceIndex": 1}]},
        {"security_groups": ["sg-0abc1234"]},
        "fleet.security_groups",
        "several",
    ),
    "a standing interface": (
        {"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1"}]},
        {"public_address": False},
        "fleet.public_address",
        "standing",
    ),
    "no interface to say it on": (BLUE, {"public_address": True}, "fleet.public_address", "no network"),
    "groups by name": (
        {"SecurityGroups": ["web"]},
        {"security_groups": ["sg-0abc1234"]},
        "fleet.security_groups",
        "by name",
    ),
    "types by requirements": (
        {"InstanceRequirements": {}},
        {"instance_type": "t3.small"},
        "fleet.instance_type",
        "requirements",
    ),
    "IOPS that the type has not": (
        BLUE,
        {"block_devices": [{"device": "/dev/xvda", "type": "gp2", "iops": 4000}]},
        "fleet.block_devices[0].iops",
        "4000",
    ),
    "IOPS on a disk of no type": (
        BLUE,
        {"block_devices": [{"device": "/dev/sdb", "iops": 4000}]},
        "fleet.block_devices[0].iops",
        "gp3",
    ),
    "a type without its IOPS": (
        BLUE,
        {"block_devices": [{"device": "/dev/xvda", "type": "io2"}]},
        "fleet.block_devices[0].type",
        "iops",
    ),
    "throughput that the type has not": (
        BLUE,
        {"block_devices": [{"device": "/dev/xvda", "type": "io2", "iops": 4000, "throughput": 200}]},
        "fleet.block_devices[0].throughput",
        "gp3",
    ),
    "a policy that blue has not": (
        BLUE,
        {"targets": [{"policy": "requests", "value": 1}]},
        "fleet.targets",
        "cpu",
    ),
}


@pytest.mark.parametrize(("blue", "asked", "field", "words"), REFUSED.values(), ids=REFUSED)
def test_what_blues_template_has_no_room_for_is_refused(
    blue: dict[str, Any], asked: dict[str, Any], field: str, words: str
) -> None:
    refusal = refused(setup(blue), **asked)
    assert refusal.field == field
    assert words in str(refusal)


def test_a_mixed_group_is_asked_for_its_types_by_list() -> None:
    mixed = setup(types=("m5.large", "m6i.large"))
    assert "m5.large, m6i.large" in str(refused(mixed, instance_type="t3.small"))
    assert overrides.applied(mixed, fleet(instance_types=["m7i.large"])).instance_types() == ("m7i.large",)


def test_a_group_that_weighs_its_types_gets_none_without_a_weight() -> None:
    weighed = setup(types=("m5.large", "m6i.large"), weighted=True)
    assert refused(weighed, instance_types=["m6i.large", "m7i.large"]).value == "m7i.large"
    assert overrides.applied(weighed, fleet(instance_types=["m6i.large"])).types == ("m6i.large",)


def test_limits_and_targets_are_blues_unless_asked_for() -> None:
    green = overrides.applied(setup(), fleet(min_size=0, targets=[{"policy": "cpu", "value": 60}]))
    assert (green.minimum, green.maximum, green.targets) == (0, 9, {"cpu": 60.0})
    assert overrides.applied(setup(), fleet(max_size=4)).maximum == 4


@pytest.mark.parametrize(
    ("interfaces", "public"),
    [
        ([], None),
        ([{}], None),
        ([{"AssociatePublicIpAddress": False}], False),
        ([INTERFACE, {"AssociatePublicIpAddress": True}], True),
    ],
)
def test_an_address_is_public_where_any_interface_has_one(interfaces: list[Any], public: bool | None) -> None:
    assert setup({"NetworkInterfaces": interfaces}).is_public() is public


def test_groups_are_found_wherever_the_template_has_them() -> None:
    assert setup().security_groups() == ("sg-1",)
    assert setup({"NetworkInterfaces": [INTERFACE, INTERFACE]}).security_groups() == ("sg-1",)
