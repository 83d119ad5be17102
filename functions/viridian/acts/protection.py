"""The images that nobody may deregister: those of the fleet that serves, and of the one that can still be brought back."""

from typing import Any

from viridian import clone
from viridian.aws import auto_scaling, images
from viridian.errors import Refusal
from viridian.record import Record


def protect(record: Record) -> None:
    """Green's image from its promotion on, and blue's for as long as it is kept; those that no release made are left."""
    for image in dict.fromkeys((record.image, record.plan.blue_image)):
        if image:
            images.protect(image, record.plan.service, record.fence())


def let_go(record: Record, image: str | None, gone: str) -> None:
    """Ends the protection of an image whose group is gone."""
    if image and is_idle(record, image, gone):
        images.let_go(image, record.plan.service, record.fence())


def is_idle(record: Record, image: str | None, gone: str) -> bool:
    """Whether an image is protected though no group of the service launches from it, this one apart.

    One image may be released twice: again, with another fleet, or to go forward to what served before.
    """
    service = record.plan.service
    found = images.find_made(image, service) if image else None
    if found is None or not images.is_protected(found):
        return False
    others = (each for each in auto_scaling.of_service(service) if each["AutoScalingGroupName"] != gone)
    return all(_image(group) != image for group in others)


def _image(group: dict[str, Any]) -> str | None:
    """What a group launches; nothing for one without a launch template, which no release is made like."""
    try:
        launches = clone.launches(group)
    except Refusal:
        return None
    return images.template_image(launches)
