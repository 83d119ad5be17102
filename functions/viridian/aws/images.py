"""EC2: images, the instances they are made from, and launch template versions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from viridian import leftovers, names, overrides
from viridian.aws import clients, ledger
from viridian.errors import Busy, Refusal
from viridian.fence import Fence
from viridian.image import origin
from viridian.leftovers import Thing, thing
from viridian.plan import LaunchTemplate, Plan
from viridian.request import Overrides

_AS_BLUE = Overrides()
_STANDS = ["pending", "running", "shutting-down", "stopping", "stopped"]
_OURS = "viridian "  # how the description of a launch template version that we made begins


def find(image: str) -> dict[str, Any] | None:
    """An image of this account or shared with it; None if there is none, or if it is disabled (aws-facts I4)."""
    try:
        found = clients.reader("ec2").describe_images(ImageIds=[image])["Images"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"):
            return None
        raise
    return dict(found[0]) if found else None


def find_by_name(name: str) -> dict[str, Any] | None:
    """An image of this account by its name."""
    filters = [{"Name": "name", "Values": [name]}]
    found = clients.reader("ec2").describe_images(Owners=["self"], Filters=filters)["Images"]
    return dict(found[0]) if found else None


def is_of(image: dict[str, Any], wanted: dict[str, str]) -> bool:
    """Whether an image carries these tags."""
    return wanted.items() <= names.tags_on(image).items()


def find_instance(instance: str, field: str) -> dict[str, Any]:
    """An instance as AWS shows it; a Refusal if there is none."""
    try:
        found = clients.reader("ec2").describe_instances(InstanceIds=[instance])["Reservations"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidInstanceID.NotFound":
            raise
        found = []
    if not found:
        raise Refusal(field, instance, "Use an instance that exists in this account and Region.")
    return dict(found[0]["Instances"][0])


def snapshot_keys(image: dict[str, Any]) -> dict[str, str | None]:
    """The KMS key of each encrypted snapshot of an image; None where the snapshot isn't shown to us."""
    disks = [mapping["Ebs"] for mapping in image.get("BlockDeviceMappings", []) if "Ebs" in mapping]
    snapshots = sorted(
        disk["SnapshotId"] for disk in disks if disk.get("Encrypted") and disk.get("SnapshotId")
    )
    if not snapshots:
        return {}
    filters = [
        {"Name": "snapshot-id", "Values": snapshots}
    ]  # asked by id, a snapshot that is hidden is an error
    found = clients.reader("ec2").describe_snapshots(Filters=filters)["Snapshots"]
    return {**dict.fromkeys(snapshots), **{each["SnapshotId"]: each.get("KmsKeyId") for each in found}}


def console(instance: str) -> str:
    """The end of what an instance has written to its console; EC2 keeps a copy that may be minutes old."""
    return str(clients.reader("ec2").get_console_output(InstanceId=instance).get("Output", ""))[-1_500:]


def bake(plan: Plan, instance: str, fence: Fence) -> str:
    """Makes the release's image from an instance, which reboots; an earlier try's image is kept. Answers with its id."""
    name = names.image(plan.service, plan.release)
    if (found := find_by_name(name)) is not None:
        if not is_of(found, names.tags(plan.service, plan.release)):
            raise Refusal(
                "source", f"image {found['ImageId']} has the name {name}", "Deregister it: it is not ours."
            )
        return str(found["ImageId"])
    specifications = [
        {"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags(plan).items()]}
        for kind in ("image", "snapshot")
    ]
    with ledger.mutation(fence, "CreateImage", instance, after=name) as entry:
        made = clients.writer("ec2").create_image(
            InstanceId=instance,
            Name=name,
            Description=description(plan),
            NoReboot=False,
            TagSpecifications=specifications,
        )
        entry.shown = str(made["ImageId"])
    return str(entry.shown)


def tags(plan: Plan) -> dict[str, str]:
    """What an image says of itself: the version, its parts, and the build it came from."""
    core = plan.version.split("+")[0]
    numbers, _, prerelease = core.partition("-")
    major, minor, patch = numbers.split(".")
    parts = {"version-major": major, "version-minor": minor, "version-patch": patch, "prerelease": prerelease}
    parts["source"] = origin(plan.source)[:256]
    build = {tag: getattr(plan.build, field) for field, tag in names.BUILD.items()}
    told = {**{f"viridian:{key}": value for key, value in parts.items()}, **build}
    return {
        "Name": names.image(plan.service, plan.release),
        names.VERSION: plan.version,
        **{tag: value for tag, value in told.items() if value},
        **names.tags(plan.service, plan.release),
    }


def description(plan: Plan) -> str:
    """The same for whoever looks at a list of images; EC2 takes 255 characters of ASCII."""
    told = {
        "release": plan.release,
        "of": origin(plan.source),
        "commit": plan.build.commit,
        "build": plan.build.build_id,
        "by": plan.build.builder,
    }
    said = (f"{plan.service} {plan.version}", *(f"{key} {value}" for key, value in told.items() if value))
    return ", ".join(said).encode("ascii", "replace").decode()[:255]


def adopt(image: dict[str, Any], plan: Plan, fence: Fence) -> None:
    """Puts the release's tags on an image that others made for it, and on its snapshots, where they lack them."""
    ours = names.tags(plan.service, plan.release)
    disks = [mapping["Ebs"]["SnapshotId"] for mapping in image["BlockDeviceMappings"] if "Ebs" in mapping]
    filters = [{"Name": "snapshot-id", "Values": disks}]
    found = clients.reader("ec2").describe_snapshots(Filters=filters)["Snapshots"] if disks else []
    things = {image["ImageId"]: image, **{snapshot["SnapshotId"]: snapshot for snapshot in found}}
    if lacking := [id_ for id_, thing in things.items() if not is_of(thing, ours)]:
        with ledger.mutation(fence, "CreateTags", image["ImageId"], after=tags(plan)):
            clients.writer("ec2").create_tags(
                Resources=lacking, Tags=[{"Key": key, "Value": value} for key, value in tags(plan).items()]
            )


def describe(image: str, plan: Plan, fence: Fence) -> None:
    """Puts the release's description before the one that an adopted image has; one without our tags is never changed."""
    found = find(image)
    if found is None or not is_of(found, names.tags(plan.service, plan.release)):
        raise Busy(f"the tags of image {image} are not to be seen yet")
    ours, before = description(plan), found.get("Description", "")
    if not before.startswith(ours):
        wanted = f"{ours}. {before}".removesuffix(". ")[:255]
        with ledger.mutation(fence, "ModifyImageAttribute", image, before=before, after=wanted) as entry:
            clients.writer("ec2").modify_image_attribute(ImageId=image, Description={"Value": wanted})
            entry.shown = (find(image) or {}).get("Description")


def is_protected(image: dict[str, Any]) -> bool:
    """Whether EC2 refuses to deregister an image, by what it shows: `disabled`, or `enabled-` and how."""
    return str(image.get("DeregistrationProtection", "")).startswith("enabled")


def find_made(image: str, service: str) -> dict[str, Any] | None:
    """An image that a release of this service made, or had made; None for anybody else's, and for one that is gone."""
    found = find(image) or {}
    made = names.RELEASE in names.tags_on(found)
    return found if made and is_of(found, {names.MANAGED: "true", names.SERVICE: service}) else None


def protect(image: str, service: str, fence: Fence) -> None:
    """Has EC2 refuse to deregister an image of this service's, whoever asks."""
    found = find_made(image, service)
    if found and not is_protected(found):
        with ledger.mutation(fence, "EnableImageDeregistrationProtection", image) as entry:
            # Without the cooldown of a day: a rollback deregisters what it let go a moment ago.
            clients.writer("ec2").enable_image_deregistration_protection(ImageId=image)
            shown = find(image) or {}
            entry.shown = shown.get("DeregistrationProtection")
        if not is_protected(shown):
            raise Busy(f"image {image} is not protected yet, but {entry.shown}: it is set again")


def let_go(image: str, service: str, fence: Fence) -> None:
    """Ends that protection."""
    found = find_made(image, service)
    if found and is_protected(found):
        with ledger.mutation(fence, "DisableImageDeregistrationProtection", image) as entry:
            clients.writer("ec2").disable_image_deregistration_protection(ImageId=image)
            entry.shown = (find(image) or {}).get("DeregistrationProtection")


def deregister(image: str, ours: dict[str, str], fence: Fence) -> None:
    """Removes an image that this release made, with its snapshots; one that is gone already is fine."""
    found = find(image)
    if found is None or found["State"] == "deregistered":
        return
    if not is_of(found, ours):
        raise Refusal("source", f"image {image} has lost the release's tags", "Deregister it by hand.")
    with ledger.mutation(fence, "DeregisterImage", image):
        clients.writer("ec2").deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)


def find_snapshots(wanted: dict[str, str]) -> list[str]:
    """The snapshots of this account that carry these tags; deregistering an image may have left them."""
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in wanted.items()]
    pages = (
        clients.reader("ec2").get_paginator("describe_snapshots").paginate(OwnerIds=["self"], Filters=filters)
    )
    return sorted(snapshot["SnapshotId"] for page in pages for snapshot in page["Snapshots"])


def delete_snapshots(wanted: dict[str, str], fence: Fence) -> None:
    """Deletes the snapshots that carry these tags."""
    for snapshot in find_snapshots(wanted):
        delete_snapshot(snapshot, fence)


def delete_snapshot(snapshot: str, fence: Fence) -> None:
    """Deletes one snapshot; EC2 refuses to while an image is made of it."""
    with ledger.mutation(fence, "DeleteSnapshot", snapshot):
        clients.writer("ec2").delete_snapshot(SnapshotId=snapshot)


def left() -> list[Thing]:
    """Every image and snapshot of this account that a release made."""
    client, tagged = clients.reader("ec2"), [{"Name": "tag-key", "Values": [names.RELEASE]}]
    images = client.get_paginator("describe_images").paginate(Owners=["self"], Filters=tagged)
    snapshots = client.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], Filters=tagged)
    return leftovers.things(
        [
            *(
                thing(
                    "image",
                    image["ImageId"],
                    names.tags_on(image),
                    image["CreationDate"],
                    # Whatever it says of a cooldown: only one that isn't protected can be deregistered.
                    protected=image.get("DeregistrationProtection", "disabled") != "disabled",
                    made_of=tuple(_snapshots(image)),
                )
                for page in images
                for image in page["Images"]
                if image["State"] != "deregistered"
            ),
            *(
                thing("snapshot", snapshot["SnapshotId"], names.tags_on(snapshot), snapshot["StartTime"])
                for page in snapshots
                for snapshot in page["Snapshots"]
            ),
        ]
    )


def run_on(images: Sequence[str]) -> dict[str, str]:
    """Those of these images that instances were launched from, with one such instance each; stopped ones count."""
    found: dict[str, str] = {}
    for start in range(0, len(images), 200):  # a filter takes no more
        some = list(images[start : start + 200])
        filters = [{"Name": "image-id", "Values": some}, {"Name": "instance-state-name", "Values": _STANDS}]
        pages = clients.reader("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        instances = [each for page in pages for group in page["Reservations"] for each in group["Instances"]]
        found |= {str(each["ImageId"]): str(each["InstanceId"]) for each in instances}
    return found


def _snapshots(image: dict[str, Any]) -> Iterator[str]:
    for mapping in image.get("BlockDeviceMappings", []):
        if snapshot := mapping.get("Ebs", {}).get("SnapshotId"):
            yield str(snapshot)


def version_for(
    blue: LaunchTemplate, image: str, release: str, fence: Fence, fleet: Overrides = _AS_BLUE
) -> str:
    """The number of a version of blue's launch template with this image and what else is asked for; a try's is kept."""
    standing = list(_every_version(blue.template))
    if (found := _made_among(standing, release)) is not None:
        return found
    was = _data_among(standing, blue)
    asked = overrides.template(was, fleet)
    disks = asked.get("BlockDeviceMappings", was.get("BlockDeviceMappings", []))
    # EC2 takes no snapshot over from a source version.
    if any("SnapshotId" in disk.get("Ebs", {}) for disk in disks):
        asked["BlockDeviceMappings"] = overrides.on_image(disks, (find(image) or {}).get("RootDeviceName"))
    with ledger.mutation(fence, "CreateLaunchTemplateVersion", blue.template, before=blue.version) as entry:
        made = clients.writer("ec2").create_launch_template_version(
            LaunchTemplateId=blue.template,
            SourceVersion=blue.version,
            VersionDescription=f"{_OURS}{release}",
            LaunchTemplateData={"ImageId": image, **asked},
            ClientToken=release,
        )
        entry.shown = str(made["LaunchTemplateVersion"]["VersionNumber"])
    return str(entry.shown)


def find_version(template: str, release: str) -> str | None:
    """The number of the launch template version that a release made."""
    return _made_among(_every_version(template), release)


def _made_among(versions: Iterable[dict[str, Any]], release: str) -> str | None:
    mine = (each for each in versions if each.get("VersionDescription") == f"{_OURS}{release}")
    return next((str(each["VersionNumber"]) for each in mine), None)


def _data_among(versions: Iterable[dict[str, Any]], launch_template: LaunchTemplate) -> dict[str, Any]:
    number = int(launch_template.version)
    found = (each for each in versions if each["VersionNumber"] == number)
    return next((dict(each["LaunchTemplateData"]) for each in found), {})


def _every_version(template: str) -> Iterator[dict[str, Any]]:
    pages = (
        clients.reader("ec2")
        .get_paginator("describe_launch_template_versions")
        .paginate(LaunchTemplateId=template, PaginationConfig={"PageSize": 200})
    )
    return (version for page in pages for version in page["LaunchTemplateVersions"])


def versions(template: str) -> list[dict[str, Any]]:
    """Every version of a launch template; none if it is gone."""
    try:
        return list(_every_version(template))
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidLaunchTemplateId.NotFound":
            raise
        return []


def templates() -> dict[str, str]:
    """The launch templates that were lent to us, each with the service it was lent for."""
    filters = [{"Name": f"tag:{names.MANAGED}", "Values": ["true"]}]
    pages = clients.reader("ec2").get_paginator("describe_launch_templates").paginate(Filters=filters)
    found = [template for page in pages for template in page["LaunchTemplates"]]
    return {each["LaunchTemplateId"]: names.tags_on(each).get(names.SERVICE, "") for each in found}


def left_versions(template: str, service: str) -> list[Thing]:
    """Every version of a launch template that a release made: it has no tags, its description says whose it is."""
    return leftovers.things(
        thing(
            "launch template version",
            f"{template} {version['VersionNumber']}",
            {names.SERVICE: service, names.RELEASE: claim[len(_OURS) :]},
            version["CreateTime"],
        )
        for version in versions(template)
        if (claim := version.get("VersionDescription", "")).startswith(_OURS)
    )


def launched(launch_template: LaunchTemplate) -> tuple[dict[str, Any], int]:
    """What a launch template version says of the instances it launches, and how many versions its template has."""
    standing = list(_every_version(launch_template.template))
    return _data_among(standing, launch_template), len(standing)


def delete_version(template: str, release: str, fence: Fence) -> None:
    """Deletes the launch template version that a release made, if it is there."""
    if (version := find_version(template, release)) is not None:
        with ledger.mutation(fence, "DeleteLaunchTemplateVersions", template, before=version):
            clients.writer("ec2").delete_launch_template_versions(
                LaunchTemplateId=template, Versions=[version]
            )


def template_tags(template: str) -> dict[str, str]:
    """A launch template's tags."""
    (found,) = clients.reader("ec2").describe_launch_templates(LaunchTemplateIds=[template])[
        "LaunchTemplates"
    ]
    return names.tags_on(found)


def template_image(launch_template: LaunchTemplate) -> str | None:
    """The image that a launch template version names."""
    return template_data(launch_template).get("ImageId")


def template_data(launch_template: LaunchTemplate) -> dict[str, Any]:
    """What a launch template version says of the instances it launches; a version never changes."""
    found = clients.reader("ec2").describe_launch_template_versions(
        LaunchTemplateId=launch_template.template, Versions=[launch_template.version]
    )["LaunchTemplateVersions"]
    return dict(found[0]["LaunchTemplateData"]) if found else {}
