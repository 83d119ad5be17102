"""Evaluates alarms once a minute as CloudWatch does: missing data included, the reason in words (C1-C6).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends

from local.hooks import Hooks
from local.metrics.datapoints import PERCENTILE, Datapoints, key_of, naive
from local.metrics.metric_math import Series
from local.metrics.metrics import evaluate

ACCOUNT, REGION = "123456789012", "us-east-1"
LOOKED_BEYOND = 2  # periods that are read before the evaluation periods, to make up for missing ones
EVERY_SECONDS = 60.0

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True)
class Evaluation:
    """What the data say; no state means that they say nothing new."""

    state: str | None
    reason: str
    points: tuple[tuple[int, float], ...]


class Alarms:
    """Every alarm, at its own minute."""

    def __init__(self, clock: Any, reality: Any) -> None:
        self._clock, self._reality = clock, reality
        self._hooks = Hooks()
        self._datapoints = Datapoints()
        self._due: dict[str, float] = {}

    def install(self) -> None:
        if self._reality.alarms_start_undecided:
            self._hooks.wrap(CloudWatchBackend, "put_metric_alarm", _put)

    def uninstall(self) -> None:
        self._hooks.undo()

    def tick(self, now: float) -> None:
        if not self._reality.alarms_are_evaluated:
            return
        backend = cloudwatch_backends[ACCOUNT][REGION]
        self._due = {name: due for name, due in self._due.items() if name in backend.alarms}
        for alarm in [alarm for alarm in list(backend.alarms.values()) if alarm.rule is None]:
            every = min(EVERY_SECONDS, float(period_of(alarm)))
            if now >= self._due.setdefault(alarm.name, now + every):
                self._due[alarm.name] += every * max(1, (now - self._due[alarm.name]) // every + 1)
                self._evaluate(backend, alarm, now)

    def _evaluate(self, backend: Any, alarm: Any, now: float) -> None:
        period = period_of(alarm)
        end = int(now // period * period)
        start = end - period * (int(alarm.evaluation_periods) + LOOKED_BEYOND)
        try:
            series = self._read(backend, alarm, start, end)
        except ValidationError as error:
            found = Evaluation("INSUFFICIENT_DATA", f"Insufficient Data: {error.message}", ())
        else:
            found = judge(alarm, series, end)
        if found.state is None or found.state == alarm.state_value:
            return
        if self._too_few_samples(backend, alarm, start, end):
            return
        alarm.update_state(found.reason, _reason_data(alarm, found, now, start), found.state)
        alarm.state_transitioned_timestamp = alarm.state_updated_timestamp

    def _read(self, backend: Any, alarm: Any, start: int, end: int) -> Series:
        if not alarm.metric_data_queries:
            key = key_of(
                alarm.namespace, alarm.metric_name, ((each.name, each.value) for each in alarm.dimensions)
            )
            stat = alarm.statistic or alarm.extended_statistic
            return self._datapoints.series(backend, key, stat, period_of(alarm), start, end, alarm.unit)
        results = evaluate(self._datapoints, backend, map(_query, alarm.metric_data_queries), start, end)
        return results[_returned(alarm).id]

    def _too_few_samples(self, backend: Any, alarm: Any, start: int, end: int) -> bool:
        """A percentile of few samples says nothing, if the alarm asks for it to be ignored."""
        if alarm.evaluate_low_sample_count_percentile != "ignore":
            return False
        found = PERCENTILE.match(alarm.extended_statistic or "")
        if found is None:
            return False
        share = float(found.group(1)) / 100
        wanted = 10 / (1 - share) if share >= 0.5 else 10 / max(share, 0.001)
        key = key_of(
            alarm.namespace, alarm.metric_name, ((each.name, each.value) for each in alarm.dimensions)
        )
        counts = self._datapoints.series(backend, key, "SampleCount", period_of(alarm), start, end)
        return max(counts.values(), default=0.0) < wanted


def _put(original: Any, backend: Any, name: str, *rest: Any, **named: Any) -> Any:
    """A new alarm hasn't decided; an update leaves the state as it was, of the old definition (C1)."""
    before = backend.alarms.get(name)
    alarm = original(backend, name, *rest, **named)
    if before is None:
        alarm.state_value = "INSUFFICIENT_DATA"
    else:
        for kept in (
            "state_value",
            "state_reason",
            "state_reason_data",
            "state_updated_timestamp",
            "history",
        ):
            setattr(alarm, kept, getattr(before, kept))
    return alarm


def period_of(alarm: Any) -> int:
    if alarm.period:
        return int(alarm.period)
    periods = [
        query.metric_stat.period if query.metric_stat else query.period for query in alarm.metric_data_queries
    ]
    return max((int(period) for period in periods if period), default=60)


def judge(alarm: Any, series: Mapping[int, float], end: int) -> Evaluation:
    """M out of the last N points that there are; missing ones count only when fewer than N are left."""
    periods = int(alarm.evaluation_periods)
    to_alarm = int(alarm.datapoints_to_alarm or periods)
    compare, words = COMPARISONS[alarm.comparison_operator]
    points = sorted(series.items())[-periods:]
    breaching = [compare(value, float(alarm.threshold)) for _, value in points]
    missing = periods - len(points)
    treat = alarm.treat_missing_data or "missing"
    if not points:
        return _nothing(periods, treat)
    if missing and treat in ("missing", "ignore"):
        age = (end - points[0][0]) // period_of(alarm)
        state = _undecided(breaching, to_alarm, age if treat == "missing" else 0)
    else:
        filled = missing if treat == "breaching" else 0
        state = "ALARM" if sum(breaching) + filled >= to_alarm else "OK"
    return Evaluation(state, _reason(alarm, points, breaching, words, to_alarm, state), tuple(points))


def _undecided(breaching: list[bool], to_alarm: int, age: int) -> str | None:
    """Too few points: they alarm early only if all of them breach and the oldest is as old as M periods."""
    if sum(breaching) >= to_alarm:
        return "ALARM"
    if not all(breaching):
        return "OK"
    return "ALARM" if age >= to_alarm else None


def _nothing(periods: int, treat: str) -> Evaluation:
    state = {"missing": "INSUFFICIENT_DATA", "breaching": "ALARM", "notBreaching": "OK"}.get(treat)
    if treat == "missing":
        reason = f"Insufficient Data: {_datapoints(periods)} {_were(periods)} unknown."
    else:
        word = "Breaching" if treat == "breaching" else "NonBreaching"
        reason = (
            f"Threshold Crossed: no datapoints were received for {periods} period{_s(periods)} and {periods}"
            f" missing datapoint{_s(periods)} {_were(periods)} treated as [{word}]."
        )
    return Evaluation(state, reason, ())


def _reason(
    alarm: Any,
    points: list[tuple[int, float]],
    breaching: list[bool],
    words: str,
    to_alarm: int,
    state: str | None,
) -> str:
    crossed = sum(breaching) if state == "ALARM" else len(points) - sum(breaching)
    shown = [
        point for point, breaches in zip(points, breaching, strict=True) if breaches == (state == "ALARM")
    ]
    if not shown:
        missing = int(alarm.evaluation_periods) - len(points)
        word = "Breaching" if state == "ALARM" else "NonBreaching"
        return f"Threshold Crossed: {missing} missing datapoint{_s(missing)} {_were(missing)} treated as [{word}]."
    listed = ", ".join(f"{value} ({naive(at):%d/%m/%y %H:%M:%S})" for at, value in reversed(shown))
    count = (
        f"{_datapoints(crossed)}"
        if len(points) == 1
        else f"{crossed} out of the last {_datapoints(len(points))}"
    )
    verb = "was" if crossed == 1 else "were"
    direction = "OK -> ALARM" if state == "ALARM" else "ALARM -> OK"
    enough = to_alarm if state == "ALARM" else int(alarm.evaluation_periods) - to_alarm + 1
    return (
        f"Threshold Crossed: {count} [{listed}] {verb} {'' if state == 'ALARM' else 'not '}{words} the threshold"
        f" ({float(alarm.threshold)}) (minimum {_datapoints(enough)} for {direction} transition)."
    )


def _reason_data(alarm: Any, found: Evaluation, now: float, start: int) -> str:
    stamp = "%Y-%m-%dT%H:%M:%S.000+0000"
    return json.dumps(
        {
            "version": "1.0",
            "queryDate": format(naive(now), stamp),
            "startDate": format(naive(start), stamp),
            "period": period_of(alarm),
            "recentDatapoints": [value for _, value in found.points],
            "threshold": float(alarm.threshold),
            "evaluatedDatapoints": [
                {"timestamp": format(naive(at), stamp), "value": value}
                for at, value in reversed(found.points)
            ],
        }
    )


def _query(query: Any) -> dict[str, Any]:
    """One entry of the alarm's metrics, as GetMetricData would be asked for it."""
    if query.metric_stat is None:
        return {"Id": query.id, "Expression": query.expression}
    metric = query.metric_stat.metric
    return {
        "Id": query.id,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.metric_name,
                "Dimensions": [{"Name": each.name, "Value": each.value} for each in metric.dimensions],
            },
            "Period": query.metric_stat.period,
            "Stat": query.metric_stat.stat,
            "Unit": query.metric_stat.unit,
        },
    }


def _returned(alarm: Any) -> Any:
    return next(query for query in alarm.metric_data_queries if str(query.return_data).lower() != "false")


def _datapoints(count: int) -> str:
    return f"{count} datapoint{_s(count)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
