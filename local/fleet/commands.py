"""Run Command takes its time and may fail; moto has every command succeed at once (Systems Manager User Guide, Run Command statuses)."""

from datetime import UTC
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ssm.models import Command, ssm_backends
from moto.ssm.responses import SimpleSystemManagerResponse

from local.hooks import Hooks

ACCOUNT, REGION = "123456789012", "us-east-1"
DELIVERED_SECONDS = 5.0
SKIPPED = "Step execution skipped due to unsupported platform: Linux"


class Commands:
    """Every command sent while installed. What is tagged on an instance decides how it goes there.

    `local:agent=none`: Systems Manager doesn't know the instance. `local:patch=<words>`: a patch fails with these.
    """

    def __init__(self, clock: Any, reality: Any) -> None:
        self._clock, self._reality = clock, reality
        self._hooks = Hooks()

    def install(self) -> None:
        answers = SimpleSystemManagerResponse
        self._hooks.wrap(answers, "send_command", self._send)
        self._hooks.set(answers, "list_commands", lambda response: self._list(response))
        self._hooks.set(answers, "list_command_invocations", lambda response: self._invocations(response))
        self._hooks.set(answers, "describe_instance_information", lambda response: self._known(response))

    def uninstall(self) -> None:
        self._hooks.undo()

    def _send(self, original: Any, response: Any) -> Any:
        """Only instances that Systems Manager knows take commands: InvalidInstanceId."""
        asked = response._get_param("InstanceIds", [])
        if unknown := [instance for instance in asked if not self._is_known(instance)]:
            raise JsonRESTError("InvalidInstanceId", f"Instances {unknown} not in a valid state for account")
        answer = original(response)
        _backend()._commands[
            -1
        ].instance_ids = asked  # without targets moto sends it to every instance there is
        return answer

    def _list(self, response: Any) -> ActionResult:
        """Newest first, as asked for by instance and by document."""
        instance = response._get_param("InstanceId")
        documents = [
            wanted["value"]
            for wanted in response._get_param("Filters", [])
            if wanted["key"] == "DocumentName"
        ]
        found = [
            {**command.response_object(), "Status": self._status(command)[0]}
            for command in reversed(_backend()._commands)
            if (not instance or instance in command.instance_ids)
            and (not documents or command.document_name in documents)
        ]
        return ActionResult({"Commands": found})

    def _invocations(self, response: Any) -> ActionResult:
        command = _backend().get_command_by_id(response._get_param("CommandId"))
        status, details, words = self._status(command)
        over = status in ("Success", "Failed")
        done = "Success" if over else status
        steps = [
            {
                "Name": "PatchWindows",
                "Status": done,
                "StatusDetails": done,
                "Output": SKIPPED if over else "",
            },
            {"Name": "PatchLinux", "Status": status, "StatusDetails": details, "Output": words},
        ]
        invocation = {
            "CommandId": command.command_id,
            "InstanceId": command.instance_ids[0],
            "Comment": command.comment,
            "DocumentName": command.document_name,
            "Status": status,
            "StatusDetails": details,
            "CommandPlugins": steps if response._get_param("Details", False) else [],
        }
        return ActionResult({"CommandInvocations": [invocation]})

    def _known(self, response: Any) -> ActionResult:
        wanted = [
            value
            for each in response._get_param("Filters", [])
            if each["Key"] == "InstanceIds"
            for value in each["Values"]
        ]
        known = [instance for instance in wanted if self._is_known(instance)]
        return ActionResult(
            {"InstanceInformationList": [{"InstanceId": each, "PingStatus": "Online"} for each in known]}
        )

    def _is_known(self, instance: str) -> bool:
        return _state(instance) == "running" and _tags(instance).get("local:agent") != "none"

    def _status(self, command: Command) -> tuple[str, str, str]:
        """Status, its details, and what the patching step has written."""
        (instance,) = command.instance_ids
        passed = self._clock.now() - command.requested_date_time.replace(tzinfo=UTC).timestamp()
        if _state(instance) != "running":
            late = passed >= command.timeout_seconds
            return ("TimedOut", "Delivery Timed Out", "") if late else ("Delayed", "Delayed", "")
        if passed < self._reality.patch_seconds:
            status = "Pending" if passed < DELIVERED_SECONDS else "InProgress"
            return status, status, ""
        words = _tags(instance).get("local:patch")
        return ("Failed", "Failed", words) if words else ("Success", "Success", "Installed 7 patches")


def _backend() -> Any:
    return ssm_backends[ACCOUNT][REGION]


def _state(instance: str) -> str:
    return str(ec2_backends[ACCOUNT][REGION].get_instance(instance).state)


def _tags(instance: str) -> dict[str, str]:
    return dict(ec2_backends[ACCOUNT][REGION].tags.get(instance, {}))
