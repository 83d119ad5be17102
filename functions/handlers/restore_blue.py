"""Gives blue its traffic back, before anything else, and takes the release over from whoever ran it."""

from viridian import converge
from viridian.acts import way_back
from viridian.aws.function import handler
from viridian.messages import BlueRestored, RestoreBlue


@handler(RestoreBlue)
def lambda_handler(ask: RestoreBlue) -> BlueRestored:
    """The epoch is bumped before the weights are read, so no earlier writer can undo this."""
    step = way_back.begin(converge.errand(ask.order, ask.execution, ask.error, ask.cause))
    return BlueRestored(
        doing=step.reason, again_in=step.again_in, end=step.end, cause=step.cause, hook=step.hook
    )
