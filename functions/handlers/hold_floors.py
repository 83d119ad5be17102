"""Raises the floors of both fleets to the need, again if something lowered them."""

from viridian.acts import green
from viridian.aws import ledger
from viridian.aws.function import handler
from viridian.messages import FloorsHeld, HoldFloors


@handler(HoldFloors)
def lambda_handler(ask: HoldFloors) -> FloorsHeld:
    """The need follows blue until green has its first share; it never falls."""
    record = green.follow_need(ledger.read(ask.service, ask.release, ask.epoch))
    green.hold_floors(record)
    return FloorsHeld(need=record.need)
