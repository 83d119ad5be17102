"""Makes green the new blue: its own floor, blue behind the standby rule until it retires, the route free."""

from viridian import fleet, traffic
from viridian.acts import green
from viridian.aws import ledger, router
from viridian.aws.function import handler
from viridian.messages import Promote, ReleasePromoted


@handler(Promote)
def lambda_handler(ask: Promote) -> ReleasePromoted:
    """Promoting twice is harmless. Raises Drifted or GreenUnfit unless green serves alone, and well."""
    record = ledger.find(ask.service, ask.release)
    if record is None or record.status != "Promoted":
        record = ledger.read(ask.service, ask.release, ask.epoch)
        record.ensure_through("before_promote", 0)
        forward = router.forward(record.plan.route)
        traffic.ensure_ours(forward, record.written[-1:])
        blue, candidate = green.both(record)
        traffic.ensure_alone(forward, candidate.target_group)
        fleet.ensure_fit(candidate, blue, record.need, cross_zone=record.plan.cross_zone)
        record = green.promote(record, candidate)
    return ReleasePromoted(weights=record.written[-1].weights, retire_at=record.retire_at)
