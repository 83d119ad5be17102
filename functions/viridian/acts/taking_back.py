"""A promoted release taken back: what must be true, and the route taken for it once more."""

from viridian.acts import green
from viridian.aws import images, ledger, router
from viridian.converge import Errand
from viridian.errors import HANDS_ON, Refusal
from viridian.fleet import Side
from viridian.plan import LaunchTemplate
from viridian.record import Record


def reopen(record: Record, errand: Errand) -> Record:
    """Makes a promoted release one that is rolling back, or refuses with how to go forward instead; touches nothing else."""
    plan = record.plan
    if record.hands_off:
        raise Refusal("hands_off", record.hands_off, HANDS_ON)
    if record.status == "Retired":
        raise Refusal("release", f"the blue of {plan.release} is retired", _forward(record))
    shown = router.forward(plan.route)
    blue, candidate = green.seen(record)
    if candidate is None or not shown.alone(candidate.target_group):
        raise Refusal("release", f"{plan.release} does not serve alone", "Take back the release that serves.")
    if blue is None:
        raise Refusal("release", f"{plan.blue.group} is gone", _forward(record))
    need = _need(blue, candidate, record.need)
    if blue.healthy() < need and not _launches(plan.blue_launch_template):
        raise Refusal("release", f"the image that {blue.group} launches is gone", _forward(record))
    return ledger.reopen(record, errand, need, shown)


def _need(blue: Side, candidate: Side, held: int) -> int:
    """What serves now is what blue must be able to carry; a green that fails is no reason to wait for room.

    Never less than the floor (`held`) that the release gave blue: what is above the need is somebody else's, and stays.
    """
    if candidate.desired > blue.maximum and candidate.healthy() >= candidate.desired:
        raise Refusal(
            "release",
            f"{candidate.group} has {candidate.desired} instances, {blue.group} may have {blue.maximum}",
            f"Raise the MaxSize of {blue.group} to {candidate.desired} first.",
        )
    return max(1, min(candidate.desired, blue.maximum), min(blue.minimum, held))


def _launches(template: LaunchTemplate) -> bool:
    """Whether the image of a launch template version is still there."""
    image = images.template_image(template)
    found = images.find(image) if image else None
    return found is not None and found["State"] == "available"


def _forward(record: Record) -> str:
    """How the version that served before can serve again, once there is no way back."""
    plan = record.plan
    version, image = plan.blue_version or "the version that should serve", plan.blue_image or "its image"
    return f'Go forward: release {version} with "source": {{"type": "ami", "image_id": "{image}"}}.'
