"""Run Command as AWS runs it: it takes time, needs an agent, and tells each step apart."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from botocore.exceptions import ClientError

from local import seed
from local.fleet.commands import Commands
from local.reality import Reality
from tests.local import alone
from tests.local.alone import START, Clock, standing


@pytest.fixture
def cloud() -> Iterator[alone.World]:
    clock = Clock()
    with time_machine.travel(START, tick=False), standing(Commands(clock, Reality())):
        yield alone.World(clock=clock)


@pytest.fixture
def builder(cloud: alone.World) -> str:
    seed.service(cloud, tracking="none")
    return seed.builder(cloud, "2.0.0")


def send(cloud: alone.World, builder: str) -> str:
    document = "AWS-RunPatchBaseline"
    sent = cloud.client("ssm").send_command(InstanceIds=[builder], DocumentName=document, TimeoutSeconds=600)
    return str(sent["Command"]["CommandId"])


def shown(cloud: alone.World, command: str, after: float) -> dict[str, Any]:
    cloud.clock.time += after
    (found,) = cloud.client("ssm").list_command_invocations(CommandId=command, Details=True)[
        "CommandInvocations"
    ]
    return dict(found)


def test_a_command_is_pending_then_under_way_then_done(cloud: alone.World, builder: str) -> None:
    command = send(cloud, builder)
    states = [shown(cloud, command, after)["Status"] for after in (0, 60, 59, 1)]
    assert states == ["Pending", "InProgress", "InProgress", "Success"]


def test_a_patch_that_fails_says_which_step_failed_and_how(cloud: alone.World, builder: str) -> None:
    command = send(cloud, builder)
    cloud.client("ec2").create_tags(Resources=[builder], Tags=[{"Key": "local:patch", "Value": "no mirror"}])
    found = shown(cloud, command, 121)
    assert found["Status"] == "Failed"
    steps = [(step["Name"], step["Status"]) for step in found["CommandPlugins"]]
    assert steps == [("PatchWindows", "Success"), ("PatchLinux", "Failed")]
    assert found["CommandPlugins"][1]["Output"] == "no mirror"


def test_a_command_to_a_stopped_instance_is_delayed_until_it_times_out(
    cloud: alone.World, builder: str
) -> None:
    command = send(cloud, builder)
    cloud.client("ec2").stop_instances(InstanceIds=[builder])
    assert shown(cloud, command, 599)["Status"] == "Delayed"
    assert shown(cloud, command, 1)["StatusDetails"] == "Delivery Timed Out"


def test_only_instances_with_an_agent_take_commands(cloud: alone.World, builder: str) -> None:
    ssm, filters = cloud.client("ssm"), [{"Key": "InstanceIds", "Values": [builder]}]
    (known,) = ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
    assert known["PingStatus"] == "Online"
    cloud.client("ec2").create_tags(Resources=[builder], Tags=[{"Key": "local:agent", "Value": "none"}])
    assert ssm.describe_instance_information(Filters=filters)["InstanceInformationList"] == []
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        send(cloud, builder)


def test_commands_are_listed_by_instance_and_document(cloud: alone.World, builder: str) -> None:
    command = send(cloud, builder)
    for document, found in (("AWS-RunPatchBaseline", [command]), ("AWS-RunShellScript", [])):
        filters = [{"key": "DocumentName", "value": document}]
        listed = cloud.client("ssm").list_commands(InstanceId=builder, Filters=filters)["Commands"]
        assert [each["CommandId"] for each in listed] == found
