"""Makes the green fleet: target group, standby rule or load balancer, launch template version, group, alarms; and holds both floors."""

from viridian.acts import floors, green
from viridian.aws import ledger
from viridian.aws.function import handler
from viridian.messages import CreateGreen, GreenCreated


@handler(CreateGreen)
def lambda_handler(ask: CreateGreen) -> GreenCreated:
    """Each piece is looked for by its name first: a second call makes nothing twice."""
    record = ledger.read(ask.service, ask.release, ask.epoch)
    sizes = green.sizes(record)
    record = floors.follow_need(record, *sizes)
    target_group = green.make_target_group(record)
    record = green.make_balancer(record, target_group)
    floors.hold(record, *sizes)
    green.make_group(record, target_group)
    green.make_alarms(record, target_group)
    return GreenCreated(group=record.plan.green_group, target_group=target_group, need=record.need)
