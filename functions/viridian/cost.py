"""What it costs to run both fleets at once, at list prices."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

Fleet = Mapping[str, int]  # how many instances of each type
Prices = Mapping[str, float]  # dollars an hour, by type


def usage_operation(image: Mapping[str, Any]) -> str:
    """What instances of an image are billed as; Linux without more, if the image isn't to be seen."""
    return str(image.get("UsageOperation", "RunInstances"))


def in_words(
    blue: Fleet, green: Fleet, prices: Prices, soonest: timedelta, latest: timedelta
) -> tuple[str, ...]:
    """Both fleets by themselves, and together for as long as both may run."""
    hourly = _hourly(blue, prices) + _hourly(green, prices)
    return (
        f"blue: {_priced(blue, prices)}",
        f"green: {_priced(green, prices)}",
        f"both for {_long(soonest)}, the soonest that blue can retire: {_dollars(hourly, soonest)}",
        f"both for {_long(latest)}, the longest: {_dollars(hourly, latest)}",
        "list prices of On-Demand instances, shared tenancy: without volumes, traffic, and discounts of yours",
    )


def _hourly(fleet: Fleet, prices: Prices) -> float:
    return sum(count * prices[kind] for kind, count in fleet.items())


def _priced(fleet: Fleet, prices: Prices) -> str:
    parts = [f"{count} {kind} at ${prices[kind]:g}" for kind, count in sorted(fleet.items())]
    return f"{', '.join(parts)}: ${_hourly(fleet, prices):.4f} an hour"


def _dollars(hourly: float, duration: timedelta) -> str:
    return f"${hourly * duration.total_seconds() / 3600:.2f}"


def _long(duration: timedelta) -> str:
    hours, minutes = divmod(int(duration.total_seconds()) // 60, 60)
    return f"{hours} h {minutes} min"
