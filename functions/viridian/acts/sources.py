"""What a release's image is to come from, checked before anything is touched."""

from typing import Any

import msgspec

from viridian import arns, names, preflight
from viridian.aws import builds, commands, images, keys, launches, parameters, pipelines, target_groups
from viridian.aws.target_groups import Health
from viridian.errors import Refusal
from viridian.preflight import Lent
from viridian.request import (
    AmiParameterSource,
    ImageBuilderSource,
    InstanceSource,
    PackerSource,
    ReadySource,
    Request,
)


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """An image that needs no baking, and what could not be seen of it; `found` is that image, or what one is made of."""

    image: str | None = None
    unchecked: tuple[str, ...] = ()
    found: dict[str, Any] = {}


def survey(
    request: Request,
    group: dict[str, Any],
    execution: str,
    groups: list[dict[str, Any]],
    known: dict[str, Health],
) -> Ready:
    """Checks the source of a release whose blue is this group; a Refusal says what is wrong with it. Reads only.

    `groups` are the Region's target groups, `known` the health of those that were asked already.
    """
    source = request.source
    if isinstance(source, ImageBuilderSource):
        _survey_pipeline(arns.own("source.pipeline_arn", source.pipeline_arn, execution), request.service)
        return Ready()
    if isinstance(source, PackerSource):
        _survey_project(source.project, request.service)
        return Ready()
    if isinstance(source, InstanceSource):
        instance = _survey_instance(source, request.service, groups, known)
        if source.patch and not commands.takes(source.instance_id):
            fix = "Use a running instance whose SSM agent is online, with a role that lets it."
            raise Refusal("source.patch", f"{source.instance_id} takes no commands of Systems Manager", fix)
        return Ready(found=instance)
    types = {member["InstanceType"] for member in group["Instances"]}
    if request.fleet.instance_type or request.fleet.instance_types:
        types = set()  # those that are asked for are checked with the rest of the fleet
    return _survey_image(source, types, group["ServiceLinkedRoleARN"], arns.account(execution))


def _survey_instance(
    source: InstanceSource, service: str, groups: list[dict[str, Any]], known: dict[str, Health]
) -> dict[str, Any]:
    field = "source.instance_id"
    instance = images.find_instance(source.instance_id, field)
    serving = target_groups.serving(instance, groups, known)
    preflight.ensure_quiet_source(instance, field, serving)
    preflight.ensure_lent(
        field, service, Lent(kind="ec2", id=source.instance_id, tags=names.tags_on(instance))
    )
    return instance


def _survey_pipeline(pipeline: str, service: str) -> None:
    found = pipelines.find_pipeline(pipeline)
    lent = Lent(kind="other", id=pipeline, tags=found.get("tags", {}), shared=True)
    preflight.ensure_lent("source.pipeline_arn", service, lent)


def _survey_project(name: str, service: str) -> None:
    found = builds.find_project(name)
    tags = {tag["key"]: tag["value"] for tag in found.get("tags", [])}
    lent = Lent(kind="other", id=found["arn"], tags=tags, shared=True)
    preflight.ensure_lent("source.project", service, lent)


def _survey_image(source: ReadySource, types: set[str], role: str, account: str) -> Ready:
    field, id_ = "source.image_id", ""
    if isinstance(source, AmiParameterSource):
        field, id_ = "source.parameter", parameters.image(source.parameter)
    else:
        id_ = source.image_id
    if (image := images.find(id_)) is None:
        raise Refusal(field, id_, "Use an image that exists in this account and Region.")
    preflight.ensure_usable_image(image, field, source.owners, account)
    preflight.ensure_bootable(image, field, launches.types(sorted(types)).values())
    return Ready(image=id_, unchecked=_survey_keys(image, field, role), found=image)


def _survey_keys(image: dict[str, Any], field: str, role: str) -> tuple[str, ...]:
    """Checks the keys of an image's snapshots, and answers with what it was not let see."""
    unseen = []
    for snapshot, key in images.snapshot_keys(image).items():
        if key is None:
            unseen.append(f"the key of snapshot {snapshot}: whether {role} may use it")
        elif (found := keys.find(key)) is None:
            unseen.append(f"the policy and grants of key {key}: whether {role} may use it")
        else:
            preflight.ensure_usable_key(found, field, role)
    return tuple(unseen)
