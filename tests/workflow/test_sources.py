"""Wherever an image comes from: it is released as it was checked, or nothing of it is left behind."""

from tests.workflow.world import Release, World

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


def ensure_gone(world: World, release: Release, words: str) -> None:
    """It was rolled back for this reason, and nothing it had made is left."""
    assert release.end == "RolledBack"
    assert release.cause.startswith("ImageFailed")
    assert words in release.cause
    assert world.leftovers(release) == []
    assert not world.has_group(release.group)
    assert world.weights() == {"shop-1": 100}
