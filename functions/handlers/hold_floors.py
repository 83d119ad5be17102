"""Raises the floors of both fleets to the need: it may have risen, or something may have lowered them."""

from viridian.acts import floors, green
from viridian.aws import ledger
from viridian.aws.function import handler
from viridian.messages import FloorsHeld, HoldFloors


@handler(HoldFloors)
def lambda_handler(ask: HoldFloors) -> FloorsHeld:
    """The need follows blue until green has its first share, and the requests all along; it never falls."""
    record = ledger.read(ask.service, ask.release, ask.epoch)
    sizes = green.sizes(record)
    record = floors.follow_need(record, *sizes)
    floors.hold(record, *sizes)
    return FloorsHeld(need=record.need)
