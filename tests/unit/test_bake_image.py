"""BakeImage: one image per release, tagged with what it is, or the one that is ready."""

import pytest

from tests.account import RELEASE, Account
from viridian.errors import Busy, Fenced, Refusal


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
