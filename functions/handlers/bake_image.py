"""Has the image made, or takes the one that is ready."""

from viridian.aws import images, ledger
from viridian.aws.function import handler
from viridian.messages import BakeImage, ImageBaked
from viridian.request import InstanceSource


@handler(BakeImage)
def lambda_handler(ask: BakeImage) -> ImageBaked:
    """Looks for an earlier try's image by name first, so that none is made twice."""
    record = ledger.read(ask.service, ask.release, ask.epoch)
    source = record.plan.source
    if isinstance(source, InstanceSource):
        image = images.bake(record.plan, source.instance_id, record.fence())
    else:
        image = record.plan.ready
    if record.image != image:
        ledger.note(record.fence(), image=image, image_is_ours=isinstance(source, InstanceSource))
    return ImageBaked(image=image)
