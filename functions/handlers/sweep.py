"""Looks through the ledger every minute for what is due, and starts it."""

from datetime import UTC, datetime

from viridian.acts import retirement
from viridian.aws.function import handler
from viridian.messages import Sweep, Swept


@handler(Sweep)
def lambda_handler(_: Sweep) -> Swept:
    """Sweeping twice starts nothing twice."""
    due = retirement.due(datetime.now(UTC))
    return Swept(started=tuple(retirement.start(record) for record in due))
