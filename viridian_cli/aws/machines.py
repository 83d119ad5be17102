"""Step Functions: orders to the machines, in a person's name, and how their executions stand."""

import json
import os
import secrets
from typing import Any, Literal

from viridian.aws import clients

MACHINES = {"release": "RELEASE_STATE_MACHINE_ARN", "rollback": "ROLLBACK_STATE_MACHINE_ARN"}


def start(machine: Literal["release", "rollback"], document: dict[str, Any]) -> str:
    """Starts an execution, once; its name says what for, and that a person did."""
    subject = document.get("release") or document.get("resume") or document.get("version", "")
    name = f"{document['service']}-{subject}"[:60] + f"-by-hand-{secrets.token_hex(4)}"
    allowed = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    started = clients.writer("stepfunctions").start_execution(
        stateMachineArn=os.environ[MACHINES[machine]], name=allowed, input=json.dumps(document)
    )
    return str(started["executionArn"])


def stop(execution: str, why: str) -> None:
    """Aborts an execution; what it leaves is the guard's."""
    clients.writer("stepfunctions").stop_execution(executionArn=execution, error="AbortedByHand", cause=why)
