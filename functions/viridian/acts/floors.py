"""The floors of both fleets, and the need that they stand at: it follows the service, and only up."""

from datetime import UTC, datetime
from typing import Any

from viridian import fleet, signals
from viridian.aws import alarms, auto_scaling, clients, ledger
from viridian.errors import NotKnown
from viridian.fleet import Side, Sizes
from viridian.record import Record


def follow_need(record: Record, blue: Sizes | None, green: Sizes | None) -> Record:
    """The need as blue's size has it while blue has all the traffic, and as the requests have it all along."""
    if blue is None:
        return record
    wanted = needed(record, blue, green, rate(record))
    if record.first_weight_at is None:
        wanted = max(wanted, blue.desired)
    if wanted <= record.need:
        return record
    ledger.watch(record, need=wanted)
    return ledger.read(record.plan.service, record.plan.release, record.epoch)


def hold(record: Record, blue: Sizes | None, green: Sizes | None) -> None:
    """Both fleets' floors at the need; what blue's was before is in the plan."""
    for side in (blue, green):
        if side is not None and fleet.below(side, record.need):
            auto_scaling.set_minimum(side, record.need, record.fence())


def sag(record: Record, blue: Side, green: Side, rate: float) -> str:
    """Why the floors are to be raised, or nothing if they hold and are high enough."""
    if (wanted := needed(record, blue, green, rate)) > record.need:
        before = record.plan.rate
        return f"{rate:.0f} requests a minute, {before:.0f} at the start: the need is {wanted}, not {record.need}"
    if fleet.below(blue, record.need) or fleet.below(green, record.need):
        return "a fleet may fall below its floor"
    return ""


def needed(record: Record, blue: Sizes, green: Sizes | None, rate: float) -> int:
    """The need as the service's requests a minute have it, up to what either group may have."""
    ceiling = min(side.maximum for side in (blue, green) if side is not None)
    return fleet.grown(record.need, record.plan.blue.desired, record.plan.rate, rate, ceiling)


def unfilled(record: Record, blue: Side) -> str:
    """Who is still to come of those that blue launches because the need has risen, or nothing.

    Until then it couldn't take back what it must. A blue that lacks one of its own is left to its group.
    """
    return fleet.missing(blue, record.need) if record.need > record.plan.blue.desired else ""


def rate(record: Record) -> float:
    """The requests a minute of both fleets now; 0 too if there is nothing to compare them with."""
    plan = record.plan
    if plan.rate < fleet.ENOUGH:
        return 0.0
    green = record.green_target_group
    more = [signals.requests_of("green", record.serves_green, green)] if green else []
    return rate_of(plan.load_balancer, plan.blue.target_group, *more)


def rate_of(balancer: str, blue: str, *more: dict[str, Any]) -> float:
    """The requests a minute that blue, and what else is to be measured, has now; 0 if that can't be had, which stops nothing."""
    asked = [signals.requests_of("blue", balancer, blue), *more]
    now = datetime.now(UTC)
    try:
        with clients.spared():
            return signals.rate(alarms.measure(asked, now - signals.SPAN, now))
    except NotKnown:
        return 0.0
