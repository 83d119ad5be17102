"""Judges green by its alarms, the guards, and what it has served. Changes nothing in AWS."""

from datetime import UTC, datetime

from viridian import orders, traffic
from viridian.acts import evidence, floors, green, ordering, spreading
from viridian.aws import ledger, router
from viridian.aws.function import handler
from viridian.messages import GreenJudged, JudgeGreen


@handler(JudgeGreen)
def lambda_handler(ask: JudgeGreen) -> GreenJudged:
    """Raises Drifted if somebody else wrote the weights, DeadlinePassed if the release has taken too long."""
    now = datetime.now(UTC)
    record = ordering.look(ledger.read(ask.service, ask.release, ask.epoch), now)
    record.ensure_in_time(now)
    traffic.ensure_ours(router.forward(record.plan.route), record.written[-1:])
    observe = record.plan.profile.steps[ask.step].observe_minutes
    since = orders.since(record.last_order, spreading.since(record, ask.shifted_at, now), observe, now)
    blue, candidate = green.both(record)
    signals = evidence.weighed(record, blue, candidate, since, now)
    found, move = ordering.judge(record, signals, ask.step, now)
    if move != "roll_back" and (low := floors.sag(record, blue, candidate, signals.rate)):
        return GreenJudged(verdict=found.outcome, reason=low, next="hold_floors")
    return GreenJudged(verdict=found.outcome, reason=found.reason, next=move)
