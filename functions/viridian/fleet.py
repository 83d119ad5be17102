"""What a fleet can carry, and the size below which neither may fall while a release runs."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from viridian.errors import BlueUnfit, GreenUnfit


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One instance: its zone, the capacity it counts for, and its state as the load balancer sees it."""

    instance: str
    zone: str
    health: str
    reason: str = ""
    capacity: int = 1


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """What an Auto Scaling group says of its own size; who of it can serve is the target group's to say."""

    group: str
    minimum: int
    desired: int
    maximum: int


class Side(Sizes, frozen=True, kw_only=True):
    """A fleet as AWS shows it: sizes are of the Auto Scaling group, health is the target group's."""

    target_group: str
    members: tuple[Member, ...] = ()

    def standing(self) -> int:
        """The capacity of all instances, healthy or not."""
        return sum(member.capacity for member in self.members)

    def healthy(self) -> int:
        """The capacity of the healthy instances."""
        return sum(member.capacity for member in self.members if member.health == "healthy")

    def healthy_by_zone(self) -> dict[str, int]:
        """The same, per zone that has any."""
        zones: dict[str, int] = {}
        for member in self.members:
            if member.health == "healthy":
                zones[member.zone] = zones.get(member.zone, 0) + member.capacity
        return zones

    def ailing(self) -> str:
        """Who isn't healthy, and why, in words."""
        sick = [member for member in self.members if member.health != "healthy"]
        return (
            ", ".join(f"{m.instance} {m.health}{f' ({m.reason})' if m.reason else ''}" for m in sick[:5])
            or "none"
        )


def shortfall(green: Side, blue: Side, need: int, *, cross_zone: bool) -> str:
    """Why green can't carry the need yet, or nothing if it can.

    Enough capacity in all, and some in every zone where blue has some: a zone's share in full when the load balancer
    does not balance across zones.
    """
    if lack := missing(green, need):
        return lack
    serving, standing = blue.healthy_by_zone(), green.healthy_by_zone()
    whole = sum(serving.values())
    for zone, share in sorted(serving.items()):
        wanted = 1 if cross_zone else -(-share * need // whole)
        if (there := standing.get(zone, 0)) < wanted:
            return f"{there} of {wanted} healthy in zone {zone} of {green.group}"
    return ""


def missing(side: Side, need: int) -> str:
    """Who isn't healthy of those that the need asks for, or nothing if enough are."""
    able = side.healthy()
    return "" if able >= need else f"{able} of {need} healthy in {side.group}: {side.ailing()}"


# What EC2 says of a launch that no other try would mend (aws-facts A14: most other failures pass).
_FOR_GOOD = (
    "does not exist",
    "invalidamiid",
    "invalidkmskey",
    "more vcpu capacity than your current vcpu limit",
    "not supported",
    "vcpulimitexceeded",
)


def ensure_launches(green: Side, failures: Sequence[str]) -> None:
    """Raises GreenUnfit if the last launch that failed will go on failing; `failures` are EC2's words, newest first."""
    for words in failures[:1]:
        if any(told in words.lower() for told in _FOR_GOOD):
            raise GreenUnfit(f"{green.group} can't launch: {words}")


def ensure_fit(green: Side, blue: Side, need: int, *, cross_zone: bool) -> None:
    """Raises GreenUnfit unless green can carry the need."""
    if lack := shortfall(green, blue, need, cross_zone=cross_zone):
        raise GreenUnfit(lack)


def ensure_carries(blue: Side, need: int, percent: int) -> None:
    """Raises BlueUnfit unless blue can carry what would be left to it."""
    wanted = -(-need * percent // 100)
    if (able := blue.healthy()) < wanted:
        raise BlueUnfit(
            f"{able} of the {wanted} that {percent}% needs healthy in {blue.group}: {blue.ailing()}"
        )


def below(side: Sizes, floor: int) -> bool:
    """Whether a fleet may scale in below the floor."""
    return side.minimum < floor


ENOUGH = 100  # requests a minute
_RISE = 125  # percent


def grown(need: int, carried: int, before: float, rate: float, ceiling: int) -> int:
    """The need once `carried` capacity, which served `before` requests a minute, has `rate` of them to serve.

    In proportion, rounded up, up to the ceiling, and never lower than it is: a fleet that has lost its traffic says
    nothing of what the service needs. Counts stray, and what only rises would rise with each that strays up. Where 100
    came a minute, 500 in the window of five (`signals.rate`), two windows differ by 6% by chance alone; so it takes that
    many to compare with, and more than a quarter on top to count. What isn't known is 0, and leaves the need as it is.
    """
    percent = round(100 * rate / before) if before >= ENOUGH else 0
    return max(need, min(-(-carried * percent // 100), ceiling)) if percent > _RISE else need


def readiness(green: Side, blue: Side, need: int, lack: str) -> Literal["healthy", "waiting", "short"]:
    """Whether green may be tested: not before both floors are at the need, and the need is what blue has now."""
    if blue.desired > need or below(blue, need) or below(green, need):
        return "short"
    return "waiting" if lack else "healthy"
