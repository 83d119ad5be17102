"""EC2: images made once and removed whole, versions by number."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.account import RELEASE, Account
from tests.unit.test_record import PLAN
from viridian import names
from viridian.aws import images
from viridian.errors import Busy, Refusal
from viridian.request import BlockDevice, Build, ContainerArtifact, Overrides, PackerSource

OURS = names.tags("shop", RELEASE)


@pytest.mark.parametrize(
    ("version", "parts"),
    [
        ("2.10.3", ("2", "10", "3", None)),
        ("2.0.0-rc.1", ("2", "0", "0", "rc.1")),
        ("2.0.0-rc-2+build-7", ("2", "0", "0", "rc-2")),
        ("2.0.0+5", ("2", "0", "0", None)),
    ],
)
def test_an_image_says_its_version_in_whole_and_in_parts(version: str, parts: tuple[str | None, ...]) -> None:
    tags = images.tags(msgspec.structs.replace(PLAN, version=version))
    assert tags["viridian:version"] == version
    found = [tags.get(f"viridian:version-{part}") for part in ("major", "minor", "patch")]
    assert (*found, tags.get("viridian:prerelease")) == parts


def test_what_a_build_does_not_say_is_no_tag() -> None:
    tags = images.tags(msgspec.structs.replace(PLAN, build=Build(commit="abc")))
    assert tags["viridian:build-commit"] == "abc"
    assert not {"viridian:build-id", "viridian:build-url", "viridian:build-builder"} & set(tags)
    assert all(len(value) <= 256 and len(key) <= 128 for key, value in tags.items())


def test_an_image_says_what_it_was_made_of() -> None:
    assert images.tags(PLAN)["viridian:source"] == f"instance {PLAN.source.instance_id}"  # type: ignore[union-attr]
    longest = PackerSource(project="p" * 150, artifact=ContainerArtifact(uri=f"registry/{'a' * 500}"))
    tags = images.tags(msgspec.structs.replace(PLAN, source=longest))
    assert len(tags["viridian:source"]) == 256, "EC2 takes no more"


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (Build(), ""),
        (Build(commit="9f1c", build_id="1842", builder="ci"), ", commit 9f1c, build 1842, by ci"),
        (Build(builder="Zoë's – laptop"), ", by Zo?'s ? laptop"),
    ],
)
def test_a_description_says_it_to_people_in_ascii(build: Build, said: str) -> None:
    plan = msgspec.structs.replace(PLAN, build=build)
    begins = f"shop 2.0.0, release {plan.release}, of instance {plan.source.instance_id}"  # type: ignore[union-attr]
    assert images.description(plan) == begins + said


def test_a_description_is_no_longer_than_ec2_takes() -> None:
    plan = msgspec.structs.replace(PLAN, build=Build(commit="c" * 256, builder="b" * 256))
    assert len(images.description(plan)) == 255


def tag(account: Account, **more: str) -> None:
    """Puts a release's tags on the image that blue has, or other values of them."""
    wanted = OURS | {f"viridian:{key}": value for key, value in more.items()}
    account.client("ec2").create_tags(
        Resources=[account.shop.image_id],
        Tags=[{"Key": key, "Value": value} for key, value in wanted.items()],
    )
    account.calls.clear()


def shown(account: Account) -> dict[str, Any]:
    found = images.find(account.shop.image_id)
    assert found is not None
    return found


def test_the_description_that_an_image_was_made_with_stays_behind_ours(account: Account) -> None:
    record = account.before("bake_image").record()
    tag(account)
    ec2 = account.client("ec2")
    ec2.modify_image_attribute(ImageId=account.shop.image_id, Description={"Value": "golden, of May"})
    account.calls.clear()
    images.describe(account.shop.image_id, record.plan, record.fence())
    assert shown(account)["Description"] == f"{images.description(record.plan)}. golden, of May"
    (asked,) = account.requests("ModifyImageAttribute")
    assert set(asked) == {"ImageId", "Description"}, "who may launch it is nobody's business"


def test_an_image_without_our_tags_is_not_described(account: Account) -> None:
    record = account.before("bake_image").record()
    with pytest.raises(Busy, match="are not to be seen yet"):
        images.describe(account.shop.image_id, record.plan, record.fence())
    assert account.writes() == []


@pytest.mark.parametrize("tags", [{"managed": "false"}, {"service": "another"}])
def test_an_image_that_is_not_of_the_service_is_neither_protected_nor_let_go(
    account: Account, tags: dict[str, str]
) -> None:
    fence = account.before("bake_image").record().fence()
    tag(account, **tags)
    images.protect(account.shop.image_id, "shop", fence)
    assert account.writes() == []
    account.client("ec2").enable_image_deregistration_protection(ImageId=account.shop.image_id)
    account.calls.clear()
    images.let_go(account.shop.image_id, "shop", fence)
    assert account.writes() == []
    assert images.is_protected(shown(account))


def test_an_image_that_was_lent_and_no_release_made_is_not_protected(account: Account) -> None:
    fence = account.before("bake_image").record().fence()
    tag(account)
    account.client("ec2").delete_tags(Resources=[account.shop.image_id], Tags=[{"Key": "viridian:release"}])
    account.calls.clear()
    images.protect(account.shop.image_id, "shop", fence)
    images.protect("ami-00000000000000000", "shop", fence)
    assert account.writes() == []


def test_a_protected_image_can_be_let_go_and_deregistered_at_once(account: Account) -> None:
    record = account.before("create_green").record()
    image = record.image or ""
    images.protect(image, "shop", record.fence())
    (asked,) = account.requests("EnableImageDeregistrationProtection")
    assert asked == {"ImageId": image}, "a cooldown would keep a rollback from deregistering it for a day"
    with pytest.raises(Exception, match="OperationNotPermitted"):
        images.deregister(image, OURS, record.fence())
    images.let_go(image, "shop", record.fence())
    images.deregister(image, OURS, record.fence())
    assert images.find(image) is None


def test_a_protection_that_does_not_show_is_set_again(account: Account) -> None:
    record = account.before("create_green").record()
    unprotected = dict(images.find(record.image or "") or {})

    def stale() -> Any:
        return SimpleNamespace(status_code=200), {"Images": [unprotected]}

    with account.hooked("before-call", "ec2", "DescribeImages", stale), pytest.raises(Busy, match="disabled"):
        images.protect(record.image or "", "shop", record.fence())
    images.protect(record.image or "", "shop", record.fence())
    assert account.writes() == ["EnableImageDeregistrationProtection"]


@pytest.mark.parametrize("image", ["ami-00000000000000000"])
def test_an_image_or_instance_that_nobody_has_is_none(account: Account, image: str) -> None:
    assert account
    assert images.find(image) is None
    assert images.find_by_name("nothing") is None
    with pytest.raises(Refusal) as refused:
        images.find_instance("i-00000000000000000", "source.instance_id")
    assert refused.value.field == "source.instance_id"


def test_an_image_that_is_disabled_or_hidden_is_none(account: Account) -> None:
    with account.failing("ec2", "DescribeImages", "InvalidAMIID.Unavailable"):
        assert images.find(account.shop.image_id) is None


def test_an_unknown_answer_is_no_absence(account: Account) -> None:
    with (
        account.failing("ec2", "DescribeImages", "UnauthorizedOperation", 403),
        pytest.raises(Exception, match="UnauthorizedOperation"),
    ):
        images.find(account.shop.image_id)
    with (
        account.failing("ec2", "DescribeInstances", "UnauthorizedOperation", 403),
        pytest.raises(Exception, match="UnauthorizedOperation"),
    ):
        images.find_instance(account.builder, "f")


def test_an_image_goes_with_its_snapshots(account: Account) -> None:
    record = account.before("create_green").record()
    images.deregister(record.image or "", OURS, record.fence())
    (asked,) = account.requests("DeregisterImage")
    assert asked["DeleteAssociatedSnapshots"] is True
    assert images.find(record.image or "") is None


def test_an_image_that_lost_our_tags_is_left(account: Account) -> None:
    record = account.before("create_green").record()
    account.client("ec2").delete_tags(Resources=[record.image], Tags=[{"Key": "viridian:release"}])
    account.calls.clear()
    with pytest.raises(Refusal, match="Deregister it by hand"):
        images.deregister(record.image or "", OURS, record.fence())
    assert account.writes() == []


def test_a_snapshot_carries_the_tags_of_its_image(account: Account) -> None:
    account.before("bake_image").run("bake_image")
    (asked,) = account.requests("CreateImage")
    by_kind = {spec["ResourceType"]: spec["Tags"] for spec in asked["TagSpecifications"]}
    assert by_kind["image"] == by_kind["snapshot"]


def test_a_version_differs_from_blues_in_its_image_alone(account: Account) -> None:
    record = account.before("create_green").record()
    version = images.version_for(
        record.plan.blue_launch_template, record.image or "", RELEASE, record.fence()
    )
    (asked,) = account.requests("CreateLaunchTemplateVersion")
    assert asked["SourceVersion"] == "1", "blue's own version, by number"
    assert asked["LaunchTemplateData"] == {"ImageId": record.image}
    assert asked["ClientToken"] == RELEASE
    assert version == images.find_version(account.shop.launch_template_id, RELEASE) == "2"


@pytest.mark.parametrize("size", [None, 20], ids=["as blue", "with a larger root"])
def test_a_data_disk_keeps_its_snapshot_and_the_root_disk_has_the_images(
    account: Account, size: int | None
) -> None:
    record = account.before("create_green").record()
    root = (images.find(record.image or "") or {})["RootDeviceName"]
    disks = [
        {"DeviceName": root, "Ebs": {"SnapshotId": "snap-0123456789abcdef0", "VolumeSize": 8}},
        {"DeviceName": "/dev/sdx", "Ebs": {"SnapshotId": "snap-0fedcba9876543210", "Encrypted": True}},
    ]
    account.client("ec2").create_launch_template_version(
        LaunchTemplateId=account.shop.launch_template_id,
        SourceVersion="1",
        LaunchTemplateData={"BlockDeviceMappings": disks},
    )
    blue = replace(record.plan.blue_launch_template, version="2")
    asked = Overrides(block_devices=(BlockDevice(device=root, size_gib=size),) if size else ())
    version = images.version_for(blue, record.image or "", RELEASE, record.fence(), asked)
    made = images.template_data(replace(blue, version=version))
    assert made["BlockDeviceMappings"] == [
        {"DeviceName": root, "Ebs": {"VolumeSize": size or 8}},
        disks[1],
    ]


def test_a_version_is_found_on_any_page(account: Account) -> None:
    def page(*descriptions: str, **more: str) -> Any:
        versions = [
            {"VersionNumber": number, "VersionDescription": f"viridian {description}"}
            for number, description in enumerate(descriptions, start=int(descriptions[0]))
        ]
        return SimpleNamespace(status_code=200), {"LaunchTemplateVersions": versions, **more}

    pages = [page("1", "2", NextToken="more"), page("3", "4")]
    with account.hooked("before-call", "ec2", "DescribeLaunchTemplateVersions", lambda: pages.pop(0)):
        assert images.find_version(account.shop.launch_template_id, "4") == "4"
    assert pages == []


def test_only_the_releases_own_version_is_deleted(account: Account) -> None:
    record = account.before("shift_traffic").record()
    images.delete_version(account.shop.launch_template_id, RELEASE, record.fence())
    versions = account.world()["versions"]
    assert [version["VersionNumber"] for version in versions] == [1]


def test_instances_are_asked_for_two_hundred_images_at_a_time(account: Account) -> None:
    others = [f"ami-{n:017x}" for n in range(200)]
    account.calls.clear()
    found = images.run_on([*others, account.shop.image_id])
    assert list(found) == [account.shop.image_id]
    assert len(account.requests("DescribeInstances")) == 2
    account.calls.clear()
    assert (images.run_on([]), account.calls) == ({}, [])


def test_a_launch_template_that_is_gone_has_no_versions_and_any_other_error_is_one(account: Account) -> None:
    assert account
    assert images.versions("lt-00000000000000000") == []
    with (
        account.failing("ec2", "DescribeLaunchTemplateVersions", "UnauthorizedOperation", 403),
        pytest.raises(Exception, match="UnauthorizedOperation"),
    ):
        images.versions(account.shop.launch_template_id)


def test_only_what_was_lent_is_looked_through_and_only_versions_of_ours_are_found(account: Account) -> None:
    account.before("shift_traffic")
    account.client("ec2").create_launch_template(
        LaunchTemplateName="foreign", VersionDescription="viridian 9.9.9-f", LaunchTemplateData={}
    )
    template = account.shop.launch_template_id
    assert images.templates() == {template: "shop"}
    (version,) = images.left_versions(template, "shop")
    assert (version.id, version.service, version.release) == (f"{template} 2", "shop", RELEASE)
