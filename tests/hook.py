"""A hook of a service's own: a Lambda function that says what a test wants it to say, and keeps what it was told."""

import json
from typing import Any

from local.control.functions import Code
from tests.stack import ROOT

NAME = "shop-checks"
ARN = f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}"
answers: list[Any] = []
letters: list[dict[str, Any]] = []


def lambda_handler(event: dict[str, Any], _: Any) -> Any:
    """The next answer; the last one again and again. An exception is raised, a function asked."""
    letters.append(event)
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, Exception):
        raise answer
    return answer(event, None) if callable(answer) else answer


def stands(cloud: Any, *said: Any, lent: bool = True) -> str:
    """Makes the function, with what it is going to say; answers with its ARN."""
    answers[:], letters[:] = said, []
    cloud.functions.register(NAME, Code("ShopChecks", ROOT, "tests.hook.lambda_handler"))
    role = cloud.client("iam").get_role(RoleName="function")["Role"]["Arn"]
    made = cloud.client("lambda").create_function(
        FunctionName=NAME,
        Runtime="python3.13",
        Role=role,
        Handler="tests.hook.lambda_handler",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
        Timeout=30,
        Tags={"viridian:managed": "true"} if lent else {"team": "shop"},
    )
    return str(made["FunctionArn"])


def machine(cloud: Any, *, error: str = "", seconds: int = 60, output: Any = None) -> str:
    """A state machine that takes so long, and then says this, or fails."""
    end: dict[str, Any] = {"Type": "Succeed", **({"Output": output} if output is not None else {})}
    if error:
        end = {"Type": "Fail", "Error": error, "Cause": "p99 is twice what it was"}
    states = {"Look": {"Type": "Wait", "Seconds": seconds, "Next": "Say"}, "Say": end}
    made = cloud.client("stepfunctions").create_state_machine(
        name="shop-checks",
        roleArn="arn:aws:iam::123456789012:role/shop",
        definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": "Look", "States": states}),
        tags=[{"key": "viridian:managed", "value": "true"}],
    )
    return str(made["stateMachineArn"])
