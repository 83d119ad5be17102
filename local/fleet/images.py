"""Images take their time: they pend, their source reboots, and its disk goes with them (aws-facts.md A20, I1-I4)."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.models.elastic_block_store import Snapshot
from moto.ec2.models.instances import Instance
from moto.ec2.responses.amis import AmisResponse

from local.hooks import Hooks

ACCOUNT, REGION = "123456789012", "us-east-1"
CARRIED = {
    "Architecture": "architecture",
    "RootDeviceName": "root_device_name",
    "VirtualizationType": "virtualization_type",
    "BootMode": "boot_mode",
    "EnaSupport": "ena_support",
}
PROTECTION = "image_deregistration_protection"
COOLDOWN = 24 * 3600.0


class Images:
    """Every image made while installed, and what is on its disk."""

    def __init__(self, clock: Any, reality: Any, emit: Callable[..., None] = lambda *_: None) -> None:
        self._clock, self._reality, self._emit = clock, reality, emit
        self._hooks = Hooks()
        self._new: list[Any] = []
        self._disks: dict[str, dict[str, Any]] = {}
        self._due: dict[str, float] = {}
        self._rebooted: dict[str, float] = {}

    def install(self) -> None:
        self._hooks.set(AmisResponse, "create_image", self._as_method(self._create))
        self._hooks.wrap(Ami, "__init__", self._made)
        self._hooks.wrap(Snapshot, "__init__", self._snapped)
        self._hooks.set(Ami, "block_device_mappings", property(self._disks_of(Ami)))
        self._hooks.wrap(AmisResponse, "register_image", self._register)
        self._hooks.set(Instance, "ena_support", property(_ena_support))
        self._hooks.wrap(AmisResponse, "deregister_image", self._deregister)
        self._hooks.wrap(AmisResponse, "modify_image_attribute", self._modify)
        self._hooks.set(Ami, "deregistration_protection", "disabled")
        self._hooks.set(AmisResponse, f"enable_{PROTECTION}", self._as_method(self._protect))
        self._hooks.set(AmisResponse, f"disable_{PROTECTION}", self._as_method(self._unprotect))

    def uninstall(self) -> None:
        self._hooks.undo()

    def tick(self, now: float) -> None:
        for image_id in [image_id for image_id, due in self._due.items() if due <= now]:
            del self._due[image_id]
            image = self._backend().amis.get(image_id)
            if image is not None and image.state == "pending":
                image.state = "available"
        for image in [image for image in self._new if image.state != "pending"]:
            self._new.remove(image)
            if image.state == "available" and image.id in self._backend().amis:
                self._tell(image)

    def _tell(self, image: Any) -> None:
        """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-ami-events.html"""
        detail = {
            "RequestId": str(uuid.uuid4()),
            "ImageId": image.id,
            "State": image.state,
            "ErrorMessage": "",
        }
        arn = f"arn:aws:ec2:{REGION}::image/{image.id}"
        self._emit("aws.ec2", "EC2 AMI State Change", detail, [arn])

    def disk_of(self, image_id: str) -> dict[str, Any]:
        """What an instance launched from this image starts with: version, fault, command."""
        if image_id in self._disks:
            return dict(self._disks[image_id])
        tags = self._tags(image_id)
        if "local:disk" in tags:
            return dict(json.loads(tags["local:disk"]))
        return {"version": tags.get("viridian:version", "unknown"), "fault": None, "command": None}

    def disk_of_instance(self, instance_id: str) -> dict[str, Any]:
        tags = self._tags(instance_id)
        if "local:disk" in tags:
            return dict(json.loads(tags["local:disk"]))
        return self.disk_of(self._backend().get_instance(instance_id).image_id)

    def rebooting(self, instance_id: str) -> bool:
        """Its state stays `running`, but nothing on it answers."""
        return bool(self._rebooted.get(instance_id, 0.0) > self._clock.now())

    def _backend(self) -> Any:
        return ec2_backends[ACCOUNT][REGION]

    def _tags(self, resource: str) -> dict[str, str]:
        return dict(self._backend().tags.get(resource, {}))

    def _made(self, original: Any, image: Any, *arguments: Any, **named: Any) -> None:
        """Every image here has its root on EBS; moto calls that `standard`, which is a kind of volume."""
        original(image, *arguments, **named)
        image.root_device_type = "ebs"
        if image.owner_id == ACCOUNT:
            self._new.append(image)

    @staticmethod
    def _snapped(original: Any, snapshot: Any, *arguments: Any, **named: Any) -> None:
        """A snapshot is encrypted with its volume's key (CreateSnapshot); moto forgets with which."""
        original(snapshot, *arguments, **named)
        snapshot.kms_key_id = snapshot.kms_key_id or snapshot.volume.kms_key_id

    @staticmethod
    def _disks_of(images: Any) -> Callable[[Any], list[dict[str, Any]]]:
        """An image says whether its disks are encrypted, but not with which key: the snapshot does."""
        shown = vars(images)["block_device_mappings"].fget
        return lambda image: [
            {**disk, "Ebs": {**disk["Ebs"], "Encrypted": bool(image.ebs_snapshot.encrypted)}}
            for disk in shown(image)
        ]

    @staticmethod
    def _as_method(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda response: call(response)

    def _create(self, response: Any) -> ActionResult:
        backend = response.ec2_backend
        instance_id, name = response._get_param("InstanceId"), response._get_param("Name")
        instance = backend.get_instance(instance_id)
        if instance.state == "terminated":
            raise EC2ClientError("IncorrectInstanceState", f"Instance '{instance_id}' is terminated")
        self._check_name(backend, name)
        _check_description(response._get_param("Description", ""))
        response.error_on_dryrun()
        specs = response._get_param("TagSpecifications", [])
        image = backend.create_image(
            instance_id,
            name,
            response._get_param("Description", ""),
            tag_specifications=[spec for spec in specs if spec["ResourceType"] == "image"],
        )
        for tag in (tag for spec in specs if spec["ResourceType"] == "snapshot" for tag in spec["Tags"]):
            image.ebs_snapshot.add_tag(tag["Key"], tag["Value"])
        image.ena_support = instance.ena_support
        self._disks[image.id] = self.disk_of_instance(instance_id)
        if self._reality.images_pend:
            image.state = "pending"
            self._due[image.id] = self._clock.now() + self._reality.image_seconds
        if self._reality.sources_reboot and not response._get_bool_param("NoReboot", False):
            self._reboot(instance)
        return ActionResult({"ImageId": image.id})

    def _reboot(self, instance: Any) -> None:
        if instance.state == "running":
            instance.reboot()
            self._rebooted[instance.id] = self._clock.now() + self._reality.image_reboot_seconds

    def _check_name(self, backend: Any, name: str) -> None:
        taken = (image for image in backend.amis.values() if image.owner_id == backend.account_id)
        if same := next((image.id for image in taken if image.name == name), None):
            raise EC2ClientError(
                "InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {same}"
            )

    def _register(self, original: Any, response: Any) -> ActionResult:
        """What is registered keeps its architecture and tags; moto takes only the name."""
        params = response._get_params()
        self._check_name(response.ec2_backend, params["Name"])
        answer: ActionResult = original(response)
        result: Any = answer.result
        image = response.ec2_backend.amis[result["ImageId"]]
        for member, attribute in CARRIED.items():
            if member in params:
                setattr(image, attribute, params[member])
        for disk in params.get("BlockDeviceMappings", []):
            if snapshot := response.ec2_backend.snapshots.get(disk.get("Ebs", {}).get("SnapshotId")):
                image.ebs_snapshot = snapshot
        for spec in params.get("TagSpecifications", []):
            if spec["ResourceType"] == "image":
                image.add_tags({tag["Key"]: tag["Value"] for tag in spec["Tags"]})
        return answer

    def _deregister(self, original: Any, response: Any) -> ActionResult:
        """Snapshots stay, unless they are asked to go along; a protected image stays itself.

        The code is the one that EC2's list of errors has for what a protection forbids.
        """
        image = response.ec2_backend.amis.get(response._get_param("ImageId"))
        if image is not None and self._is_protected(image):
            state = image.deregistration_protection
            raise EC2ClientError("OperationNotPermitted", f"The image '{image.id}' is protected: {state}")
        original(response)
        results = []
        if image is not None and response._get_bool_param("DeleteAssociatedSnapshots", False):
            response.ec2_backend.delete_snapshot(image.ebs_snapshot.id)
            results.append({"SnapshotId": image.ebs_snapshot.id, "ReturnCode": "success"})
        return ActionResult({"Return": True, "DeleteSnapshotResults": results})

    def _modify(self, original: Any, response: Any) -> ActionResult:
        """moto knows launch permissions alone."""
        image = self._image(response)
        asked = response._get_param("Description")
        if asked is None:
            answer: ActionResult = original(response)
            return answer
        _check_description(asked["Value"])
        image.description = asked["Value"]
        return EmptyResult()

    def _protect(self, response: Any) -> ActionResult:
        """In the words of the AWS CLI's example, which DescribeImages uses too."""
        image = self._image(response)
        cools = response._get_bool_param("WithCooldown", False)
        image.deregistration_protection = f"enabled-with{'' if cools else 'out'}-cooldown"
        return ActionResult({"Return": image.deregistration_protection})

    def _unprotect(self, response: Any) -> ActionResult:
        """With a cooldown the image stays protected for a day (EC2 User Guide, "Protect an AMI from deregistration")."""
        image, shown = self._image(response), "disabled"
        if image.deregistration_protection == "enabled-with-cooldown":
            image.cooled = self._clock.now() + COOLDOWN
            shown = f"disabled after {datetime.fromtimestamp(image.cooled, UTC):%Y-%m-%dT%H:%M:%SZ}"
        image.deregistration_protection = shown
        return ActionResult({"Return": shown})

    def _is_protected(self, image: Any) -> bool:
        if image.deregistration_protection.startswith("disabled after"):
            return bool(self._clock.now() < image.cooled)
        return bool(image.deregistration_protection != "disabled")

    @staticmethod
    def _image(response: Any) -> Any:
        """One of the account's own: nobody changes somebody else's."""
        image_id = response._get_param("ImageId")
        image = response.ec2_backend.amis.get(image_id)
        if image is None:
            raise EC2ClientError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        if image.owner_id != response.ec2_backend.account_id:
            raise EC2ClientError("AuthFailure", f"Not authorized for image:{image_id}")
        response.error_on_dryrun()
        return image


def _check_description(text: str) -> None:
    """At most 255 characters, and ASCII alone (github.com/metadist/synaplan/pull/1546, scylladb/scylladb/issues/5435)."""
    if not text.isascii() or len(text) > 255:
        limit = "Character sets beyond ASCII are not supported"
        wrong = "It exceeds 255 characters" if text.isascii() else limit
        raise EC2ClientError(
            "InvalidParameterValue", f"Value ({text}) for parameter description is invalid. {wrong}"
        )


def _ena_support(instance: Instance) -> bool | None:
    """Enhanced networking is an attribute of the image, and so of what is launched from it (EC2 User Guide, ENA)."""
    return getattr(instance.ec2_backend.amis.get(instance.image_id), "ena_support", None)
