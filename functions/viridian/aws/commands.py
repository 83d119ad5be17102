"""SSM Run Command: patches on an instance."""

from viridian import names
from viridian.aws import clients, ledger
from viridian.fence import Fence
from viridian.image import Making
from viridian.plan import Plan

_DOCUMENT = "AWS-RunPatchBaseline"
_FAILED = ("Failed", "TimedOut", "Cancelled")
_DELIVERY_SECONDS = 600  # an agent that hasn't taken the command by then is not there


def takes(instance: str) -> bool:
    """Whether the agent on an instance takes commands now."""
    filters = [{"Key": "InstanceIds", "Values": [instance]}]
    found = clients.reader("ssm").describe_instance_information(Filters=filters)["InstanceInformationList"]
    return any(each["PingStatus"] == "Online" for each in found)


def patch(plan: Plan, instance: str, fence: Fence) -> str:
    """Has the missing patches installed, with a reboot if they need one; an earlier try's command is kept.

    Answers with the command's id. SendCommand knows no token: the comment says for which release it was sent.
    """
    comment = names.work(plan.service, plan.release)
    if (sent := _find(instance, comment)) is not None:
        return sent
    with ledger.mutation(fence, "SendCommand", instance, after=_DOCUMENT) as entry:
        command = clients.writer("ssm").send_command(
            InstanceIds=[instance],
            DocumentName=_DOCUMENT,
            Parameters={"Operation": ["Install"], "RebootOption": ["RebootIfNeeded"]},
            TimeoutSeconds=_DELIVERY_SECONDS,
            Comment=comment,
        )["Command"]
        entry.shown = str(command["CommandId"])
    return str(entry.shown)


def follow(command: str, instance: str) -> Making:
    """How a command goes on an instance; the reason is what its first failed step wrote."""
    found = clients.reader("ssm").list_command_invocations(
        CommandId=command, InstanceId=instance, Details=True
    )["CommandInvocations"]
    what = f"patch command {command} on {instance}"
    if not found:
        return Making(id=command, what=what, status="Pending")  # SSM shows a new command only after a moment
    status, words = str(found[0]["Status"]), ""
    if status in _FAILED:
        failed = [step for step in found[0]["CommandPlugins"] if step["Status"] in _FAILED and step["Output"]]
        words = (
            f"{failed[0]['Name']}: {failed[0]['Output'].strip()[-500:]}"
            if failed
            else found[0]["StatusDetails"]
        )
    return Making(id=command, what=what, status=status, reason=words)


def _find(instance: str, comment: str) -> str | None:
    filters = [{"key": "DocumentName", "value": _DOCUMENT}]
    pages = (
        clients.reader("ssm").get_paginator("list_commands").paginate(InstanceId=instance, Filters=filters)
    )
    return next(
        (str(sent["CommandId"]) for page in pages for sent in page["Commands"] if sent["Comment"] == comment),
        None,
    )
