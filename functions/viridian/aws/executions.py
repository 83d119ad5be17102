"""Step Functions: starting what the sweeper finds to be due, unless it runs already."""

import json
import os
from typing import Any

from viridian.aws import clients


def start_retirement(name: str, order: dict[str, Any]) -> str:
    """Starts the retirement machine under a name of its own; an execution of that name is as good."""
    client = clients.writer("stepfunctions")
    machine = os.environ["RETIRE_STATE_MACHINE_ARN"]
    try:
        return str(
            client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(order))[
                "executionArn"
            ]
        )
    except client.exceptions.ExecutionAlreadyExists:
        return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def runs(execution: str) -> bool:
    """Whether an execution is under way; one that Step Functions has forgotten isn't."""
    client = clients.reader("stepfunctions")
    try:
        return bool(client.describe_execution(executionArn=execution)["status"] == "RUNNING")
    except client.exceptions.ExecutionDoesNotExist:
        return False
