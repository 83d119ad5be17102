"""Takes the next step of retiring a promoted release's blue; asked again until it is done."""

from viridian.acts import retirement
from viridian.aws.function import handler
from viridian.messages import BlueRetired, RetireBlue


@handler(RetireBlue)
def lambda_handler(ask: RetireBlue) -> BlueRetired:
    """Raises Refusal unless the release is promoted and its blue's time has come."""
    step = retirement.retire(ask.service, ask.release, ask.execution)
    return BlueRetired(doing=step.reason, again_in=step.again_in, end=step.end)
