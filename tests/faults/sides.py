"""Blue and green as they stand in moto's memory: read without an API call, so that looking changes nothing."""

import json
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from local.control.session import ACCOUNT, REGION
from tests import ledger
from tests.faults import sight
from tests.faults.place import Place

STANDS = ("InService", "Pending")


def scaling() -> Any:
    return autoscaling_backends[ACCOUNT][REGION]


def balancing() -> Any:
    return elbv2_backends[ACCOUNT][REGION]


def fleet(world: Place, side: str) -> Any:
    """A side's Auto Scaling group."""
    name = world.shop.group_name if side == "blue" else green_group(world)
    return scaling().autoscaling_groups[name]


def green_group(world: Place) -> str | None:
    """The name of green's Auto Scaling group, if it stands."""
    made = [name for name in scaling().autoscaling_groups if name.startswith("viridian-shop-")]
    return made[-1] if made else None


def members(world: Place, side: str) -> list[str]:
    """The instances of a side that stand or come up."""
    if side == "green" and green_group(world) is None:
        return []
    states = fleet(world, side).instance_states
    return [state.instance.id for state in states if state.lifecycle_state in STANDS]


def target_group_arn(world: Place, side: str) -> str:
    if side == "blue":
        return world.shop.target_group_arn
    found = [group.arn for group in balancing().target_groups.values() if is_made(group.arn)]
    return found[-1] if found else ""


def is_made(arn: str) -> bool:
    """Whether a target group was made by a release."""
    tags = balancing().tagging_service.get_tag_dict_for_resource(arn)
    return "viridian:release" in tags


def healthy(world: Place, side: str) -> int:
    """How many of a side's targets are healthy as the load balancer shows it now."""
    arn = target_group_arn(world, side)
    group = balancing().target_groups.get(arn)
    if group is None:
        return 0
    shown = [group.health_for({"Id": each}, ec2_backends[ACCOUNT][REGION]) for each in list(group.targets)]
    return sum(each.status == "healthy" for each in shown)


def version_of(world: Place, side: str) -> str:
    """The version that a side runs."""
    return "1.0.0" if side == "blue" else "2.0.0"


def weights(world: Place) -> dict[str, int]:
    """The production route's weights by ARN, as the API would show them."""
    return sight.routes().get(world.shop.route_arn, {})


def records(world: Place) -> list[dict[str, Any]]:
    """The releases in the ledger, oldest first: each record's plain fields, its plan decoded."""
    found = [{**item, "plan": json.loads(item["plan"])} for item in ledger.items(world.table, "record")]
    return sorted(found, key=lambda each: str(each["plan"]["started_at"]))


def record(world: Place) -> dict[str, Any]:
    """The newest release's record; empty before it took its route."""
    found = records(world)
    return found[-1] if found else {}


def running_release(world: Place) -> str:
    """The newest release's id."""
    return str(record(world).get("plan", {}).get("release", ""))
