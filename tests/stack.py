"""Reads the stack as its users deploy it: the template, resolved with stand-in values, and the state machines."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from local.control.session import ACCOUNT, REGION
from local.control.template import Values, load

ROOT = Path(__file__).parents[1]
# Every option taken, so that every statement is there to be tested.
PARAMETERS = {
    "InstanceRoleArns": f"arn:aws:iam::{ACCOUNT}:role/shop",
    "RecordNames": "shop.example.com",
    "KmsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
}
_ARNS = {
    "AWS::DynamoDB::Table": f"dynamodb:{REGION}:{ACCOUNT}:table/",
    "AWS::Serverless::StateMachine": f"states:{REGION}:{ACCOUNT}:stateMachine:",
    "AWS::SNS::Topic": f"sns:{REGION}:{ACCOUNT}:",
}


class State(NamedTuple):
    """One state of one machine; `depth` counts the boxes around it."""

    machine: str
    name: str
    body: dict[str, Any]
    depth: int

    def __str__(self) -> str:
        return f"{self.machine}.{self.name}"


@cache
def template() -> dict[str, Any]:
    """The template as it is written, Globals merged."""
    return load(ROOT / "template.yaml")


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of one type, as written, by logical id."""
    return {
        name: resource["Properties"]
        for name, resource in template()["Resources"].items()
        if resource["Type"] == f"AWS::{kind}"
    }


def resolve(value: Any) -> Any:
    """A value with its intrinsic functions replaced, as CloudFormation would."""
    return Values(template(), "viridian", PARAMETERS, _attribute).resolve(value)


def _attribute(logical_id: str, name: str) -> str:
    kind = template()["Resources"][logical_id]["Type"]
    return f"arn:aws:{_ARNS.get(kind, kind)}{logical_id}"


@cache
def machines() -> dict[str, dict[str, Any]]:
    """The definition of each state machine, by the logical id of its resource."""
    return {
        name: json.loads((ROOT / properties["DefinitionUri"]).read_text())
        for name, properties in resources("Serverless::StateMachine").items()
    }


def states() -> list[State]:
    """Every state of every machine, those inside boxes too."""
    return [state for name, machine in machines().items() for state in _states(name, machine, 0)]


def _states(machine: str, body: dict[str, Any], depth: int) -> Iterator[State]:
    for name, state in body["States"].items():
        yield State(machine, name, state, depth)
        for branch in state.get("Branches", []):
            yield from _states(machine, branch, depth + 1)


def tasks() -> list[State]:
    """Every state that calls something."""
    return [state for state in states() if state.body["Type"] == "Task"]


def function_of(task: State) -> str:
    """The logical id of the function that a Task calls."""
    found = re.fullmatch(r"\$\{(\w+Function)Arn\}", task.body["Arguments"]["FunctionName"])
    assert found, f"{task} calls {task.body['Arguments']['FunctionName']}"
    return found[1]


def strings(value: Any) -> Iterator[str]:
    """Every string inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
