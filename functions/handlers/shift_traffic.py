"""Gives green its next share of the traffic. Safe to repeat: it sets weights, it never adds to them."""

from datetime import UTC, datetime

from viridian import fleet, gates, traffic
from viridian.acts import green, ordering, others
from viridian.aws import ledger, router
from viridian.aws.function import handler
from viridian.messages import ShiftTraffic, TrafficShifted


@handler(ShiftTraffic)
def lambda_handler(ask: ShiftTraffic) -> TrafficShifted:
    """Raises Drifted if somebody else is at work, GreenUnfit or BlueUnfit if a side can't carry its share."""
    now = datetime.now(UTC)
    record = ordering.look(ledger.read(ask.service, ask.release, ask.epoch), now)
    record.ensure_in_time(now)
    if kept := ordering.keeps(record, ask.step, now):
        stands = router.forward(record.plan.route).weights
        since = record.observed_since(record.step, now)
        return TrafficShifted(step=record.step or 0, weights=stands, shifted_at=since, kept=kept)
    if not ordering.begun(
        record, ask.step
    ):  # what stood there may have been skipped by an order that holds no more
        record.ensure_through(*gates.before(ask.step))
    others.ensure_still_idle(record)
    green.count_in_dns(record)
    rule = router.find(record.plan.route)
    blue, candidate = green.both(record)  # last, right before the write
    weight = record.plan.profile.steps[ask.step].weight
    wanted = record.plan.split(candidate.target_group, weight, rule.forward)
    traffic.ensure_ours(rule.forward, traffic.expected(record.written, wanted))
    fleet.ensure_carries(blue, record.need, traffic.WHOLE - weight)
    fleet.ensure_fit(candidate, blue, record.need, cross_zone=record.plan.cross_zone)
    shown = router.set_forward(rule, wanted, record.fence(), anew=record.change is None)
    return TrafficShifted(step=ask.step, weights=shown.weights, shifted_at=datetime.now(UTC))
