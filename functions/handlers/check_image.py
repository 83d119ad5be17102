"""Looks whether the image is available, or the next step towards it due."""

from viridian.acts import baking
from viridian.aws import ledger
from viridian.aws.function import handler
from viridian.messages import CheckImage, ImageChecked


@handler(CheckImage)
def lambda_handler(ask: CheckImage) -> ImageChecked:
    """Raises ImageFailed if it never will be, DeadlinePassed if it took too long."""
    record = ledger.read(ask.service, ask.release, ask.epoch)
    return ImageChecked(image=record.image, state=baking.look(record))
