"""Wherever an image comes from: it is released as it was checked, or nothing of it is left behind."""

from tests.workflow.world import World

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
