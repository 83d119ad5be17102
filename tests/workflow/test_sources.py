"""Wherever an image comes from: it is released as it was checked, or nothing of it is left behind."""

from typing import Any

import pytest

from local import seed
from local.reality import Reality
from tests.workflow.world import Release, World, opened

WRONG = [{"path": "/", "contains": "3.0.0"}]


def test_a_parameters_image_is_released_as_the_plan_pinned_it_and_outlives_a_rollback(world: World) -> None:
    image = world.ami()["image_id"]
    ssm, source = world.cloud.client("ssm"), {"type": "ami_parameter", "parameter": "/golden/shop"}
    ssm.put_parameter(Name="/golden/shop", Value=image, Type="String")
    release = world.start(source=source, smoke_tests=WRONG).until("BakeImage")
    ssm.put_parameter(
        Name="/golden/shop", Value=world.ami("3.0.0")["image_id"], Type="String", Overwrite=True
    )
    assert release.wait().end == "RolledBack"
    assert release.record["image"] == image, "not what the parameter says by now"
    shown = world.cloud.client("ec2").describe_images(ImageIds=[image])["Images"][0]
    assert shown["State"] == "available"
    assert [tag["Key"] for tag in shown["Tags"]] == ["local:disk"]

    ssm.put_parameter(Name="/golden/shop", Value=image, Type="String", Overwrite=True)
    assert world.release(source=source).end == "Promoted"
    assert world.cloud.plane.by_version()["2.0.0"].requests > 0


def test_a_patched_instance_is_promoted_and_its_image_made_after_the_patch(world: World) -> None:
    source = {"type": "instance", "instance_id": world.builder(), "patch": True}
    release = world.release(source=source)
    assert release.end == "Promoted"
    made = [call for call in release.mutations() if call["call"] in ("SendCommand", "CreateImage")]
    assert [call["call"] for call in made] == ["SendCommand", "CreateImage"]
    assert made[1]["at"] - made[0]["at"] >= world.cloud.reality.patch_seconds


def test_a_patch_that_fails_is_rolled_back_and_leaves_no_image(world: World) -> None:
    builder = world.builder()
    words = {"Key": "local:patch", "Value": "E: unmet dependencies"}
    world.cloud.client("ec2").create_tags(Resources=[builder], Tags=[words])
    release = world.release(source={"type": "instance", "instance_id": builder, "patch": True})
    ensure_gone(world, release, "PatchLinux: E: unmet dependencies")


def test_what_a_pipeline_made_and_tested_is_promoted_with_the_tags_of_its_release(world: World) -> None:
    release = world.release(source=image_of(world))
    assert release.end == "Promoted"
    assert world.cloud.plane.by_version()["2.0.0"].requests > 0
    assert {"image", "snapshot"} <= {left.split()[0] for left in world.leftovers(release)}
    assert release.states.count("BakeImage") == 2


@pytest.mark.parametrize(("stage", "words"), [("build", "no disk space"), ("test", "port 80 is closed")])
def test_a_pipeline_that_fails_is_rolled_back_and_leaves_nothing(
    world: World, stage: str, words: str
) -> None:
    release = world.release(source=image_of(world, **{stage: words}))
    ensure_gone(world, release, f"{stage.upper()}: {words}")


def test_a_pipeline_that_takes_too_long_is_cancelled(world: World) -> None:
    release = world.release(source=image_of(world), deadlines={"image_minutes": 3})
    assert (release.end, release.cause.split(":")[0]) == ("RolledBack", "DeadlinePassed")
    assert "CancelImageCreation" in [call["call"] for call in release.mutations()]
    ensure_bare(world, release)


def test_a_green_that_is_no_good_takes_its_pipelines_image_along(world: World) -> None:
    release = world.release(source=image_of(world), smoke_tests=WRONG)
    assert release.end == "RolledBack"
    assert release.record["image"] is not None
    ensure_bare(world, release)


def test_what_packer_made_is_promoted_with_the_tags_of_its_release(world: World) -> None:
    release = world.release(source=packed(world))
    assert release.end == "Promoted"
    assert world.cloud.plane.by_version()["2.0.0"].requests > 0
    assert {"image", "snapshot"} <= {left.split()[0] for left in world.leftovers(release)}


def test_a_build_that_fails_is_rolled_back_and_leaves_nothing(world: World) -> None:
    release = world.release(source=packed(world, packer="no such source AMI"))
    ensure_gone(world, release, "BUILD: no such source AMI")


def test_a_build_that_takes_too_long_is_stopped() -> None:
    with opened(reality=Reality(packer_seconds=3600)) as world:
        release = world.release(source=packed(world), deadlines={"image_minutes": 3})
        assert (release.end, release.cause.split(":")[0]) == ("RolledBack", "DeadlinePassed")
        assert "StopBuild" in [call["call"] for call in release.mutations()]
        ensure_bare(world, release)


def test_a_green_that_is_no_good_takes_packers_image_along(world: World) -> None:
    release = world.release(source=packed(world), smoke_tests=WRONG)
    assert release.end == "RolledBack"
    ensure_bare(world, release)


def test_an_image_that_a_build_names_but_did_not_make_is_neither_tagged_nor_deleted(world: World) -> None:
    theirs = world.ami()["image_id"]
    release = world.release(source=packed(world, ami=theirs))
    assert release.end == "RolledBack"
    assert f"none of its own: {theirs}" in release.cause
    shown = world.cloud.client("ec2").describe_images(ImageIds=[theirs])["Images"][0]
    assert (shown["State"], [tag["Key"] for tag in shown["Tags"]]) == ("available", ["local:disk"])


def packed(world: World, **more: str) -> dict[str, Any]:
    artifact = {"type": "s3", "bucket": "shop-builds", "key": "shop/2.0.0.zip"}
    return {"type": "packer", "project": seed.project(world.cloud, "2.0.0", **more), "artifact": artifact}


def image_of(world: World, **fails: str) -> dict[str, str]:
    return {"type": "image_builder", "pipeline_arn": seed.pipeline(world.cloud, "2.0.0", **fails)}


def ensure_gone(world: World, release: Release, words: str) -> None:
    """It was rolled back for this reason, and nothing it had made is left."""
    assert release.end == "RolledBack"
    assert release.cause.startswith("ImageFailed")
    assert words in release.cause
    ensure_bare(world, release)


def ensure_bare(world: World, release: Release) -> None:
    """No trace of it, whoever made it for it; blue has all the traffic."""
    assert world.leftovers(release) == []
    assert not world.has_group(release.group)
    assert world.weights() == {"shop-1": 100}
    images = world.cloud.client("ec2").describe_images(Owners=["self"])["Images"]
    assert [image["Name"] for image in images] == ["shop-1.0.0"]
    assert world.cloud.pipelines._images == {}
