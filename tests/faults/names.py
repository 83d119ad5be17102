"""What goes wrong with a route that is a name: a hosted zone that is busy or slow, people who change its records."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from local.plane import zones
from local.strict.route53 import BUSY_SECONDS
from tests.faults.checks import BATCH
from tests.faults.injector import Send
from tests.faults.kinds import kind
from tests.faults.moments import NATURE, at
from tests.faults.place import Place
from tests.faults.points import Fault
from tests.faults.promises import ended, ours, promise, route_writes
from tests.faults.sides import balancing, is_made, target_group_arn
from tests.workflow.world import Release

CALLS = (BATCH, "GetChange", "ListResourceRecordSets")
ALWAYS = 1_000_000
STEPS = (0, 50, 100)


@kind("zone_refuses")
def zone_refuses(world: Place, fault: Fault) -> None:
    """From its point on the calls of args of are refused with args code: args times of them, or for args seconds."""
    calls = tuple(fault.args.get("of", CALLS))
    left, until = int(fault.args.get("times", ALWAYS)), 0.0

    def refuse(send: Send) -> Any:
        nonlocal left
        left -= 1
        return send.answer(str(fault.args["code"]), 400, "Rate exceeded")

    def begin(send: Send) -> Any:
        nonlocal until
        until = send.at + float(fault.args.get("seconds", ALWAYS))
        world.fired(fault)
        return refuse(send)

    assert fault.point is not None
    world.injector.whenever(lambda send: send.call in calls and left > 0 and send.at < until, refuse)
    world.injector.at(fault.point, begin)


@kind("slow_names")
def slow_names(world: Place, fault: Fault) -> None:
    """Changes that are asked for from its point on, or only the first args changes of them, pend for args seconds."""
    names, usual, left = world.cloud.names, world.cloud.names.lag, int(fault.args.get("changes", ALWAYS))

    def lag() -> float:
        nonlocal left
        if left <= 0:
            return usual()
        left -= 1
        world.fired(fault)
        return float(fault.args["seconds"])

    at(world, fault, lambda: setattr(names, "lag", lag), NATURE, quietly=True)


@kind("person_changes_records")
def person_changes_records(world: Place, fault: Fault) -> None:
    """A person sets weights (args blue, green), EvaluateTargetHealth (args evaluates), or deletes records (None)."""

    def act() -> None:
        batch = [change for record in _records(world) if (change := _changed(fault, record)) is not None]
        zone = world.shop.route_arn.split("/")[1]
        _patiently(world, "change_resource_record_sets", HostedZoneId=zone, ChangeBatch={"Changes": batch})
        world.injector.pause(BUSY_SECONDS)  # whoever was about to write finds the change, not a busy zone

    at(world, fault, act)


def _records(world: Place) -> list[dict[str, Any]]:
    _, zone, name = world.shop.route_arn.split("/")
    listed = _patiently(world, "list_resource_record_sets", HostedZoneId=zone)["ResourceRecordSets"]
    return [each for each in listed if each["Name"].rstrip(".") == name and each["Type"] == "A"]


def _changed(fault: Fault, record: dict[str, Any]) -> dict[str, Any] | None:
    side = "blue" if record["SetIdentifier"] == "blue" else "green"
    if side in fault.args and fault.args[side] is None:
        return {"Action": "DELETE", "ResourceRecordSet": record}
    alias = dict(record["AliasTarget"])
    alias["EvaluateTargetHealth"] = fault.args.get("evaluates", alias["EvaluateTargetHealth"])
    made = {**record, "AliasTarget": alias, "Weight": fault.args.get(side, record["Weight"])}
    return {"Action": "UPSERT", "ResourceRecordSet": made} if made != record else None


def _patiently(world: Place, operation: str, **asked: Any) -> Any:
    """A person's console tries again too, while the account is short or the zone is busy."""
    for _ in range(10):
        try:
            return getattr(world.cloud.client("route53"), operation)(**asked)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("Throttling", "PriorRequestNotComplete"):
                raise
            world.cloud.clock.sleep(1)
    raise TimeoutError(operation)


@kind("person_deletes_balancer")
def person_deletes_balancer(world: Place, fault: Fault) -> None:
    """A person deletes green's load balancer."""

    def act() -> None:
        for arn in [each for each in balancing().load_balancers if is_made(each)]:
            world.cloud.client("elbv2").delete_load_balancer(LoadBalancerArn=arn)

    at(world, fault, act)


@promise("F33", "F34")
def both_weights_or_none(world: Place, release: Release) -> Iterator[str]:
    """A batch of ours gives green a planned share and blue the rest, replaces what it saw, and is in the journal."""
    blue, green = target_group_arn(world, "blue"), str(world.record_of(release).get("green_target_group"))
    written = [each for each in route_writes(world) if each["call"] == BATCH]
    for each in written:
        after = each["after"] or {}
        if set(after) - {blue, green} or after.get(green, 0) not in STEPS or sum(after.values()) != 100:
            yield f"{each['principal']} made the weights {after}"
        actions = {change["Action"] for change in each["request"]["ChangeBatch"]["Changes"]}
        if not actions <= {"DELETE", "CREATE"}:
            yield f"{each['principal']} sent {', '.join(sorted(actions))}: somebody else's change is overwritten"
    told = [item for item in world.items() if item.get("call") in (BATCH, "Restore")]
    if len(told) < len(written):
        yield f"{len(written)} batches were carried out, the journal has {len(told)}"


@promise("F33")
def a_step_counts_from_when_all_are_told(world: Place, release: Release) -> Iterator[str]:
    """The next share, or the promotion, comes no sooner than a step after the last resolver may have the old answer."""
    observed = 60 * min(step["observe_minutes"] for step in world.shop.profile["steps"])
    due = dict(world.cloud.names._changes.values())
    shifts = [each["at"] for each in route_writes(world) if each["principal"] == "ShiftTrafficFunction"]
    promoted = [each["at"] for each in ours(world, "DeleteAlarms") if each["principal"] == "PromoteFunction"]
    for before, after in zip(shifts, [*shifts[1:], *promoted], strict=False):
        told = next((due[moment] for moment in due if abs(moment - before) < 1), before)
        if after < told + zones.BALANCER_SECONDS + observed - 1:
            yield f"what was written at {before:.0f} was in sync at {told:.0f}, and over at {after:.0f}"


@promise("F34")
def nobody_is_sent_to_nothing(world: Place, release: Release) -> Iterator[str]:
    """A route with all weights 0 is refused, or left alone by whoever can't tell what was meant: never made by us."""
    for each in route_writes(world):
        if not sum((each["after"] or {}).values()):
            yield f"{each['principal']} left nobody any weight"
    unasked = not world.record_of(release) and ended(world, release) == "Refused"
    if unasked and (made := [each for each in balancing().load_balancers if is_made(each)]):
        yield f"refused, and made {made}"
