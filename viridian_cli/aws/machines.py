"""Step Functions: orders to the machines, in a person's name, and how their executions stand."""

import json
import os
import secrets
import time
from typing import Any, Literal

from viridian import names
from viridian.aws import clients, executions

_TRIES = 5
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


def underway(service: str, named: str) -> str | None:
    """The release's execution that runs for a service, in the ledger or not, of this id or version if one is named."""
    pages = (
        clients.reader("stepfunctions")
        .get_paginator("list_executions")
        .paginate(stateMachineArn=os.environ[MACHINES["release"]], statusFilter="RUNNING")
    )
    for execution in (str(each["executionArn"]) for page in pages for each in page["executions"]):
        asked = json.loads(described(execution).get("input", "{}"))
        if asked.get("service") != service or asked.get("dry_run") or "version" not in asked:
            continue
        if named in ("", asked["version"], names.release(asked["version"], execution)):
            return execution
    return None


def described(execution: str) -> dict[str, Any]:
    """An execution as it stands; one that was started a moment ago isn't seen at once (aws-facts S8)."""
    for _ in range(_TRIES):
        if "input" in (stands := executions.outcome(execution)):
            break
        time.sleep(1)
    return stands
