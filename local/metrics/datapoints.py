"""Reads what was published to CloudWatch: exact dimensions, aligned periods, every statistic an alarm may name."""

import re
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatumBase

from local.metrics.metric_math import Series

Key = tuple[str, str, frozenset[tuple[str, str]]]
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)$")


class Datapoints:
    """An index over moto's one long list, which it would search from end to end for every question."""

    def __init__(self) -> None:
        self._read: list[MetricDatumBase] | None = None
        self._count = 0
        self._lock = threading.Lock()
        self._index: dict[Key, list[tuple[float, MetricDatumBase]]] = {}

    def series(
        self,
        backend: Any,
        key: Key,
        stat: str,
        period: int,
        start: float,
        end: float,
        unit: str | None = None,
    ) -> Series:
        """The statistic by period start, from `start` (inclusive) to `end` (exclusive); epoch seconds."""
        with self._lock:
            self._follow(backend.metric_data)
        periods: dict[int, list[MetricDatumBase]] = {}
        for at, datum in self._index.get(key, []):
            if start <= at < end and unit in (None, datum.unit):
                periods.setdefault(int(start + (at - start) // period * period), []).append(datum)
        return {at: statistic(stat, periods[at]) for at in sorted(periods)}

    def _follow(self, data: list[MetricDatumBase]) -> None:
        if data is not self._read or len(data) < self._count:
            self._read, self._count, self._index = data, 0, {}
        for datum in data[self._count :]:
            key = key_of(datum.namespace, datum.name, ((each.name, each.value) for each in datum.dimensions))
            self._index.setdefault(key, []).append((epoch(datum.timestamp), datum))
        self._count = len(data)


def key_of(namespace: str, name: str, dimensions: Iterable[tuple[Any, Any]]) -> Key:
    return namespace, name, frozenset(dimensions)


def named(dimensions: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    return [(each["Name"], each["Value"]) for each in dimensions]


def epoch(moment: datetime) -> float:
    """Moto keeps UTC without saying so."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def naive(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def statistic(stat: str, data: list[MetricDatumBase]) -> float:
    samples = [sample for datum in data for sample in _samples(datum)]
    count = sum(weight for _, weight in samples)
    if stat == "SampleCount":
        return count
    if stat == "Sum":
        return sum(value * weight for value, weight in samples)
    if stat == "Average":
        return sum(value * weight for value, weight in samples) / count
    if stat == "Minimum":
        return min(value for value, _ in samples)
    if stat == "Maximum":
        return max(value for value, _ in samples)
    if (found := PERCENTILE.match(stat)) is not None:
        return _percentile(float(found.group(1)) / 100, samples, count)
    raise ValidationError(f"The statistic {stat} is not supported.")


def _samples(datum: Any) -> list[tuple[float, float]]:
    """(value, weight); a statistic set says no more than its ends and the mean of what lies between."""
    if not isinstance(datum, MetricAggregatedDatum):
        return [(datum.value, 1.0)]
    if datum.sample_count < 2 or datum.min == datum.max:
        return [(datum.sum / datum.sample_count, datum.sample_count)]
    if datum.sample_count == 2:
        return [(datum.min, 1.0), (datum.max, 1.0)]
    between = (datum.sum - datum.min - datum.max) / (datum.sample_count - 2)
    return [(datum.min, 1.0), (between, datum.sample_count - 2), (datum.max, 1.0)]


def _percentile(share: float, samples: list[tuple[float, float]], count: float) -> float:
    reached = 0.0
    for value, weight in sorted(samples):
        reached += weight
        if reached >= share * count:
            return value
    return max(value for value, _ in samples)
