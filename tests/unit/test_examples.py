"""The examples start releases that are let in, by permissions that fit what they start."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from local.control.template import Values, load
from tests.stack import ROOT
from viridian import request
from viridian.errors import Refusal

PIPELINE, ACTIONS = (
    ROOT / "examples" / name / "template.yaml" for name in ("codepipeline", "github-actions")
)
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:viridian-release"
# What CodePipeline knows by the time it releases: https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
VARIABLES = {
    "Build.VERSION": "2.0.0",
    "Build.BUILD_ID": "8e4a1c52-0d5b-4a77-9a55-2f0c8d3b6e11",
    "Bake.AMI_ID": "ami-0abc1234",
    "Source.CommitId": "3f9c21a7d0e94b5f8a6c1e2d7b3f4a5c6d7e8f90",
    "codepipeline.PipelineExecutionId": "d1f7b6c2-3a58-4e09-9c44-7b0e8f2a6d15",
}


PARAMETERS = {
    "ReleaseStateMachineArn": MACHINE,
    "Service": "shop",
    "ConnectionArn": "arn:aws:codeconnections:us-east-1:123456789012:connection/1",
    "Repository": "example/shop",
    "ProviderArn": PROVIDER,
}


def resource(name: str, path: Path = PIPELINE) -> dict[str, Any]:
    """The properties of a resource, as CloudFormation would resolve them."""
    template = load(path)
    given = {key: value for key, value in PARAMETERS.items() if key in template["Parameters"]}
    values = Values(template, "shop", given, lambda name, _: name)
    return dict(values.resolve(template["Resources"][name]["Properties"]))


def action() -> dict[str, Any]:
    (found,) = resource("Pipeline")["Stages"][-1]["Actions"]
    return dict(found)


def sent(**known: str) -> Any:
    """The input as CodePipeline gives it to Step Functions, with the variables that it knows."""
    text = action()["Configuration"]["Input"]
    return json.loads(re.sub(r"#\{([\w.]+)\}", lambda variable: known.get(variable[1], variable[0]), text))


def test_the_pipelines_input_is_a_release_that_its_execution_names() -> None:
    assert action()["Configuration"]["InputType"] == "Literal"
    asked = request.parse(sent(**VARIABLES))
    assert asked.key == VARIABLES["codepipeline.PipelineExecutionId"]
    assert (asked.service, asked.version) == ("shop", "2.0.0")


def test_a_variable_that_nobody_replaced_is_no_key() -> None:
    known = {name: value for name, value in VARIABLES.items() if "Execution" not in name}
    with pytest.raises(Refusal, match="such as a pipeline's execution id") as refused:
        request.parse(sent(**known))
    assert (refused.value.field, refused.value.value) == ("key", "#{codepipeline.PipelineExecutionId}")


def of_step_functions(role: dict[str, Any]) -> dict[str, str]:
    """What a role may do there, and to what."""
    (policy,) = role["Policies"]
    return {
        call: statement["Resource"]
        for statement in policy["PolicyDocument"]["Statement"]
        for call in statement["Action"]
        if call.startswith("states:")
    }


def test_the_pipeline_may_start_and_follow_its_own_releases_and_no_others() -> None:
    allowed = of_step_functions(resource("PipelineRole"))
    prefix = action()["Configuration"]["ExecutionNamePrefix"]
    followed = MACHINE.replace(":stateMachine:", ":execution:") + f":{prefix}-*"
    assert allowed == {"states:DescribeStateMachine": MACHINE, "states:StartExecution": MACHINE} | {
        "states:DescribeExecution": followed
    }


def test_one_environment_of_one_repository_may_start_releases_and_see_how_they_end() -> None:
    role = resource("ReleaseRole", ACTIONS)
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Federated": PROVIDER}
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:example/shop:environment:production",
        }
    }
    executions = MACHINE.replace(":stateMachine:", ":execution:") + ":*"
    assert of_step_functions(role) == {
        "states:StartExecution": MACHINE,
        "states:DescribeExecution": executions,
    }
