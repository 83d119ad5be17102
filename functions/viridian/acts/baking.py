"""The way to a release's image: what its source starts, what is to be followed, and what is to be removed again."""

from typing import Any, Literal, Protocol

from msgspec.structs import replace

from viridian import arns, image, names
from viridian.acts import protection
from viridian.aws import builds, commands, images, ledger, pipelines
from viridian.fence import Fence
from viridian.image import Making
from viridian.plan import Plan
from viridian.record import Record
from viridian.request import ImageBuilderSource, InstanceSource, PackerSource, ReadySource


class Maker(Protocol):
    """A service that makes images for us: what its adapter offers."""

    def start(self, plan: Plan, fence: Fence) -> str:
        """Has the image made, once for a release; answers with the id of what makes it."""

    def find(self, plan: Plan) -> str | None:
        """The id of what was started for a release, if it still stands."""

    def follow(self, id_: str, /) -> Making:
        """How it is getting on."""

    def remove(self, making: Making, fence: Fence) -> None:
        """Stops it if it is under way, else deletes what is kept of it."""


_MAKERS: dict[type, Maker] = {ImageBuilderSource: pipelines, PackerSource: builds}


def step(record: Record) -> str | None:
    """Takes the next step, if it is due; answers with the image once it is known. Any step may be taken again."""
    plan, fence = record.plan, record.fence()
    if isinstance(plan.source, ReadySource):
        return _known(record, plan.ready, ours=False)
    if isinstance(plan.source, InstanceSource) and not plan.source.patch:
        return _known(record, images.bake(plan, plan.source.instance_id, fence), ours=True)
    if record.bake is None:
        ledger.note(fence, bake=_start(plan, fence))
        return None
    making = _follow(plan, record.bake)
    if image.follow(plan, making) == "pending":
        return None
    if isinstance(plan.source, InstanceSource):
        return _known(record, images.bake(plan, plan.source.instance_id, fence), ours=True)
    return _adopted(record, making)


def look(record: Record) -> Literal["available", "pending", "due"]:
    """How the image is getting on: `due` when only its next step is missing."""
    if record.image is None and record.bake is not None:
        return image.follow(record.plan, _follow(record.plan, record.bake))
    return image.judge(record.plan, record.image, images.find(record.image or ""))


def leftovers(record: Record) -> tuple[str, ...]:
    """What stands of the image that this release made, or had made."""
    making = _left(record.plan)
    found = _made(record, making)
    snapshots = images.find_snapshots(_ours(record.plan)) if record.image_is_ours else []
    return (
        *((making.what,) if making and making.stands else ()),
        *((f"image {found['ImageId']}",) if found else ()),
        *(f"snapshot {snapshot}" for snapshot in snapshots),
        *((f"the protection of image {record.image}",) if _keeps_protected(record) else ()),
    )


def remove(record: Record) -> None:
    """Removes that: what is under way is stopped first, and the rest goes once it has stopped."""
    plan, fence, making = record.plan, record.fence(), _left(record.plan)
    if making and making.under_way:
        _MAKERS[type(plan.source)].remove(making, fence)
        return
    if (found := _made(record, making)) is not None:
        if making:
            images.adopt(found, plan, fence)  # nothing is deleted that doesn't carry our tags
        images.let_go(found["ImageId"], plan.service, fence)
        images.deregister(found["ImageId"], _ours(plan), fence)
    elif record.image_is_ours:
        images.delete_snapshots(_ours(plan), fence)
    else:
        protection.let_go(record, record.image, gone=plan.green_group)
    if making and making.stands:
        _MAKERS[type(plan.source)].remove(making, fence)


def _start(plan: Plan, fence: Fence) -> str:
    if isinstance(plan.source, InstanceSource):
        return commands.patch(plan, plan.source.instance_id, fence)
    return _MAKERS[type(plan.source)].start(plan, fence)


def _follow(plan: Plan, id_: str) -> Making:
    if isinstance(plan.source, InstanceSource):
        return commands.follow(id_, plan.source.instance_id)
    return _MAKERS[type(plan.source)].follow(id_)


def _adopted(record: Record, making: Making) -> str:
    """The image that was made elsewhere for this release: first in the record, so that it can't be lost, then tagged."""
    plan, fence, found = record.plan, record.fence(), _find(making)
    made = image.ensure_made(making, found, arns.account(plan.execution))
    known = _known(record, str(made["ImageId"]), ours=True)
    told = replace(plan, build=replace(plan.build, build_id=plan.build.build_id or making.id))
    images.adopt(made, told, fence)
    images.describe(known, told, fence)
    return known


def _left(plan: Plan) -> Making | None:
    """What makes images elsewhere, and was started for this release, even if the answer was lost."""
    maker = _MAKERS.get(type(plan.source))
    started = maker.find(plan) if maker else None
    return maker.follow(started) if maker and started else None


def _made(record: Record, making: Making | None) -> dict[str, Any] | None:
    """The image that the release made, or had made; somebody else's of the same name, or an older one, is left."""
    plan = record.plan
    if making:
        found = _find(making)
        ours = image.is_made(making, found, arns.account(plan.execution))
    else:
        found = images.find_by_name(names.image(plan.service, plan.release))
        ours = found is not None and (images.is_of(found, _ours(plan)) or found["ImageId"] == record.image)
    return found if found and ours and found["State"] != "deregistered" else None


def _keeps_protected(record: Record) -> bool:
    """Whether an image that was given is protected for this release alone: it stays, and that goes."""
    return not record.image_is_ours and protection.is_idle(record, record.image, record.plan.green_group)


def _find(making: Making) -> dict[str, Any] | None:
    """The image that it names; a build may name anything."""
    return images.find(making.image) if image.is_id(making.image) else None


def _ours(plan: Plan) -> dict[str, str]:
    return names.tags(plan.service, plan.release)


def _known(record: Record, found: str, ours: bool) -> str:
    if record.image != found:
        ledger.note(record.fence(), image=found, image_is_ours=ours)
    return found
