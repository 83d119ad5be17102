"""Reality of AWS that moto leaves out: images pend, reboot their source and carry its disk."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import seed
from local.fleet.images import Images
from local.reality import Reality
from tests.local import alone
from tests.local.alone import Clock, standing


@pytest.fixture
def cloud() -> Iterator[alone.World]:
    clock = Clock(1_000_000.0)
    events: list[alone.Event] = []
    images = Images(clock, Reality(), lambda *event: events.append(event))
    with standing(images):
        yield alone.World(clock=clock, images=images, events=events)


@pytest.fixture
def builder(cloud: alone.World) -> str:
    seed.service(cloud, tracking="none")
    return seed.builder(cloud, "2.0.0", fault="third")


def bake(cloud: alone.World, builder: str, **request: Any) -> str:
    made = cloud.client("ec2").create_image(InstanceId=builder, **{"Name": "shop-2.0.0", **request})
    return str(made["ImageId"])


def state(cloud: alone.World, image: str) -> str:
    return str(cloud.client("ec2").describe_images(ImageIds=[image])["Images"][0]["State"])


def later(cloud: alone.World, seconds: float) -> None:
    cloud.clock.time += seconds
    cloud.images.tick(cloud.clock.now())


def test_an_image_pends_until_its_time_has_come(cloud: alone.World, builder: str) -> None:
    """I2."""
    image = bake(cloud, builder)
    later(cloud, 59)
    assert state(cloud, image) == "pending"
    with pytest.raises(ClientError, match=r"InvalidAMIID\.Unavailable"):
        cloud.client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1)
    later(cloud, 1)
    assert state(cloud, image) == "available"
    cloud.client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1)


def test_an_image_gone_before_its_time_does_not_come_back(cloud: alone.World, builder: str) -> None:
    """I2."""
    image = bake(cloud, builder)
    cloud.client("ec2").deregister_image(ImageId=image)
    later(cloud, 60)
    assert (
        cloud.client("ec2").describe_images(
            Owners=["self"], Filters=[{"Name": "image-id", "Values": [image]}]
        )["Images"]
        == []
    )


def test_eventbridge_hears_of_an_image_once_as_it_becomes_available(cloud: alone.World, builder: str) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-ami-events.html"""
    later(cloud, 0)
    cloud.events.clear()
    image, gone = bake(cloud, builder), bake(cloud, builder, Name="gone")
    cloud.client("ec2").deregister_image(ImageId=gone)
    later(cloud, 59)
    assert cloud.events == []
    later(cloud, 1)
    later(cloud, 60)
    ((source, kind, detail, resources),) = cloud.events
    sample = alone.sample("start_release.ami")
    assert (source, kind) == (sample["source"], sample["detail-type"])
    assert {**detail, "RequestId": ""} == {**sample["detail"], "RequestId": "", "ImageId": image}
    assert resources == [sample["resources"][0].replace("ami-0abcdef1234567890", image)]


def test_the_source_reboots_unless_told_not_to(cloud: alone.World, builder: str) -> None:
    """A20, I1."""
    bake(cloud, builder, NoReboot=True)
    assert not cloud.images.rebooting(builder)
    bake(cloud, builder, Name="again")
    assert cloud.images.rebooting(builder)
    later(cloud, 30)
    assert not cloud.images.rebooting(builder)


def test_a_stopped_source_has_nothing_to_reboot(cloud: alone.World, builder: str) -> None:
    """I1."""
    cloud.client("ec2").stop_instances(InstanceIds=[builder])
    bake(cloud, builder)
    assert not cloud.images.rebooting(builder)


def test_an_image_carries_its_sources_disk(cloud: alone.World, builder: str) -> None:
    """I1: the image is what the instance was then."""
    image = bake(cloud, builder)
    assert cloud.images.disk_of(image) == {"version": "2.0.0", "fault": "third", "command": None}
    cloud.client("ec2").create_tags(
        Resources=[builder], Tags=[{"Key": "local:disk", "Value": '{"version": "9.9.9"}'}]
    )
    assert cloud.images.disk_of(image)["version"] == "2.0.0"
    assert cloud.images.disk_of_instance(builder)["version"] == "9.9.9"
    later(cloud, 60)
    launched = cloud.client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]
    assert cloud.images.disk_of_instance(launched["InstanceId"])["version"] == "2.0.0"


def test_an_image_without_a_disk_has_its_tagged_version(cloud: alone.World) -> None:
    ec2 = cloud.client("ec2")
    image = ec2.register_image(
        Name="ready",
        Architecture="arm64",
        TagSpecifications=[
            {"ResourceType": "image", "Tags": [{"Key": "viridian:version", "Value": "3.1.0"}]}
        ],
    )["ImageId"]
    assert cloud.images.disk_of(image) == {"version": "3.1.0", "fault": None, "command": None}
    assert ec2.describe_images(ImageIds=[image])["Images"][0]["Architecture"] == "arm64"


def test_a_name_is_used_once(cloud: alone.World, builder: str) -> None:
    """I2 (InvalidAMIName.Duplicate; faults.md, "What moto gets wrong")."""
    image = bake(cloud, builder)
    with pytest.raises(ClientError, match=r"InvalidAMIName\.Duplicate.*" + image):
        bake(cloud, builder)


def test_snapshots_can_be_tagged_and_go_with_their_image(cloud: alone.World, builder: str) -> None:
    """I3."""
    ec2 = cloud.client("ec2")
    tags = [{"Key": "viridian:release", "Value": "r1"}]
    specs = [{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")]
    kept, gone = (bake(cloud, builder, Name=name, TagSpecifications=specs) for name in ("kept", "gone"))
    ec2.deregister_image(ImageId=kept)
    answer = ec2.deregister_image(ImageId=gone, DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"][0]["ReturnCode"] == "success"
    left = ec2.describe_snapshots(Filters=[{"Name": "tag:viridian:release", "Values": ["r1"]}])["Snapshots"]
    assert [kept in snapshot["Description"] for snapshot in left] == [True]


def protection(cloud: alone.World, image: str) -> str:
    return str(cloud.client("ec2").describe_images(ImageIds=[image])["Images"][0]["DeregistrationProtection"])


def test_a_protected_image_is_deregistered_by_nobody(cloud: alone.World, builder: str) -> None:
    """I4 (EC2 User Guide, "Protect an AMI from deregistration": off for every image that is made)."""
    ec2, image = cloud.client("ec2"), bake(cloud, builder)
    assert protection(cloud, image) == "disabled"
    for _ in range(2):
        asked = ec2.enable_image_deregistration_protection(ImageId=image)
        assert asked["Return"] == protection(cloud, image) == "enabled-without-cooldown"
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    for _ in range(2):
        assert ec2.disable_image_deregistration_protection(ImageId=image)["Return"] == "disabled"
    ec2.deregister_image(ImageId=image)


def test_a_cooldown_outlives_the_protection_by_a_day(cloud: alone.World, builder: str) -> None:
    """The same page; how it shows is how ekristen/aws-nuke reads it."""
    ec2, image = cloud.client("ec2"), bake(cloud, builder)
    ec2.enable_image_deregistration_protection(ImageId=image, WithCooldown=True)
    assert protection(cloud, image) == "enabled-with-cooldown"
    ec2.disable_image_deregistration_protection(ImageId=image)
    assert protection(cloud, image).startswith("disabled after 1970-")
    later(cloud, 24 * 3600 - 1)
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        ec2.deregister_image(ImageId=image)
    later(cloud, 1)
    ec2.deregister_image(ImageId=image)


def test_nobody_changes_an_image_that_is_not_there_or_not_theirs(cloud: alone.World, builder: str) -> None:
    ec2, image = cloud.client("ec2"), bake(cloud, builder)
    cloud.images._backend().amis[image].owner_id = "999999999999"
    for named, code in (("ami-00000000000000000", "InvalidAMIID.NotFound"), (image, "AuthFailure")):
        with pytest.raises(ClientError, match=code):
            ec2.enable_image_deregistration_protection(ImageId=named)
        with pytest.raises(ClientError, match=code):
            ec2.modify_image_attribute(ImageId=named, Description={"Value": "mine"})


def test_a_description_can_be_changed_and_is_short_and_ascii(cloud: alone.World, builder: str) -> None:
    """github.com/metadist/synaplan/pull/1546 and scylladb/scylladb/issues/5435 have met both refusals."""
    ec2, image = cloud.client("ec2"), bake(cloud, builder, Description="as it was made")
    ec2.modify_image_attribute(ImageId=image, Description={"Value": "x" * 255})
    assert ec2.describe_images(ImageIds=[image])["Images"][0]["Description"] == "x" * 255
    for wrong in ("x" * 256, "2.0.0 – good"):
        with pytest.raises(ClientError, match="parameter description is invalid"):
            ec2.modify_image_attribute(ImageId=image, Description={"Value": wrong})
        with pytest.raises(ClientError, match="parameter description is invalid"):
            bake(cloud, builder, Name="another", Description=wrong)


@pytest.mark.parametrize("ena", [True, None])
def test_enhanced_networking_goes_from_image_to_instance_to_image(
    cloud: alone.World, builder: str, ena: bool | None
) -> None:
    """What a type with ENA asks of its image (EC2 User Guide: "enable enhanced networking with ENA")."""
    ec2, asked = cloud.client("ec2"), {"EnaSupport": ena} if ena else {}
    image = ec2.register_image(Name="other", RootDeviceName="/dev/xvda", **asked)["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    shown = ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]
    baked = bake(cloud, made)
    images = ec2.describe_images(ImageIds=[image, baked])["Images"]
    assert [each.get("EnaSupport") for each in (shown, *images)] == [ena] * 3


def test_an_image_says_that_it_is_encrypted_and_its_snapshot_with_what(cloud: alone.World) -> None:
    """DescribeImages names no key; DescribeSnapshots does (EC2 API Reference)."""
    ec2, key = cloud.client("ec2"), cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=8, Encrypted=True, KmsKeyId=key)[
        "VolumeId"
    ]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    disks = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]
    image = ec2.register_image(Name="encrypted", RootDeviceName="/dev/xvda", BlockDeviceMappings=disks)[
        "ImageId"
    ]
    shown = ec2.describe_images(ImageIds=[image])["Images"][0]
    (disk,) = shown["BlockDeviceMappings"]
    assert (disk["Ebs"]["SnapshotId"], disk["Ebs"]["Encrypted"], shown["RootDeviceType"]) == (
        snapshot,
        True,
        "ebs",
    )
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["KmsKeyId"] == key
