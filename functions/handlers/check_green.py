"""Looks whether green is healthy enough, in every zone, to be tested."""

from datetime import UTC, datetime

from viridian import fleet, plan
from viridian.acts import floors, green
from viridian.aws import ledger
from viridian.aws.function import handler
from viridian.messages import CheckGreen, GreenChecked


@handler(CheckGreen)
def lambda_handler(ask: CheckGreen) -> GreenChecked:
    """Raises DeadlinePassed with who isn't healthy and why, GreenUnfit at once if its launches can't work."""
    record = ledger.read(ask.service, ask.release, ask.epoch)
    blue, candidate = green.both(record)
    endpoint, closed = green.entry(record)
    lack = green.ensure_comes_up(record, blue, candidate) or closed or floors.unfilled(record, blue)
    need = record.need if lack else floors.needed(record, blue, candidate, floors.rate(record))
    state = fleet.readiness(candidate, blue, need, lack)
    record.ensure_in_time(datetime.now(UTC))
    record.ensure_green_in_time(
        datetime.now(UTC), lack or ("a floor doesn't hold" if state == "short" else "")
    )
    return GreenChecked(
        state=state,
        reason=lack or f"{candidate.healthy()} of {need} healthy",
        endpoint=endpoint,
        standby=record.plan.standby.value,
        tests=record.plan.profile.smoke_tests,
        preview=plan.preview(record.plan, endpoint),
    )
