"""Takes a release back when its execution has ended without saying how the release did."""

from datetime import UTC, datetime

from viridian import converge
from viridian.acts import rescue
from viridian.aws.function import handler
from viridian.messages import Guard, Guarded


@handler(Guard)
def lambda_handler(ask: Guard) -> Guarded:
    """Whose the execution was, the ledger says; an event that comes twice, or late, finds nothing to do."""
    ended = ask.detail
    error = ended.error or f"Execution{ended.status.title().replace('_', '')}"
    failure = converge.first_error(error, ended.cause or f"{ended.executionArn} ended {ended.status}")
    return Guarded(started=rescue.guard(ended.executionArn, failure, datetime.now(UTC)))
