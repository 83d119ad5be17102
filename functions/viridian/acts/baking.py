"""The way to a release's image: what its source starts, what is to be followed, and the step after that."""

from typing import Literal

from viridian import image
from viridian.aws import commands, images, ledger
from viridian.image import Making
from viridian.record import Record
from viridian.request import InstanceSource, ReadySource


def step(record: Record) -> str | None:
    """Takes the next step, if it is due; answers with the image once it is known. Any step may be taken again."""
    source = record.plan.source
    if isinstance(source, ReadySource):
        return _known(record, record.plan.ready, ours=False)
    if source.patch and not _is_patched(record, source):
        return None
    return _known(record, images.bake(record.plan, source.instance_id, record.fence()), ours=True)


def look(record: Record) -> Literal["available", "pending", "due"]:
    """How the image is getting on: `due` when only its next step is missing."""
    if record.image is None and (making := _making(record)) is not None:
        return image.follow(record.plan, making)
    return image.judge(record.plan, record.image, images.find(record.image or ""))


def _is_patched(record: Record, source: InstanceSource) -> bool:
    if (making := _making(record)) is None:
        ledger.note(record.fence(), bake=commands.patch(record.plan, source.instance_id, record.fence()))
        return False
    return image.follow(record.plan, making) == "due"


def _making(record: Record) -> Making | None:
    """What the image is made by or after, as its service shows it; None if nothing was started yet."""
    source = record.plan.source
    if record.bake is None or not isinstance(source, InstanceSource):
        return None
    return commands.follow(record.bake, source.instance_id)


def _known(record: Record, found: str, ours: bool) -> str:
    if record.image != found:
        ledger.note(record.fence(), image=found, image_is_ours=ours)
    return found
