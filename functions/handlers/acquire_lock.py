"""Takes the route for one release. Taking it twice is harmless; there is no lease to renew."""

from datetime import UTC, datetime

from viridian.aws import ledger
from viridian.aws.function import handler
from viridian.messages import AcquireLock, LockAcquired


@handler(AcquireLock)
def lambda_handler(ask: AcquireLock) -> LockAcquired:
    """Raises RouteLocked with the holder's name."""
    return LockAcquired(epoch=ledger.take_lock(ask.plan, datetime.now(UTC)))
