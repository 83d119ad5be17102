"""Looks whether the image is available."""

from viridian import image
from viridian.aws import images, ledger
from viridian.aws.function import handler
from viridian.messages import CheckImage, ImageChecked


@handler(CheckImage)
def lambda_handler(ask: CheckImage) -> ImageChecked:
    """Raises ImageFailed if it never will be, DeadlinePassed if it took too long."""
    record = ledger.read(ask.service, ask.release, ask.epoch)
    state = image.judge(record.plan, record.image, images.find(record.image or ""))
    return ImageChecked(image=record.image or "", state=state)
