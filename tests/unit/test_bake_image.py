"""BakeImage: one image per release, tagged with what it is, or the one that is ready."""

from typing import Any

import pytest

from local import seed
from tests.account import RELEASE, Account
from viridian.errors import Busy, Fenced, ImageFailed, Refusal


def test_an_image_is_made_once(account: Account) -> None:
    account.before("bake_image")
    image = account.twice("bake_image")["image"]
    assert account.writes() == ["CreateImage"]
    assert account.record().image == image
    assert account.record().image_is_ours


def test_the_source_reboots_so_that_its_disk_is_whole(account: Account) -> None:
    account.before("bake_image").run("bake_image")
    (asked,) = account.requests("CreateImage")
    assert asked["InstanceId"] == account.builder
    assert asked["NoReboot"] is False


def test_an_image_says_which_version_build_and_release_it_is(account: Account) -> None:
    image = account.before("bake_image").run("bake_image")["image"]
    found = account.client("ec2").describe_images(ImageIds=[image])["Images"][0]
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert found["Name"] == f"viridian-shop-{RELEASE}"
    assert tags["viridian:version"] == "2.0.0"
    assert [tags[f"viridian:version-{part}"] for part in ("major", "minor", "patch")] == ["2", "0", "0"]
    assert tags["viridian:build-commit"] == "9f1c2d7e5a64b0c3"
    assert tags["viridian:build-url"] == "https://ci.example.com/builds/1842"
    assert tags["viridian:source"] == f"instance {account.builder}"
    assert found["Description"].startswith(
        f"shop 2.0.0, release {RELEASE}, of instance {account.builder}, commit 9f"
    )
    assert (tags["viridian:managed"], tags["viridian:service"], tags["viridian:release"]) == (
        "true",
        "shop",
        RELEASE,
    )


def test_an_image_whose_answer_was_lost_is_found_by_its_name(account: Account) -> None:
    def cut() -> None:
        raise ConnectionResetError("the answer was lost")

    account.before("bake_image")
    with account.hooked("after-call", "ec2", "CreateImage", cut), pytest.raises(ConnectionResetError):
        account.run("bake_image")
    image = account.run("bake_image")["image"]
    assert account.writes() == ["CreateImage"]
    assert account.record().image == image


def test_an_image_that_is_ready_is_taken_as_it_is(account: Account) -> None:
    plan = account.event("acquire_lock")["plan"]
    source = {"type": "ami", "image_id": account.shop.image_id}
    account.run("acquire_lock", {"plan": {**plan, "source": source}})
    assert account.twice("bake_image") == {"image": account.shop.image_id}
    assert account.writes() == []
    assert not account.record().image_is_ours


def patching(account: Account) -> Account:
    """A release that has its route, of an instance that is to be patched first."""
    plan = account.event("acquire_lock")["plan"]
    account.run("acquire_lock", {"plan": {**plan, "source": {**plan["source"], "patch": True}}})
    account.calls.clear()
    return account


def test_an_instance_is_patched_before_its_image_is_made(account: Account) -> None:
    assert patching(account).twice("bake_image") == {"image": None}
    assert account.writes() == ["SendCommand"]
    (asked,) = account.requests("SendCommand")
    assert asked["InstanceIds"] == [account.builder]
    assert asked["DocumentName"] == "AWS-RunPatchBaseline"
    assert asked["Parameters"] == {"Operation": ["Install"], "RebootOption": ["RebootIfNeeded"]}
    account.later(minutes=1)
    assert account.twice("check_image") == {"image": None, "state": "pending"}
    account.later(minutes=2)
    assert account.twice("check_image") == {"image": None, "state": "due"}
    image = account.twice("bake_image")["image"]
    assert account.writes() == ["SendCommand", "CreateImage"]
    assert account.record().image == image
    account.later(minutes=5)
    assert account.twice("check_image") == {"image": image, "state": "available"}


def test_a_patch_command_whose_answer_was_lost_is_found_by_its_comment(account: Account) -> None:
    def cut() -> None:
        raise ConnectionResetError("the answer was lost")

    patching(account)
    ours = account.client("ssm").send_command(
        InstanceIds=[account.builder], DocumentName="AWS-RunPatchBaseline", Comment="somebody else's"
    )["Command"]["CommandId"]
    with account.hooked("after-call", "ssm", "SendCommand", cut), pytest.raises(ConnectionResetError):
        account.run("bake_image")
    assert account.record().bake is None
    account.run("bake_image")
    assert account.writes() == ["SendCommand", "SendCommand"], "theirs and ours"
    assert account.record().bake not in (None, ours)


def test_a_patch_that_fails_makes_no_image_and_says_what_its_first_failed_step_did(account: Account) -> None:
    patching(account).run("bake_image")
    words = {"Key": "local:patch", "Value": "E: unmet dependencies"}
    account.client("ec2").create_tags(Resources=[account.builder], Tags=[words])
    account.later(minutes=5)
    for stem in ("check_image", "bake_image"):
        with pytest.raises(ImageFailed, match=r"is Failed: PatchLinux: E: unmet dependencies"):
            account.run(stem)
    assert account.requests("CreateImage") == []


def test_a_patch_that_nobody_takes_makes_no_image(account: Account) -> None:
    patching(account).run("bake_image")
    account.client("ec2").stop_instances(InstanceIds=[account.builder])
    account.later(minutes=5)
    assert account.run("check_image")["state"] == "pending"
    account.later(minutes=6)
    with pytest.raises(ImageFailed, match=r"TimedOut: .*Delivery Timed Out"):
        account.run("check_image")


def asking(account: Account, source: dict[str, Any]) -> Account:
    """A release that has its route, and this source."""
    plan = account.event("acquire_lock")["plan"]
    account.run("acquire_lock", {"plan": {**plan, "source": source}})
    account.calls.clear()
    return account


def running(account: Account, **fails: str) -> Account:
    """A release of what an Image Builder pipeline makes."""
    return asking(
        account, {"type": "image_builder", "pipeline_arn": seed.pipeline(account, "2.0.0", **fails)}
    )


def tags_of(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing["Tags"]}


def test_a_pipeline_runs_once_and_its_image_gets_the_tags_of_the_release(account: Account) -> None:
    assert running(account).twice("bake_image") == {"image": None}
    (asked,) = account.requests("StartImagePipelineExecution")
    assert asked["tags"]["viridian:release"] == RELEASE
    assert 1 <= len(asked["clientToken"]) <= 64
    assert account.twice("check_image") == {"image": None, "state": "pending"}
    account.later(minutes=8)
    assert account.twice("check_image") == {"image": None, "state": "due"}
    image = account.twice("bake_image")["image"]
    assert account.writes() == ["StartImagePipelineExecution", "CreateTags", "ModifyImageAttribute"]
    assert account.twice("check_image") == {"image": image, "state": "available"}
    ec2 = account.client("ec2")
    found = ec2.describe_images(ImageIds=[image])["Images"][0]
    assert tags_of(found)["viridian:version-major"] == "2"
    assert tags_of(found)["viridian:build-commit"] == "9f1c2d7e5a64b0c3"
    assert tags_of(found)["CreatedBy"] == "EC2 Image Builder", "what was there stays"
    assert tags_of(found)["viridian:source"] == "pipeline shop-2-0-0"
    assert tags_of(found)["viridian:build-id"] == "1842", "as the request has it"
    assert found["Description"].startswith(
        f"shop 2.0.0, release {RELEASE}, of pipeline shop-2-0-0, commit 9f"
    )
    disk = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    (snapshot,) = ec2.describe_snapshots(SnapshotIds=[disk])["Snapshots"]
    assert tags_of(snapshot)["viridian:release"] == RELEASE
    assert account.record().image == image
    assert account.record().image_is_ours


def test_a_run_whose_answer_was_lost_is_found_by_its_tags(account: Account) -> None:
    def cut() -> None:
        raise ConnectionResetError("the answer was lost")

    running(account)
    call = ("imagebuilder", "StartImagePipelineExecution")
    with account.hooked("after-call", *call, cut), pytest.raises(ConnectionResetError):
        account.run("bake_image")
    account.run("bake_image")
    assert account.writes() == ["StartImagePipelineExecution"]
    assert account.record().bake


@pytest.mark.parametrize(("stage", "words"), [("build", "no disk space"), ("test", "port 80 is closed")])
def test_a_stage_that_fails_fails_the_image_with_its_words(account: Account, stage: str, words: str) -> None:
    running(account, **{stage: words}).run("bake_image")
    account.later(minutes=8)
    for stem in ("check_image", "bake_image"):
        with pytest.raises(ImageFailed, match=f"is FAILED: {stage.upper()}: {words}"):
            account.run(stem)


def building(account: Account, **more: str) -> Account:
    """A release of what Packer makes of a build artifact, in a CodeBuild project."""
    artifact = {"type": "s3", "bucket": "shop-builds", "key": "shop/2.0.0.zip", "version_id": "3HL4"}
    project = seed.project(account, "2.0.0", **more)
    return asking(account, {"type": "packer", "project": project, "artifact": artifact})


def test_a_build_runs_once_on_its_artifact_and_its_image_gets_the_tags_of_the_release(
    account: Account,
) -> None:
    assert building(account).twice("bake_image") == {"image": None}
    (asked,) = account.requests("StartBuild")
    assert asked["idempotencyToken"]
    told = {each["name"]: each["value"] for each in asked["environmentVariablesOverride"]}
    assert told == {
        "VIRIDIAN_SERVICE": "shop",
        "VIRIDIAN_RELEASE": RELEASE,
        "VIRIDIAN_VERSION": "2.0.0",
        "ARTIFACT": "s3://shop-builds/shop/2.0.0.zip",
        "ARTIFACT_VERSION": "3HL4",
    }
    account.later(minutes=4)
    assert account.twice("check_image") == {"image": None, "state": "pending"}
    account.later(minutes=2)
    assert account.twice("check_image") == {"image": None, "state": "due"}
    image = account.twice("bake_image")["image"]
    assert account.writes() == ["StartBuild", "CreateTags", "ModifyImageAttribute"]
    found = account.client("ec2").describe_images(ImageIds=[image])["Images"][0]
    assert tags_of(found)["viridian:release"] == RELEASE
    assert tags_of(found)["viridian:version"] == "2.0.0"
    assert tags_of(found)["viridian:source"] == "project shop-packer of s3://shop-builds/shop/2.0.0.zip"
    assert found["Description"].endswith(". made by Packer"), "what was there stays"


def test_an_image_that_others_made_names_their_run_where_the_request_names_no_build(account: Account) -> None:
    plan = account.event("acquire_lock")["plan"]
    artifact = {"type": "container", "uri": "registry.example.com/shop:2.0.0"}
    source = {"type": "packer", "project": seed.project(account, "2.0.0"), "artifact": artifact}
    account.run("acquire_lock", {"plan": {**plan, "source": source, "build": {}}})
    account.run("bake_image")
    account.later(minutes=6)
    image = account.run("bake_image")["image"]
    found = account.client("ec2").describe_images(ImageIds=[image])["Images"][0]
    assert tags_of(found)["viridian:build-id"] == account.record().bake
    assert f", build {account.record().bake}. " in found["Description"]


@pytest.mark.parametrize("call", ["CreateTags", "ModifyImageAttribute"])
def test_an_adoption_that_died_after_any_call_is_taken_up_by_the_next(account: Account, call: str) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    building(account).run("bake_image")
    account.later(minutes=6)
    with account.hooked("after-call", "ec2", call, die), pytest.raises(KeyboardInterrupt):
        account.run("bake_image")
    account.twice("bake_image")
    assert account.writes() == ["StartBuild", "CreateTags", "ModifyImageAttribute"]


def test_a_build_whose_answer_was_lost_is_found_after_its_token_is_forgotten(account: Account) -> None:
    def cut() -> None:
        raise ConnectionResetError("the answer was lost")

    building(account)
    with account.hooked("after-call", "codebuild", "StartBuild", cut), pytest.raises(ConnectionResetError):
        account.run("bake_image")
    account.later(minutes=6)
    account.run("bake_image")
    assert account.writes() == ["StartBuild"]


def test_a_build_that_fails_fails_the_image_with_the_words_of_its_phase(account: Account) -> None:
    building(account, packer="no such source AMI").run("bake_image")
    account.later(minutes=6)
    with pytest.raises(ImageFailed, match="is FAILED: BUILD: no such source AMI"):
        account.run("check_image")


@pytest.mark.parametrize("exported", ["", "us-east-1:ami-0abc1234", "ami-00000000000000000", "blue's own"])
def test_a_build_that_exports_no_image_of_its_own_fails_and_nothing_is_tagged(
    account: Account, exported: str
) -> None:
    named = exported.replace("blue's own", account.shop.image_id)
    building(account, ami=named).run("bake_image")
    account.later(minutes=6)
    assert account.run("check_image")["state"] == "due"
    with pytest.raises(ImageFailed, match=f"none of its own: {named or 'none'}"):
        account.run("bake_image")
    assert account.writes() == ["StartBuild"]


def test_nothing_is_made_under_an_epoch_that_has_passed(account: Account) -> None:
    account.before("bake_image").move_epoch_on()
    with pytest.raises(Fenced, match="epoch 2"):
        account.run("bake_image")
    assert account.writes() == []


def test_a_throttled_call_is_a_reason_to_try_again(account: Account) -> None:
    account.before("bake_image")
    with account.failing("ec2", "CreateImage", "RequestLimitExceeded"), pytest.raises(Busy):
        account.run("bake_image")
    assert [entry["outcome"] for entry in account.journal()] == ["unknown"]
    assert account.run("bake_image")["image"]


def test_somebody_elses_image_of_the_name_is_not_released(account: Account) -> None:
    account.before("bake_image")
    account.client("ec2").create_image(InstanceId=account.builder, Name=f"viridian-shop-{RELEASE}")
    with pytest.raises(Refusal, match="it is not ours"):
        account.run("bake_image")
    assert account.writes() == ["CreateImage"], "theirs"
