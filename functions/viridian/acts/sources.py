"""What a release's image is to come from, checked before anything is touched."""

from typing import Any

import msgspec

from viridian import arns, preflight
from viridian.aws import builds, commands, images, keys, parameters, pipelines, target_groups
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
    """An image that needs no baking, and what could not be seen of it."""

    image: str | None = None
    unchecked: tuple[str, ...] = ()


def survey(request: Request, group: dict[str, Any], execution: str) -> Ready:
    """Checks the source of a release whose blue is this group; a Refusal says what is wrong with it. Reads only."""
    source = request.source
    if isinstance(source, ImageBuilderSource):
        _survey_pipeline(arns.own("source.pipeline_arn", source.pipeline_arn, execution), request.service)
        return Ready()
    if isinstance(source, PackerSource):
        _survey_project(source.project, request.service)
        return Ready()
    if isinstance(source, InstanceSource):
        _survey_instance(source, request.service)
        if source.patch and not commands.takes(source.instance_id):
            fix = "Use a running instance whose SSM agent is online, with a role that lets it."
            raise Refusal("source.patch", f"{source.instance_id} takes no commands of Systems Manager", fix)
        return Ready()
    return _survey_image(source, group, arns.account(execution))


def _survey_instance(source: InstanceSource, service: str) -> None:
    field = "source.instance_id"
    instance = images.find_instance(source.instance_id, field)
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    preflight.ensure_quiet_source(instance, field, target_groups.serving(source.instance_id))
    preflight.ensure_lent(field, service, Lent(kind="ec2", id=source.instance_id, tags=tags))


def _survey_pipeline(pipeline: str, service: str) -> None:
    found = pipelines.find_pipeline(pipeline)
    lent = Lent(kind="other", id=pipeline, tags=found.get("tags", {}), shared=True)
    preflight.ensure_lent("source.pipeline_arn", service, lent)


def _survey_project(name: str, service: str) -> None:
    found = builds.find_project(name)
    tags = {tag["key"]: tag["value"] for tag in found.get("tags", [])}
    lent = Lent(kind="other", id=found["arn"], tags=tags, shared=True)
    preflight.ensure_lent("source.project", service, lent)


def _survey_image(source: ReadySource, group: dict[str, Any], account: str) -> Ready:
    field, id_ = "source.image_id", ""
    if isinstance(source, AmiParameterSource):
        field, id_ = "source.parameter", parameters.image(source.parameter)
    else:
        id_ = source.image_id
    if (image := images.find(id_)) is None:
        raise Refusal(field, id_, "Use an image that exists in this account and Region.")
    preflight.ensure_usable_image(image, field, source.owners, account)
    types = {instance["InstanceType"] for instance in group["Instances"]}
    preflight.ensure_bootable(image, field, images.instance_types(types))
    return Ready(image=id_, unchecked=_survey_keys(image, field, group["ServiceLinkedRoleARN"]))


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
