"""CheckImage: available, on its way, or the end of it."""

import pytest
from moto.ec2.models import ec2_backends

from tests.account import ACCOUNT, REGION, Account
from viridian.errors import DeadlinePassed, Fenced, ImageFailed


def test_an_image_is_pending_until_it_is_available(account: Account) -> None:
    image = account.before("bake_image").run("bake_image")["image"]
    assert account.twice("check_image") == {"image": image, "state": "pending"}
    account.later(minutes=5)
    assert account.twice("check_image") == {"image": image, "state": "available"}
    assert account.writes() == ["CreateImage"]


def test_an_image_that_never_comes_has_a_deadline(account: Account) -> None:
    account.before("bake_image").run("bake_image")
    ec2_backends[ACCOUNT][REGION].amis[account.record().image or ""].state = "transient"
    account.later(minutes=59)
    assert account.run("check_image")["state"] == "pending"
    account.later(minutes=2)
    with pytest.raises(DeadlinePassed, match="after 60 minutes"):
        account.run("check_image")


@pytest.mark.parametrize("state", ["failed", "error", "invalid", "deregistered", "disabled"])
def test_an_image_that_failed_is_not_waited_for(account: Account, state: str) -> None:
    image = account.before("bake_image").run("bake_image")["image"]
    ec2_backends[ACCOUNT][REGION].amis[image].state = state
    with pytest.raises(ImageFailed, match=f"{image} is {state}"):
        account.run("check_image")


def test_an_image_that_isnt_shown_yet_is_waited_for(account: Account) -> None:
    image = account.before("bake_image").run("bake_image")["image"]
    account.client("ec2").deregister_image(ImageId=image)
    assert account.run("check_image")["state"] == "pending"


def test_a_release_that_was_taken_over_does_not_look(account: Account) -> None:
    account.before("check_image").move_epoch_on()
    with pytest.raises(Fenced):
        account.run("check_image")
