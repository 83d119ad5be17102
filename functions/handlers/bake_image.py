"""Takes the next step towards the image, or takes the one that is ready."""

from viridian.acts import baking
from viridian.aws import ledger
from viridian.aws.function import handler
from viridian.messages import BakeImage, ImageBaked


@handler(BakeImage)
def lambda_handler(ask: BakeImage) -> ImageBaked:
    """Looks for what an earlier try has started first, so that nothing is made twice."""
    return ImageBaked(image=baking.step(ledger.read(ask.service, ask.release, ask.epoch)))
