"""What the brake must know of a release to give blue everything back without reading its record first."""

from datetime import datetime

import msgspec

from viridian import arns, names, network, signals, traffic
from viridian.fence import Fence
from viridian.record import Record
from viridian.traffic import Forward


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """One release as an alarm knows it: `fence` is the one to break, `blue` an ARN, `green` the name of a target group."""

    fence: Fence
    since: datetime
    need: int
    blue: str
    green: str
    steps: tuple[int, ...]
    sticky_seconds: int
    sticky_targets: int
    rollback_minutes: int
    hold: bool

    def green_of(self, now: Forward) -> str:
        """Green's ARN, if the rule lists it."""
        return next((group for group in now.weights if f"/{self.green}/" in group), "")

    def planned(self, now: Forward) -> bool:
        """Whether the rule shows weights that the plan has; anything else is somebody's, and needs a closer look."""
        green = self.green_of(now)
        others = sum(weight for group, weight in now.weights.items() if group not in (self.blue, green))
        return others == 0 and any(
            (now.of(self.blue), now.of(green)) == (traffic.WHOLE - weight, weight) for weight in self.steps
        )

    def restored(self, now: Forward) -> Forward:
        """The rule with all its traffic on blue."""
        return traffic.split(
            self.blue,
            self.green_of(now),
            0,
            now,
            sticky=self.sticky_seconds,
            sticky_targets=self.sticky_targets,
        )


def watch(record: Record) -> Watch:
    """What the brake is told of a release; an alarm that changed before `since` says nothing about it."""
    plan, profile = record.plan, record.plan.profile
    return Watch(
        fence=record.fence(),
        since=record.taken_at or plan.started_at,
        need=record.need,
        blue=plan.blue.target_group,
        green=plan.green_target_group,
        steps=tuple(step.weight for step in profile.steps),
        sticky_seconds=plan.before.sticky_seconds,
        sticky_targets=plan.sticky_seconds,
        rollback_minutes=profile.deadlines.rollback_minutes,
        hold=profile.rollback == "hold",
    )


def alarms(record: Record) -> list[str]:
    """The ARNs of the alarms that call the brake: guards that aren't waived, and green's own."""
    plan = record.plan
    waived = set(plan.waive.alarms if plan.waive else ()) - set(record.reinstated)
    # Whoever finds a preview listener's port is counted like a user: before the first weight that says nothing of green.
    counts = record.first_weight_at is not None or not network.is_network(plan.listener)
    own = (
        names.alarm(plan.service, plan.release, signal)
        for signal in signals.of_green(plan.profile.thresholds, plan.load_balancer)
        if counts
    )
    return [
        arns.alarm(plan.load_balancer, name) for name in (*plan.profile.guards, *own) if name not in waived
    ]
