"""Step Functions: starting what is due or dead once, and asking how an execution stands."""

import json
import os
from contextlib import suppress
from typing import Any

from viridian.aws import clients, ledger
from viridian.fence import Fence


def start_retirement(name: str, order: dict[str, Any]) -> str:
    """Starts the retirement machine under a name of its own; an execution of that name is as good."""
    return _start(os.environ["RETIRE_STATE_MACHINE_ARN"], name, order)


def release(name: str) -> str:
    """The execution of the release machine that has this name, started or not."""
    return _execution(os.environ["RELEASE_STATE_MACHINE_ARN"], name)


def start_release(execution: str, document: dict[str, Any]) -> str:
    """Starts the release machine under the name that `release` was given; one that ran already is as good."""
    return _start(os.environ["RELEASE_STATE_MACHINE_ARN"], execution.rsplit(":", 1)[1], document)


def rollback(release: str, epoch: int) -> str:
    """The one execution that may roll a release back at an epoch, started or not."""
    return _execution(os.environ["ROLLBACK_STATE_MACHINE_ARN"], f"{release}-{epoch}")


def start_rollback(execution: str, order: dict[str, Any]) -> str:
    """Starts the rollback machine under the name that `rollback` gave; twice is harmless."""
    return _start(os.environ["ROLLBACK_STATE_MACHINE_ARN"], execution.rsplit(":", 1)[1], order)


def state(execution: str) -> str | None:
    """RUNNING, or how it ended; None for one that Step Functions doesn't know, yet or any more."""
    client = clients.reader("stepfunctions")
    try:
        return str(client.describe_execution(executionArn=execution)["status"])
    except client.exceptions.ExecutionDoesNotExist:
        return None


def start_hook(machine: str, name: str, letter: dict[str, Any], fence: Fence) -> str:
    """Starts a state machine of the service's own, once under one name."""
    with ledger.mutation(fence, "StartExecution", machine, after=name):
        return _start(machine, name, letter)


def outcome(execution: str) -> dict[str, Any]:
    """How an execution stands: its `status`, and `output`, `error` and `cause` once it has ended.

    One that was started a moment ago may not be seen yet, and runs (aws-facts S8).
    """
    client = clients.reader("stepfunctions")
    try:
        return dict(client.describe_execution(executionArn=execution))
    except client.exceptions.ExecutionDoesNotExist:
        return {"status": "RUNNING"}


def wake(token: str | None) -> None:
    """Ends the wait of the state that has this token; one that waits no more, or not yet, looks into the ledger itself."""
    if token is None:
        return
    client = clients.writer("stepfunctions")
    gone = (
        client.exceptions.TaskTimedOut,
        client.exceptions.TaskDoesNotExist,
        client.exceptions.InvalidToken,
    )
    with suppress(*gone):
        client.send_task_success(taskToken=token, output="{}")


def tags(machine: str) -> dict[str, str] | None:
    """The tags of a state machine; None if there is none."""
    client = clients.reader("stepfunctions")
    try:
        found = client.list_tags_for_resource(resourceArn=machine)["tags"]
    except client.exceptions.ResourceNotFound:
        return None
    return {tag["key"]: tag["value"] for tag in found}


def _start(machine: str, name: str, order: dict[str, Any]) -> str:
    client = clients.writer("stepfunctions")
    try:
        started = client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(order))
    except client.exceptions.ExecutionAlreadyExists:
        return _execution(machine, name)
    return str(started["executionArn"])


def _execution(machine: str, name: str) -> str:
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
