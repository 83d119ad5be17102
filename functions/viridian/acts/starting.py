"""The release that a new image starts by itself: one at most, whatever is told of the image, how often and how late."""

from typing import Any

from viridian import names, preflight, request, starts, traffic
from viridian.acts import survey
from viridian.aws import auto_scaling, executions, images, ledger, pages, pipelines, profiles, router
from viridian.errors import Refusal


def start(resource: str, account: str, region: str) -> tuple[str | None, str]:
    """The execution that releases an image, by EC2's or Image Builder's ARN of it, and why; None if none does.

    What is in the way of an image that is wanted, people are told; that it isn't wanted is nobody's business.
    """
    try:
        found, document = _asked(resource, account, region)
        wanted = request.parse(document)
        registered, _ = profiles.find(wanted.service)
        profile = request.merge(wanted, registered)
        starts.ensure_wanted(wanted.service, profile)
    except Refusal as refusal:
        return None, str(refusal)
    execution = executions.release(names.start(wanted.service, found["ImageId"]))
    if ledger.find_by_execution(execution):
        return execution, f"{found['ImageId']} has started its release before"
    try:
        serving = _serving(profile.route)
    except Refusal as refusal:
        subject = f"{wanted.service} {wanted.version} of {found['ImageId']} was not started"
        pages.tell(
            subject, f"{subject}, though the service is released when a new image is there.\n\n{refusal}"
        )
        return None, str(refusal)
    if why := starts.outdated(found, wanted.version, serving):
        return None, why
    return executions.start_release(execution, document), f"{found['ImageId']} is new"


def _asked(resource: str, account: str, region: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The image, and the release that it asks for."""
    built = pipelines.find_image(resource) if ":imagebuilder:" in resource else None
    image = built.image if built else resource.rpartition("/")[2]
    found = images.find(image) if image else None
    if found is None:
        raise Refusal("image", resource, "It is gone, or has no AMI of this account and Region.")
    return found, starts.asked(found, built, account, region)


def _serving(route: str) -> dict[str, Any]:
    """The image of the fleet that serves, while no release is about to change that."""
    if holder := ledger.holder(route):
        raise Refusal("route", f"held by {holder}", "Start the release yourself once that one has ended.")
    launches = survey.launches_of(auto_scaling.attached(traffic.find_blue(router.forward(route))))
    image = images.template_image(launches)
    preflight.ensure_pinned_image(image, launches)
    if not image or (found := images.find(image)) is None:
        fix = "Start the release yourself: nothing tells which image is the newer one."
        raise Refusal("route", f"image {image} of the fleet that serves is not to be seen", fix)
    return found
