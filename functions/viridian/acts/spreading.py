"""How far the weights that a release has written have got: a rule tells them at once, a name's servers and clients later."""

from datetime import datetime, timedelta

from viridian import dns
from viridian.aws import ledger, router
from viridian.errors import DeadlinePassed
from viridian.record import Record

_PATIENCE = timedelta(minutes=10)  # Route 53 takes a minute, as a rule (aws-facts R5)


def since(record: Record, shifted_at: datetime, now: datetime) -> datetime:
    """From when on a step counts: when nobody may keep what the name said before it. Never before now until that is known.

    Raises DeadlinePassed if Route 53 has not told all its servers for so long that it may never do so.
    """
    if not dns.is_name(record.plan.route):
        return shifted_at
    told_at = record.told_at
    if told_at is None and router.is_told(record):
        told_at = now
        ledger.note(record.fence(), told_at=now)
    if told_at is None:
        if now - shifted_at > _PATIENCE:
            raise DeadlinePassed(
                f"Route 53 has not told all its servers for {_PATIENCE.seconds // 60} minutes"
            )
        return now
    return max(shifted_at, min(now, told_at + timedelta(seconds=dns.TTL)))
