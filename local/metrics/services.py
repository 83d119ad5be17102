"""Publishes what Lambda and SQS say of themselves: how often functions ran and failed, how many messages wait.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum, cloudwatch_backends
from moto.sqs.models import sqs_backends

from local.control.session import ACCOUNT, REGION
from local.metrics.datapoints import naive

LAMBDA, SQS = "AWS/Lambda", "AWS/SQS"
ACTIVE_SECONDS = 6 * 3600.0  # after its last message a queue's figures stop


class ServiceMetrics:
    """Minute by minute and late; a function that isn't called has no figures."""

    def __init__(self, clock: Any, reality: Any, functions: Any) -> None:
        self._clock, self._reality, self._functions = clock, reality, functions
        self._invoked = self._throttled = 0
        self._minute: int | None = None
        self._woken: dict[str, float] = {}
        self._active: dict[str, float] = {}
        self._waiting: list[tuple[float, Any]] = []

    def install(self) -> None:
        """Nothing of moto's is in the way."""

    def uninstall(self) -> None: ...

    def tick(self, now: float) -> None:
        grain = self._reality.metric_grain_seconds
        for datum, start in self._functions_figures(grain):
            self._waiting.append((max(now, start + grain), datum))
        minute = int(now // grain)
        if minute != self._minute:
            if self._minute is not None:
                self._waiting += [
                    (due, datum) for due, datum in self._queues_figures(self._minute * grain, now)
                ]
            self._minute = minute
        self._publish(now)

    def _functions_figures(self, grain: float) -> Iterable[tuple[Any, float]]:
        invoked, throttled = self._functions.invocations, self._functions.throttles
        ended, self._invoked = invoked[self._invoked :], len(invoked)
        refused, self._throttled = throttled[self._throttled :], len(throttled)
        counts: Counter[tuple[str, float]] = Counter()
        errors: Counter[tuple[str, float]] = Counter()
        throttles: Counter[tuple[str, float]] = Counter()
        for entry in ended:
            counts[_key(entry, grain)] += 1
            errors[_key(entry, grain)] += entry["error"] is not None
        for entry in refused:
            throttles[_key(entry, grain)] += 1
        for (name, start), count in counts.items():
            yield _set("Invocations", name, start, count, count), start
            yield _set("Errors", name, start, count, errors[name, start]), start
        for (name, start), count in throttles.items():
            yield _set("Throttles", name, start, count, count), start

    def _queues_figures(self, start: float, now: float) -> Iterable[tuple[float, Any]]:
        """A queue that was idle for long is slow to be seen again."""
        for name, queue in list(sqs_backends[ACCOUNT][REGION].queues.items()):
            visible = len(queue.messages)
            if visible:
                if now - self._active.get(name, -ACTIVE_SECONDS) >= ACTIVE_SECONDS:
                    self._woken[name] = now + self._reality.idle_queue_seconds
                self._active[name] = now
            if now - self._active.get(name, -ACTIVE_SECONDS) < ACTIVE_SECONDS:
                where = [{"Name": "QueueName", "Value": name}]
                datum = MetricDatum(
                    SQS, "ApproximateNumberOfMessagesVisible", visible, where, naive(start), "Count"
                )
                yield max(now, self._woken[name]), datum

    def _publish(self, now: float) -> None:
        delay = self._reality.metric_delay_seconds if self._reality.metrics_lag else 0.0
        due = [datum for at, datum in self._waiting if at + delay <= now]
        if due:
            self._waiting = [(at, datum) for at, datum in self._waiting if at + delay > now]
            cloudwatch_backends[ACCOUNT][REGION].metric_data.extend(due)


def _key(entry: Mapping[str, Any], grain: float) -> tuple[str, float]:
    """A function's figures belong to the minute in which it was invoked."""
    return str(entry["name"]), entry["at"] // grain * grain


def _set(metric: str, function: str, start: float, count: float, total: float) -> MetricAggregatedDatum:
    where = [{"Name": "FunctionName", "Value": function}]
    low, high = (0.0 if total < count else 1.0), (1.0 if total else 0.0)
    return MetricAggregatedDatum(LAMBDA, metric, low, high, count, total, where, naive(start), "Count")
