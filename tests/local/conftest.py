"""A cloud in virtual time, and small stacks of a test's own to put on it."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.cloud import Cloud
from local.control.deploy import Stack
from tests.speed import fast


class Workshop:
    """Writes a template with a function per handler and a machine per definition, and deploys it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "code").mkdir(parents=True)
        self.resources: dict[str, Any] = {}
        self.stacks = 0

    def handler(self, name: str, body: str, **properties: Any) -> None:
        """`${<name>Arn}` stands for its version in every definition."""
        source = f"def lambda_handler(event, context):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
        (self.folder / "code" / f"{name.lower()}_step.py").write_text(source)
        self.resources[f"{name}Function"] = {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": "code/",
                "Handler": f"{name.lower()}_step.lambda_handler",
                "AutoPublishAlias": "live",
                "Timeout": 900,
                **properties,
            },
        }

    def machine(self, definition: dict[str, Any], name: str = "Machine") -> None:
        (self.folder / f"{name}.asl.json").write_text(json.dumps({"QueryLanguage": "JSONata", **definition}))
        functions = [key for key in self.resources if key.endswith("Function")]
        arns = {key.removesuffix("Function") + "Arn": {"Ref": f"{key}.Version"} for key in functions}
        self.resources[name] = {
            "Type": "AWS::Serverless::StateMachine",
            "Properties": {"DefinitionUri": f"{name}.asl.json", "DefinitionSubstitutions": arns},
        }

    def deploy(self, cloud: Cloud, **sections: Any) -> Stack:
        template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": self.resources, **sections}
        (self.folder / "template.yaml").write_text(yaml.safe_dump(template))
        self.stacks += 1
        return cloud.deploy(self.folder / "template.yaml", stack=f"stack-{self.stacks}")


def task(name: str, payload: Any, **more: Any) -> dict[str, Any]:
    """A Task as the release machine has them: lambda:invoke of a version, its answer as output."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": f"${{{name}Arn}}", "Payload": payload},
        "Output": "{% $states.result.Payload %}",
        **({} if "Next" in more else {"End": True}),
        **more,
    }


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with fast(), Cloud.virtual(out=tmp_path / "out") as up:
        yield up


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "stack")


@pytest.fixture
def run(cloud: Cloud, workshop: Workshop) -> Any:
    """Deploys what is in the workshop with this definition, and runs it to its end."""

    def run(definition: dict[str, Any], given: dict[str, Any] | None = None) -> Any:
        workshop.machine(definition)
        return cloud.run(workshop.deploy(cloud).resources["Machine"], given or {})

    return run


@pytest.fixture(name="task")
def task_fixture() -> Any:
    return task
