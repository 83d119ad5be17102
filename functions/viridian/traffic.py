"""Where the traffic goes: pure decisions on a rule's weights."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from viridian.errors import Drifted, Refusal

WHOLE = 100


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule's forward action says: weight per target group ARN, and the group stickiness in seconds (0: off)."""

    weights: dict[str, int]
    sticky_seconds: int = 0

    def of(self, group: str) -> int:
        """The weight of one target group; a group that isn't listed has none."""
        return self.weights.get(group, 0)

    def share(self, group: str) -> float:
        """The part of new requests, 0 to 1, that goes to one target group."""
        total = sum(self.weights.values())
        return self.of(group) / total if total else 0.0

    def alone(self, group: str) -> bool:
        """Whether all the traffic goes to one target group."""
        return self.of(group) > 0 and self.of(group) == sum(self.weights.values())


def find_blue(forward: Forward) -> str:
    """The one group to which the rule gives all weight; anything else is a Refusal."""
    serving = [group for group, weight in forward.weights.items() if weight > 0]
    if len(serving) != 1:
        raise Refusal(
            "route",
            ", ".join(f"{_name(group)} at {weight}" for group, weight in forward.weights.items())
            or "no target group",
            "Give all weight to the one target group that serves now.",
        )
    return serving[0]


def find_group(target_group: str, groups: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The one Auto Scaling group attached to a target group, of all there are; anything else is a Refusal."""
    found = [
        group
        for group in groups
        if target_group in group.get("TargetGroupARNs", [])
        or any(source["Identifier"] == target_group for source in group.get("TrafficSources", []))
    ]
    if len(found) != 1:
        serving = ", ".join(group["AutoScalingGroupName"] for group in found) or "no Auto Scaling group"
        raise Refusal(
            "route", f"{target_group} is served by {serving}", "Attach exactly one Auto Scaling group to it."
        )
    if target_group not in found[0].get("TargetGroupARNs", []):
        raise Refusal(
            "route",
            f"{found[0]['AutoScalingGroupName']} is attached as a traffic source",
            "Attach the target group with AttachLoadBalancerTargetGroups.",
        )
    return dict(found[0])


def split(blue: str, green: str, weight: int, now: Forward, *, sticky: int, sticky_targets: int) -> Forward:
    """Green at `weight` percent, blue at the rest; a side with nothing is not listed, so that sticky clients leave it.

    Groups that are neither are kept as they are. `sticky` are the seconds of group stickiness that the rule had before
    the release, and keeps; two groups whose targets are sticky need it too (aws-facts E12).
    """
    others = {group: share for group, share in now.weights.items() if group not in (blue, green)}
    ours = {group: share for group, share in ((blue, WHOLE - weight), (green, weight)) if share > 0}
    several = len(ours) + len(others) > 1
    return Forward(weights={**ours, **others}, sticky_seconds=sticky or (sticky_targets if several else 0))


def without(now: Forward, *kept: str) -> Forward:
    """The same groups, with weight left only to those that are kept."""
    weights = {group: weight if group in kept else 0 for group, weight in now.weights.items()}
    return Forward(weights=weights, sticky_seconds=now.sticky_seconds)


def expected(written: Sequence[Forward], wanted: Forward) -> Sequence[Forward]:
    """What the rule may show before `wanted` is written: the last write; if a try of this one died, what was there before
    it; and `wanted` itself, if another try was quicker.
    """
    return written if written[-1].weights == wanted.weights else (wanted, *written[-1:])


def ensure_ours(now: Forward, written: Sequence[Forward]) -> None:
    """Raises Drifted unless the rule shows one of the weights that this release has written or was about to."""
    if now.weights not in [forward.weights for forward in written]:
        raise Drifted(f"the rule shows {describe(now)}; this release last wrote {describe(written[-1])}")


def ensure_alone(now: Forward, group: str) -> None:
    """Raises Drifted unless one target group has all the traffic."""
    if not now.alone(group):
        raise Drifted(f"the rule shows {describe(now)} where {_name(group)} was to serve alone")


def describe(forward: Forward) -> str:
    """The weights in words, for logs and causes."""
    return (
        ", ".join(f"{_name(group)} {weight}" for group, weight in sorted(forward.weights.items()))
        or "nothing"
    )


def restore(need: int, blue_healthy: int, green_healthy: int, green_weight: int) -> int | None:
    """Green's weight, in percent, once blue has all that it can carry; None where nobody can carry anything.

    Blue takes everything if it holds the need, or if green has nobody left. If it is short it gets the share that its
    healthy capacity can carry, never less than it has now: a green that failed gets no more. If blue has nobody, green
    keeps the service up until blue is back.
    """
    if blue_healthy >= need > 0:
        return 0
    if blue_healthy <= 0 and green_healthy <= 0:
        return None
    if green_healthy <= 0:
        return 0
    if blue_healthy <= 0:
        return WHOLE
    return min(green_weight, WHOLE - (WHOLE * blue_healthy) // need)


def _name(group: str) -> str:
    parts = group.split("/")
    return parts[1] if len(parts) > 2 else group
