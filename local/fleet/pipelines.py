"""EC2 Image Builder, which moto lacks: pipelines that build, test and hand out an image, as its API Reference has it."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from moto import backends
from moto.backend_index import backend_url_patterns
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, BaseResponse
from moto.ec2.models import ec2_backends

from local.hooks import Hooks

ACCOUNT, REGION = "123456789012", "us-east-1"
SERVICE = "imagebuilder"
HOST = r"https?://imagebuilder\.(.+)\.amazonaws\.com"
ARN = f"arn:aws:imagebuilder:{REGION}:{ACCOUNT}"


class ImageBuilderResponse(BaseResponse):
    """Where calls arrive; what they do is put in while the cloud stands."""

    def __init__(self) -> None:
        super().__init__(service_name=SERVICE)
        self.automated_parameter_parsing = True


class ImageBuilderBackend(BaseBackend):
    """Tells moto where the service listens; pipelines and images are kept by the part below."""

    @property
    def _url_module(self) -> Any:
        return SimpleNamespace(url_bases=[HOST], url_paths={"{0}/.*$": ImageBuilderResponse.dispatch})


imagebuilder_backends = BackendDict(
    ImageBuilderBackend, SERVICE, use_boto3_regions=False, additional_regions=[REGION]
)


class Pipelines:
    """Every pipeline and its images. A pipeline's tags decide how a run goes.

    `local:disk`: what is on the image. `local:build=<words>` or `local:test=<words>`: that stage fails with these.
    `local:tags=<JSON>`: those that its distribution settings put on its AMIs.
    """

    def __init__(self, clock: Any, reality: Any, emit: Callable[..., None] = lambda *_: None) -> None:
        self._clock, self._reality, self._emit = clock, reality, emit
        self._hooks = Hooks()
        self._pattern = (SERVICE, re.compile(HOST))
        self._pipelines: dict[str, dict[str, Any]] = {}
        self._images: dict[str, dict[str, Any]] = {}
        self._tokens: dict[str, str] = {}

    def install(self) -> None:
        backend_url_patterns.append(self._pattern)
        self._hooks.wrap(backends, "get_backend", self._backend)
        for call in (
            "create_image_pipeline",
            "get_image_pipeline",
            "start_image_pipeline_execution",
            "list_image_pipeline_images",
            "get_image",
            "list_workflow_executions",
            "cancel_image_creation",
            "delete_image",
        ):
            self._hooks.set(ImageBuilderResponse, call, self._as_method(getattr(self, f"_{call}")))

    def uninstall(self) -> None:
        self._hooks.undo()
        backend_url_patterns.remove(self._pattern)

    def tick(self, now: float) -> None:
        for image in self._images.values():
            self._go_on(image, now)

    def _backend(self, original: Any, name: str) -> Any:
        return imagebuilder_backends if name == SERVICE else original(name)

    def _as_method(self, call: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Any], ActionResult]:
        def answer(response: Any) -> ActionResult:
            self.tick(self._clock.now())
            return ActionResult({"requestId": str(uuid.uuid4()), **call(response._get_params())})

        return lambda response: answer(response)

    # --- what a run comes through ---------------------------------------------------------------------------

    def _go_on(self, image: dict[str, Any], now: float) -> None:
        """The stage that is due by now; an image is made before it is tested, and stays if a test fails."""
        if image["state"]["status"] in ("AVAILABLE", "FAILED", "CANCELLED"):
            return
        passed, wrong = now - image["began"], self._pipelines[image["sourcePipelineArn"]]["tags"]
        built = self._reality.pipeline_build_seconds
        tested = built + self._reality.pipeline_test_seconds
        if passed < built:
            self._show(image, "BUILDING")
        elif words := wrong.get("local:build"):
            self._show(image, "FAILED", f"SSM execution failed: {words}")
            self._told(image, "BUILD", "FAILED", words)
        else:
            self._told(image, "BUILD", "COMPLETED")
            self._make(image)
            if passed < tested:
                self._show(image, "TESTING")
            elif words := wrong.get("local:test"):
                self._show(image, "FAILED", "A test workflow failed.")
                self._told(image, "TEST", "FAILED", words)
            else:
                self._told(image, "TEST", "COMPLETED")
                self._distribute(image)
                self._show(image, "AVAILABLE")

    def _show(self, image: dict[str, Any], status: str, reason: str = "") -> None:
        """https://docs.aws.amazon.com/imagebuilder/latest/userguide/integ-eventbridge.html"""
        before, image["state"] = image["state"], {"status": status, **({"reason": reason} if reason else {})}
        if before["status"] != status:
            detail = {"previous-state": before, "state": image["state"]}
            self._emit("aws.imagebuilder", "EC2 Image Builder Image State Change", detail, [image["arn"]])

    def _told(self, image: dict[str, Any], kind: str, status: str, message: str = "") -> None:
        image["workflows"][kind] = {"type": kind, "status": status, "message": message}

    def _make(self, image: dict[str, Any]) -> None:
        if image["outputResources"]["amis"]:
            return
        pipeline, ec2 = self._pipelines[image["sourcePipelineArn"]], ec2_backends[ACCOUNT][REGION]
        name = f"{image['name']} {datetime.fromtimestamp(self._clock.now(), UTC):%Y-%m-%dT%H-%M-%S}"
        made = ec2.register_image(name, "made by Image Builder")
        finished = image["began"] + self._reality.pipeline_build_seconds
        made.creation_date = datetime.fromtimestamp(finished, UTC).replace(tzinfo=None)
        made.architecture, made.virtualization_type, made.root_device_name = "x86_64", "hvm", "/dev/xvda"
        made.add_tags(
            {"CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": image["arn"]}
            | {key: value for key, value in pipeline["tags"].items() if key == "local:disk"}
        )
        image["outputResources"]["amis"] = [
            {"region": REGION, "image": made.id, "name": name, "accountId": ACCOUNT}
        ]

    def _distribute(self, image: dict[str, Any]) -> None:
        """An AMI has the tags of its distribution settings only once it has been tested."""
        tags = json.loads(self._pipelines[image["sourcePipelineArn"]]["tags"].get("local:tags", "{}"))
        for ami in image["outputResources"]["amis"]:
            ec2_backends[ACCOUNT][REGION].amis[ami["image"]].add_tags(tags)

    # --- the calls ------------------------------------------------------------------------------------------

    def _create_image_pipeline(self, asked: dict[str, Any]) -> dict[str, Any]:
        arn = f"{ARN}:image-pipeline/{asked['name']}"
        pipeline = {
            **asked,
            "arn": arn,
            "status": asked.get("status", "ENABLED"),
            "tags": asked.get("tags", {}),
        }
        self._pipelines[arn] = pipeline
        return {"imagePipelineArn": arn}

    def _get_image_pipeline(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"imagePipeline": self._pipeline(asked)}

    def _start_image_pipeline_execution(self, asked: dict[str, Any]) -> dict[str, Any]:
        pipeline, token = self._pipeline(asked), asked["clientToken"]
        if token not in self._tokens:
            version = f"1.0.0/{len(self._images) + 1}"
            arn = self._tokens[token] = f"{ARN}:image/{pipeline['name']}/{version}"
            now = self._clock.now()
            self._images[arn] = {
                "arn": arn,
                "name": pipeline["name"],
                "sourcePipelineArn": pipeline["arn"],
                "dateCreated": f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%S.000Z}",
                "state": {"status": "PENDING"},
                "outputResources": {"amis": []},
                "tags": asked.get("tags", {}),
                "began": now,
                "workflows": {},
            }
        return {"clientToken": token, "imageBuildVersionArn": self._tokens[token]}

    def _list_image_pipeline_images(self, asked: dict[str, Any]) -> dict[str, Any]:
        of = self._pipeline(asked)["arn"]
        return {
            "imageSummaryList": [_shown(i) for i in self._images.values() if i["sourcePipelineArn"] == of]
        }

    def _get_image(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"image": _shown(self._image(asked))}

    def _list_workflow_executions(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"workflowExecutions": list(self._image(asked)["workflows"].values())}

    def _cancel_image_creation(self, asked: dict[str, Any]) -> dict[str, Any]:
        image = self._image(asked)
        if image["state"]["status"] in ("AVAILABLE", "FAILED", "CANCELLED"):
            raise JsonRESTError("InvalidRequestException", "The image is not being created.")
        self._show(image, "CANCELLED", "Image creation was cancelled.")
        return {"imageBuildVersionArn": image["arn"]}

    def _delete_image(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The resource goes; its AMI stays."""
        image = self._image(asked)
        if image["state"]["status"] not in ("AVAILABLE", "FAILED", "CANCELLED"):
            raise JsonRESTError("ResourceDependencyException", "The image is being created.")
        del self._images[image["arn"]]
        return {"imageBuildVersionArn": image["arn"]}

    def _pipeline(self, asked: dict[str, Any]) -> dict[str, Any]:
        return _known(self._pipelines, asked["imagePipelineArn"])

    def _image(self, asked: dict[str, Any]) -> dict[str, Any]:
        return _known(self._images, asked["imageBuildVersionArn"])


def _known(kept: dict[str, dict[str, Any]], arn: str) -> dict[str, Any]:
    if arn not in kept:
        raise JsonRESTError("ResourceNotFoundException", f"The resource {arn} does not exist.")
    return kept[arn]


def _shown(image: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in image.items() if key not in ("began", "workflows")}
