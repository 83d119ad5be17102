"""CodeBuild runs that take their time and may fail; moto has every build succeed once it is asked for (CodeBuild API Reference)."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.codebuild.models import codebuild_backends
from moto.codebuild.responses import CodeBuildResponse
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends

from local.hooks import Hooks

ACCOUNT, REGION = "123456789012", "us-east-1"
TOKEN_SECONDS = 300.0
BEFORE = ("SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD")


class Builds:
    """Every build started while installed; each runs Packer. A project's tags decide how it goes.

    `local:disk`: what is on the image. `local:packer=<words>`: Packer fails with these. `local:ami=<id>`: the build
    exports this instead of what it made.
    """

    def __init__(self, clock: Any, reality: Any) -> None:
        self._clock, self._reality = clock, reality
        self._hooks = Hooks()
        self._builds: dict[str, dict[str, Any]] = {}
        self._tokens: dict[str, tuple[float, dict[str, Any], str]] = {}

    def install(self) -> None:
        answers = CodeBuildResponse
        self._hooks.set(answers, "start_build", lambda response: self._start(json.loads(response.body)))
        self._hooks.set(answers, "batch_get_builds", lambda response: self._get(json.loads(response.body)))
        self._hooks.set(
            answers, "list_builds_for_project", lambda response: self._list(json.loads(response.body))
        )
        self._hooks.set(answers, "stop_build", lambda response: self._stop(json.loads(response.body)))

    def uninstall(self) -> None:
        self._hooks.undo()

    def tick(self, now: float) -> None:
        for build in self._builds.values():
            if (
                build["buildStatus"] == "IN_PROGRESS"
                and now - build["startTime"] >= self._reality.packer_seconds
            ):
                self._end(build)

    def _end(self, build: dict[str, Any]) -> None:
        tags = _tags(build["projectName"])
        if words := tags.get("local:packer"):
            self._ended(build, "FAILED", words)
            return
        self._ended(build, "SUCCEEDED")
        made = self._make(build, tags)
        build["exportedEnvironmentVariables"] = [{"name": "AMI_ID", "value": tags.get("local:ami", made)}]

    def _ended(self, build: dict[str, Any], status: str, words: str = "") -> None:
        context = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": words}] if words else []
        phases = [{"phaseType": phase, "phaseStatus": "SUCCEEDED", "contexts": []} for phase in BEFORE]
        build["phases"] = [*phases, {"phaseType": "BUILD", "phaseStatus": status, "contexts": context}]
        build |= {"buildStatus": status, "buildComplete": True, "currentPhase": "COMPLETED"}

    def _make(self, build: dict[str, Any], tags: dict[str, str]) -> str:
        made = ec2_backends[ACCOUNT][REGION].register_image(f"packer {build['id']}", "made by Packer")
        finished = build["startTime"] + self._reality.packer_seconds
        made.creation_date = datetime.fromtimestamp(finished, UTC).replace(tzinfo=None)
        made.architecture, made.virtualization_type, made.root_device_name = "x86_64", "hvm", "/dev/xvda"
        made.add_tags({key: value for key, value in tags.items() if key == "local:disk"})
        return str(made.id)

    # --- the calls ------------------------------------------------------------------------------------------

    def _start(self, asked: dict[str, Any]) -> ActionResult:
        """The same token starts nothing twice for five minutes, and nothing else at all."""
        name, now = asked["projectName"], self._clock.now()
        if name not in _backend().codebuild_projects:
            raise JsonRESTError("ResourceNotFoundException", f"Project cannot be found: {name}")
        token = asked.get("idempotencyToken", str(uuid.uuid4()))
        since, before, known = self._tokens.get(token, (0.0, asked, ""))
        if known and now - since < TOKEN_SECONDS:
            if before != asked:
                raise JsonRESTError(
                    "InvalidInputException", "Idempotency token was used with other parameters"
                )
            return ActionResult({"build": self._builds[known]})
        build = {
            "id": f"{name}:{uuid.uuid4()}",
            "projectName": name,
            "startTime": now,
            "buildStatus": "IN_PROGRESS",
            "buildComplete": False,
            "currentPhase": "BUILD",
            "phases": [],
            "environment": {"environmentVariables": asked.get("environmentVariablesOverride", [])},
            "exportedEnvironmentVariables": [],
        }
        self._builds[build["id"]] = build
        self._tokens[token] = (now, asked, build["id"])
        return ActionResult({"build": build})

    def _get(self, asked: dict[str, Any]) -> ActionResult:
        self.tick(self._clock.now())
        found = [self._builds[each] for each in asked["ids"] if each in self._builds]
        missing = [each for each in asked["ids"] if each not in self._builds]
        return ActionResult({"builds": found, "buildsNotFound": missing})

    def _list(self, asked: dict[str, Any]) -> ActionResult:
        """Newest first, unless asked otherwise."""
        found = [each["id"] for each in self._builds.values() if each["projectName"] == asked["projectName"]]
        return ActionResult({"ids": found if asked.get("sortOrder") == "ASCENDING" else found[::-1]})

    def _stop(self, asked: dict[str, Any]) -> ActionResult:
        self.tick(self._clock.now())
        build = self._builds[asked["id"]]
        if not build["buildComplete"]:
            self._ended(build, "STOPPED")
        return ActionResult({"build": build})


def _backend() -> Any:
    return codebuild_backends[ACCOUNT][REGION]


def _tags(project: str) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in _backend().codebuild_projects[project].tags or []}
