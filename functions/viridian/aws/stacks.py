"""CloudFormation: whether a stack is being changed."""

from botocore.exceptions import ClientError

from viridian.aws import clients


def change(stack: str) -> str | None:
    """The status of a stack that is being updated, rolled back, cleaned up or deleted; None if it rests, or is gone."""
    try:
        (found,) = clients.reader("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return None
    status = str(found["StackStatus"])
    return status if status.endswith("_IN_PROGRESS") else None
