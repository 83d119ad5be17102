"""EC2 Image Builder: images that a pipeline makes and tests."""

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from viridian import arns, names
from viridian.aws import clients, ledger
from viridian.errors import Refusal
from viridian.fence import Fence
from viridian.image import Making
from viridian.plan import Plan
from viridian.request import ImageBuilderSource

_FIELD = "source.pipeline_arn"


def find_pipeline(arn: str) -> dict[str, Any]:
    """A pipeline as AWS shows it; a Refusal if there is none, or none that makes AMIs."""
    try:
        pipeline = clients.reader("imagebuilder").get_image_pipeline(imagePipelineArn=arn)["imagePipeline"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise Refusal(_FIELD, arn, "Use a pipeline that exists in this account and Region.") from None
    if not pipeline.get("imageRecipeArn"):
        raise Refusal(_FIELD, f"{arn} has no image recipe", "Use a pipeline that makes AMIs.")
    return dict(pipeline)


def start(plan: Plan, fence: Fence) -> str:
    """Has the pipeline run for this release, once; answers with the ARN of the image that is being made."""
    if (begun := find(plan)) is not None:
        return begun
    pipeline = _pipeline(plan)
    with ledger.mutation(fence, "StartImagePipelineExecution", pipeline) as entry:
        started = clients.writer("imagebuilder").start_image_pipeline_execution(
            imagePipelineArn=pipeline,
            clientToken=names.token(plan.service, plan.release),
            tags=names.tags(plan.service, plan.release),
        )
        entry.shown = str(started["imageBuildVersionArn"])
    return str(entry.shown)


def find(plan: Plan) -> str | None:
    """The ARN of the image that the pipeline made, or makes, for this release, by its tags."""
    ours = names.tags(plan.service, plan.release).items()
    pages = clients.reader("imagebuilder").get_paginator("list_image_pipeline_images")
    for page in pages.paginate(imagePipelineArn=_pipeline(plan)):
        for image in page["imageSummaryList"]:
            if ours <= image.get("tags", {}).items() and image["state"]["status"] != "DELETED":
                return str(image["arn"])
    return None


def find_image(arn: str) -> Making:
    """The same as `follow`, of an image that anybody had made; a Refusal if it is gone."""
    try:
        return follow(arn)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise Refusal("image", arn, "Use an image that Image Builder still has.") from None


def follow(arn: str) -> Making:
    """How an image is getting on: its state, its AMI of this account and Region, and the first of its workflows that failed.

    A test may fail and the image be made all the same: the workflows say so, the state doesn't.
    """
    client = clients.reader("imagebuilder")
    image = client.get_image(imageBuildVersionArn=arn)["image"]
    amis, state = image.get("outputResources", {}).get("amis", []), image["state"]
    workflows = client.list_workflow_executions(imageBuildVersionArn=arn)["workflowExecutions"]
    failed = [
        f"{each['type']}: {each.get('message', '')}" for each in workflows if each["status"] == "FAILED"
    ]
    return Making(
        id=arn,
        what=f"Image Builder's {arn}",
        status=state["status"],
        reason=failed[0] if failed else "" if state["status"] == "AVAILABLE" else state.get("reason", ""),
        began=datetime.fromisoformat(image["dateCreated"]),
        image=next((ami.get("image") for ami in amis if _is_here(ami, arn)), None),
        stands=True,
        tags=image.get("tags", {}),
    )


def remove(making: Making, fence: Fence) -> None:
    """Cancels the making of an image, or deletes what Image Builder keeps of it; the AMI is EC2's."""
    client = clients.writer("imagebuilder")
    if making.under_way:
        with ledger.mutation(fence, "CancelImageCreation", making.id):
            client.cancel_image_creation(imageBuildVersionArn=making.id)  # botocore makes up the token
    else:
        with ledger.mutation(fence, "DeleteImage", making.id):
            client.delete_image(imageBuildVersionArn=making.id)


def _is_here(ami: dict[str, Any], arn: str) -> bool:
    """A pipeline may hand an image out to other Regions and, in the same Region, to other accounts."""
    own = arns.account(arn)
    return (ami["region"], ami.get("accountId", own)) == (arns.region(arn), own)


def _pipeline(plan: Plan) -> str:
    assert isinstance(plan.source, ImageBuilderSource)
    return plan.source.pipeline_arn
