"""The course of a release: its states, its weights, and what both sides had to do, over time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

ABORTED = "Aborted"  # the state of an execution once it is stopped


@dataclass(frozen=True)
class Slice:
    """A stretch of time: requests and errors a minute by version, and requests lost.

    `healthy` and `latency` are each version's fewest healthy hosts and mean seconds to answer, where that is known.
    """

    since: float
    until: float
    requests: dict[str, float]
    errors: dict[str, float]
    lost: int = 0
    healthy: dict[str, float] = field(default_factory=dict)
    latency: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Course:
    """One release over time, in seconds; `weights` are percents by version from a moment on."""

    since: float
    until: float
    blue: str
    green: str
    states: Sequence[tuple[float, str]]
    weights: Sequence[tuple[float, dict[str, int]]]
    slices: Sequence[Slice]
    alarm: float | None = None
    aborted: float | None = None
    ordered: float | None = None
    all_blue: float | None = None
    all_green: float | None = None


def states(history: Sequence[Mapping[str, Any]]) -> list[tuple[float, str]]:
    """When each state was entered, and when an execution was aborted, from the events of a history."""
    return [
        (_seconds(event["timestamp"]), event.get("stateEnteredEventDetails", {}).get("name", ABORTED))
        for event in history
        if event["type"].endswith("StateEntered") or event["type"] == "ExecutionAborted"
    ]


def percent(weights: Mapping[str, int], versions: Mapping[str, str]) -> dict[str, int]:
    """Weights of target groups as whole percents by version; a version with none is left out."""
    total = sum(weights.values()) or 1
    shares = Counter[str]()
    for arn, weight in weights.items():
        shares[versions.get(arn) or arn.split("/")[1]] += weight
    return {version: round(100 * weight / total) for version, weight in shares.items() if weight}


def _seconds(timestamp: Any) -> float:
    """The local cloud keeps its history's times as text, boto3 gives them as datetimes."""
    moment = timestamp if isinstance(timestamp, datetime) else datetime.fromisoformat(timestamp)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
