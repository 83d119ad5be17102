"""EC2: images made once and removed whole, versions by number."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from tests.account import RELEASE, Account
from tests.unit.test_record import PLAN
from viridian import names
from viridian.aws import images
from viridian.errors import Refusal
from viridian.request import Build

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
