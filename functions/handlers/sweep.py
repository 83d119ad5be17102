"""Looks through the ledger every minute for what is due or dead, and sees to it."""

from datetime import UTC, datetime

from viridian.acts import rescue
from viridian.aws.function import handler
from viridian.messages import Sweep, Swept


@handler(Sweep)
def lambda_handler(_: Sweep) -> Swept:
    """Sweeping twice starts nothing twice. Raises SweepIncomplete once all that can be done is."""
    return Swept(started=rescue.sweep(datetime.now(UTC)))
