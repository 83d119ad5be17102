"""Gives blue its traffic back, before anything else, and takes the release over from whoever ran it."""

from viridian import converge
from viridian.acts import way_back
from viridian.aws.function import handler
from viridian.messages import BlueRestored, RestoreBlue


@handler(RestoreBlue)
def lambda_handler(ask: RestoreBlue) -> BlueRestored:
    """The epoch is bumped before the weights are read, so no earlier writer can undo this."""
    failure = converge.first_error(ask.error, ask.cause)
    hold = ask.error == "Inconclusive"
    step = way_back.begin(
        ask.service, ask.release, ask.execution, failure, hold=hold, overwrite=ask.overwrite
    )
    return BlueRestored(doing=step.reason, again_in=step.again_in, end=step.end, cause=step.cause)
