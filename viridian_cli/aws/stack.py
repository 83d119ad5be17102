"""CloudFormation: Viridian's own stack, and what it says of itself."""

import os
from dataclasses import dataclass

from botocore.exceptions import ClientError

from viridian.aws import clients
from viridian_cli.exits import Exit, Stop

# What the adapters read, and the output that it is.
_ENVIRONMENT = {
    "RELEASES_TABLE": "ReleasesTableName",
    "SERVICES_PREFIX": "ServicesPrefix",
    "RELEASE_STATE_MACHINE_ARN": "ReleaseStateMachineArn",
    "ROLLBACK_STATE_MACHINE_ARN": "RollbackStateMachineArn",
    "PAGES_TOPIC_ARN": "PagesTopicArn",
}


@dataclass(frozen=True)
class Stack:
    """Where Viridian stands; its adapters work here with it once it is found, as they do in its functions."""

    name: str
    arn: str
    outputs: dict[str, str]
    parameters: dict[str, str]
    status: str

    @property
    def region(self) -> str:
        """The one Region it serves."""
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        """The one account it serves."""
        return self.arn.split(":")[4]

    def output(self, name: str) -> str:
        """One of its outputs; an older stack may lack it."""
        if name not in self.outputs:
            raise Stop(
                f"The stack {self.name} has no output {name}: it is older than this command. Deploy it anew."
            )
        return self.outputs[name]


def find(name: str) -> Stack:
    """The stack of this name in the Region and account that the credentials and the environment lead to."""
    client = clients.reader("cloudformation")
    try:
        found = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        where = f"No stack {name} in {client.meta.region_name}"
        raise Stop(
            f"{where}: deploy it there (docs/start.md), or set AWS_REGION, AWS_PROFILE or --stack to where it is.",
            Exit.UNKNOWN,
        ) from None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    given = {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}
    stack = Stack(
        name=name, arn=found["StackId"], outputs=outputs, parameters=given, status=found["StackStatus"]
    )
    os.environ.update({variable: stack.output(output) for variable, output in _ENVIRONMENT.items()})
    return stack
