"""Takes a release through a gate: the service's own hook, then people's approval; asked again until it is through."""

from datetime import UTC, datetime

from viridian.acts import gates
from viridian.aws import ledger
from viridian.aws.function import handler
from viridian.messages import GatePassed, PassGate


@handler(PassGate)
def lambda_handler(ask: PassGate) -> GatePassed:
    """Begins nothing twice. Raises DeadlinePassed once the whole release has taken too long."""
    now = datetime.now(UTC)
    if ask.gate == "after_rollback":
        told = gates.tell_of_rollback(ask.service, ask.release, now)
        return GatePassed(next=told.next, reason=told.reason, again_in=told.again_in)
    record = ledger.read(ask.service, ask.release, ask.epoch)
    record.ensure_in_time(now)
    move, approval = gates.go_through(record, ask.gate, ask.step, now)
    since = None if ask.gate == "before_traffic" else record.observed_since(ask.step, now)
    return GatePassed(
        next=move.next,
        reason=move.reason,
        again_in=move.again_in,
        approval=approval,
        observed_since=since,
    )
