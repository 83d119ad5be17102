"""Whether a new image is released by itself: what its tags ask for, and whether it is newer than what serves."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from viridian import arns, names
from viridian.errors import Refusal
from viridian.image import Making
from viridian.moment import at
from viridian.request import SEMVER, Profile

_BUILT_AS = "Ec2ImageBuilderArn"  # Image Builder puts it on every AMI that it makes


def asked(found: Mapping[str, Any], built: Making | None, account: str, region: str) -> dict[str, Any]:
    """The input of the release that an image's tags ask for, the same each time; a Refusal if they ask for none.

    `built` is Image Builder's image of it, if that is what we heard of; its tags count where the AMI's say nothing.
    """
    image, ami = str(found["ImageId"]), names.tags_on(found)
    tags = {**(built.tags if built else {}), **ami}
    _ensure_ready(found, built)
    if release := tags.get(names.RELEASE):
        raise Refusal("image", f"{image} was made by release {release}", "A release starts no other.")
    by = ami.get(_BUILT_AS, "")
    if not built and (arns.account(by), arns.region(by)) == (account, region):
        raise Refusal("image", f"{image} is of {by}", "Image Builder says itself when it has been tested.")
    for tag in (names.SERVICE, names.VERSION):
        if tag not in tags:
            raise Refusal(
                "image", f"{image} has no tag {tag}", "Tag it as it is made, for it to be released."
            )
    return {
        "service": tags[names.SERVICE],
        "version": tags[names.VERSION],
        "source": {"type": "ami", "image_id": image},
        "build": {
            **({"build_id": by} if by else {}),
            **{field: tags[tag] for field, tag in names.BUILD.items() if tag in tags},
        },
    }


def _ensure_ready(found: Mapping[str, Any], built: Making | None) -> None:
    if built and not built.done:
        said = f": {built.reason}" if built.reason else ""
        raise Refusal("image", f"{built.what} is {built.status}{said}", "Only what passed its tests starts.")
    if found["State"] != "available":
        raise Refusal("image", f"{found['ImageId']} is {found['State']}", "Only an available image starts.")


def ensure_wanted(service: str, profile: Profile) -> None:
    """Refuses an image whose service has not opted in."""
    if not profile.start_on_image:
        fix = 'Register the service with "start_on_image": true, for its images to start releases.'
        raise Refusal("profile.start_on_image", f"{service} has not opted in", fix)


def outdated(found: Mapping[str, Any], version: str, serving: Mapping[str, Any]) -> str | None:
    """Why an image is not newer than the one that serves; None if it is.

    It is newer if it was made later, and its version is not a lower one: the same again is new beneath the service.
    """
    image, blue = found["ImageId"], serving["ImageId"]
    made, since = (datetime.fromisoformat(each["CreationDate"]) for each in (found, serving))
    if made <= since:
        return f"{image} of {at(made)} is no newer than {blue} of {at(since)}, which serves"
    now = names.tags_on(serving).get(names.VERSION, "")
    if re.match(SEMVER, now) and _precedence(version) < _precedence(now):
        return f"version {version} of {image} is lower than {now} of {blue}, which serves"
    return None


def _precedence(version: str) -> tuple[Any, ...]:
    """What sorts versions: https://semver.org/spec/v2.0.0.html#spec-item-11"""
    core, _, prerelease = version.partition("+")[0].partition("-")
    identifiers = [(0, int(each), "") if each.isdigit() else (1, 0, each) for each in prerelease.split(".")]
    return [int(number) for number in core.split(".")], not prerelease, identifiers
