"""Publishes what a load balancer's clients and targets saw to CloudWatch, minute by minute and late (1.4, C4, fact 9).

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-cloudwatch-metrics.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import (
    CloudWatchBackend,
    MetricAggregatedDatum,
    MetricDatum,
    cloudwatch_backends,
)
from moto.elbv2.models import elbv2_backends

from local.hooks import Hooks
from local.metrics import metric_math
from local.metrics.datapoints import Datapoints, epoch, key_of, naive, named

ACCOUNT, REGION = "123456789012", "us-east-1"
ELB, NLB, EC2 = "AWS/ApplicationELB", "AWS/NetworkELB", "AWS/EC2"
KEPT_SECONDS = 4 * 3600.0
IDLE_PERCENT, PERCENT_PER_REQUEST = (
    2.0,
    1.0,
)  # the model CPU: idle, and for each request a second per instance


@dataclass
class Seen:
    """How many targets were healthy and unhealthy at each look in the current period."""

    healthy: list[int] = field(default_factory=list)
    unhealthy: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Delta:
    """What one target group saw in one period."""

    requests: int = 0
    target_5xx: int = 0
    elb_5xx: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    responses: int = 0
    unhealthy_routing: int = 0


class Metrics:
    """Each period's counts become data when the period is over and its delay has passed."""

    def __init__(self, clock: Any, reality: Any, plane: Any) -> None:
        self._clock, self._reality, self._plane = clock, reality, plane
        self._hooks = Hooks()
        self._datapoints = Datapoints()
        self._period: int | None = None
        self._before: dict[str, Any] = {}
        self._unrouted = 0
        self._owners: dict[str, str] = {}
        self._seen: dict[str, Seen] = {}
        self._waiting: list[tuple[float, list[Any]]] = []

    def install(self) -> None:
        self._hooks.wrap(CloudWatchBackend, "get_metric_data", self._get_metric_data)
        self._hooks.set(CloudWatchBackend, "get_metric_statistics", self._statistics_method())

    def uninstall(self) -> None:
        self._hooks.undo()

    def tick(self, now: float) -> None:
        grain = self._reality.metric_grain_seconds
        period = int(now // grain)
        if self._period is None:
            self._period, self._before, self._unrouted = period, self._counts(), self._plane.no_target_5xx()
        if period > self._period:
            self._close(self._period * grain, grain)
            self._period = period
        self._look()
        self._publish(now)

    # one period

    def _look(self) -> None:
        elb = elbv2_backends[ACCOUNT][REGION]
        self._owners.update(owners(elb))
        for arn in list(elb.target_groups):
            states = [health.status for health in elb.describe_target_health(arn, [])]
            seen = self._seen.setdefault(arn, Seen())
            seen.healthy.append(states.count("healthy"))
            seen.unhealthy.append(states.count("unhealthy"))

    def _counts(self) -> dict[str, Any]:
        """A copy: the plane may go on counting in the same objects."""
        return {arn: _copy(counts) for arn, counts in self._plane.counts().items()}

    def _close(self, start: float, grain: float) -> None:
        counts, unrouted = self._counts(), self._plane.no_target_5xx()
        deltas = {arn: _delta(self._before.get(arn), after) for arn, after in counts.items()}
        data = [datum for arn in {*deltas, *self._seen} for datum in self._group_data(arn, deltas, start)]
        data += self._balancer_data(deltas, unrouted - self._unrouted, start)
        data += self._instance_data(deltas, start, grain)
        self._before, self._unrouted, self._seen = counts, unrouted, {}
        delay = self._reality.metric_delay_seconds if self._reality.metrics_lag else 0.0
        self._waiting.append((start + grain + delay, data))

    def _publish(self, now: float) -> None:
        backend = cloudwatch_backends[ACCOUNT][REGION]
        while self._waiting and self._waiting[0][0] <= now:
            backend.metric_data.extend(self._waiting.pop(0)[1])
            oldest = naive(now - KEPT_SECONDS)
            if backend.metric_data and backend.metric_data[0].timestamp < naive(now - 2 * KEPT_SECONDS):
                backend.metric_data = [datum for datum in backend.metric_data if datum.timestamp >= oldest]

    # what AWS makes of it

    def _group_data(self, arn: str, deltas: Mapping[str, Delta], start: float) -> list[Any]:
        if arn not in self._owners:
            return []
        delta, seen = deltas.get(arn, Delta()), self._seen.get(arn, Seen())
        where = {"TargetGroup": arn.split(":")[-1], "LoadBalancer": self._owners[arn]}
        if self._owners[arn].startswith("net/"):
            flows = _single(NLB, "NewFlowCount", delta.requests, {"TargetGroup": where["TargetGroup"]}, start)
            return [flows, *_hosts(seen, where, start, NLB)]
        data = _traffic(delta, where, start)
        if routed := _routed(delta):
            share = routed / max(1, *seen.healthy, 1)
            data.append(_single(ELB, "RequestCountPerTarget", share, where, start))
        if delta.unhealthy_routing:
            data.append(_counted("UnhealthyRoutingRequestCount", delta.unhealthy_routing, where, start))
        return [*data, *_hosts(seen, where, start, ELB)]

    def _balancer_data(self, deltas: Mapping[str, Delta], unrouted: int, start: float) -> list[Any]:
        data: list[Any] = []
        for index, balancer in enumerate(dict.fromkeys(self._owners.values())):
            mine = [delta for arn, delta in deltas.items() if self._owners.get(arn) == balancer]
            # The plane doesn't say whose its own errors were; with one load balancer there is no question.
            own = sum(delta.elb_5xx for delta in mine) + (unrouted if index == 0 else 0)
            where = {"LoadBalancer": balancer}
            if balancer.startswith("net/"):
                data.append(_single(NLB, "NewFlowCount", _sum(mine).requests, where, start))
                data.append(_single(NLB, "TCP_ELB_Reset_Count", own, where, start))
                continue
            data += _traffic(_sum(mine), where, start)
            if own:
                data.append(_counted("HTTPCode_ELB_5XX_Count", own, where, start))
        return data

    def _instance_data(self, deltas: Mapping[str, Delta], start: float, grain: float) -> list[Any]:
        data = []
        for group in list(autoscaling_backends[ACCOUNT][REGION].autoscaling_groups.values()):
            serving = len(group.active_instances())
            if serving:
                requests = sum(_routed(deltas.get(arn, Delta())) for arn in group.target_group_arns)
                percent = min(100.0, IDLE_PERCENT + PERCENT_PER_REQUEST * requests / grain / serving)
                data.append(
                    _single(EC2, "CPUUtilization", percent, {"AutoScalingGroupName": group.name}, start)
                )
        return data

    # in the place of moto's own

    def _get_metric_data(
        self,
        original: Any,
        backend: Any,
        queries: list[dict[str, Any]],
        start_time: Any,
        end_time: Any,
        scan_by: str = "TimestampAscending",
    ) -> list[dict[str, Any]]:
        if any(query.get("Expression", "").startswith("SELECT") for query in queries):
            return original(backend, queries, start_time, end_time, scan_by)  # type: ignore[no-any-return]
        start, end = epoch(start_time) // 60 * 60, epoch(end_time)
        if start >= end:
            raise ValidationError("The parameter EndTime must be greater than StartTime.")
        results = evaluate(self._datapoints, backend, queries, start, end)
        return [
            _result(query, results[query["Id"]], scan_by)
            for query in queries
            if query.get("ReturnData", True) is not False
        ]

    def _statistics_method(self) -> Any:
        def get_metric_statistics(
            backend: Any,
            namespace: str,
            metric_name: str,
            start_time: Any,
            end_time: Any,
            period: int,
            stats: list[str],
            dimensions: list[dict[str, str]],
            unit: str | None = None,
        ) -> list[dict[str, Any]]:
            key = key_of(namespace, metric_name, named(dimensions))
            start, end = epoch(start_time) // 60 * 60, epoch(end_time)
            read = {
                stat: self._datapoints.series(backend, key, stat, period, start, end, unit) for stat in stats
            }
            stamps = sorted({at for series in read.values() for at in series})
            return [
                {"Timestamp": naive(at), **{stat: series[at] for stat, series in read.items()}}
                for at in stamps
            ]

        return get_metric_statistics


def owners(elb: Any) -> dict[str, str]:
    """The load balancer, as a dimension names it, that each target group in use belongs to."""
    found: dict[str, str] = {}
    for balancer in list(elb.load_balancers.values()):
        for listener in list(balancer.listeners.values()):
            for rule in list(listener.rules.values()):
                for action in rule.actions:
                    for arn in elb._get_target_group_arns_from(action.data):
                        found[arn] = balancer.arn.split(":loadbalancer/")[1]
    return found


def evaluate(
    datapoints: Datapoints, backend: Any, queries: Iterable[dict[str, Any]], start: float, end: float
) -> dict[str, metric_math.Series]:
    """The time series of every query, expressions after what they are made of."""
    results: dict[str, metric_math.Series] = {}
    waiting: list[dict[str, Any]] = []
    period = 60
    for query in queries:
        if "MetricStat" not in query:
            waiting.append(query)
            continue
        stat = query["MetricStat"]
        metric, period = stat["Metric"], int(stat["Period"])
        key = key_of(metric["Namespace"], metric["MetricName"], named(metric.get("Dimensions", [])))
        results[query["Id"]] = datapoints.series(
            backend, key, stat["Stat"], period, start, end, stat.get("Unit")
        )
    grid = range(int(start), int(end), period)
    try:
        while waiting:
            query = next(query for query in waiting if _needs(query) <= results.keys())
            waiting.remove(query)
            results[query["Id"]] = metric_math.evaluate(query["Expression"], results, grid)
    except StopIteration:
        raise ValidationError(
            f"Error in expression {waiting[0]['Id']!r}: unknown or circular metric"
        ) from None
    except metric_math.MathError as error:
        raise ValidationError(f"Error in expression: {error}") from error
    return results


def _needs(query: dict[str, Any]) -> set[str]:
    return metric_math.identifiers(query["Expression"])


def _result(query: dict[str, Any], series: metric_math.Series, scan_by: str) -> dict[str, Any]:
    stamps = sorted(series, reverse=scan_by == "TimestampDescending")
    label = (
        query.get("Label") or query.get("MetricStat", {}).get("Metric", {}).get("MetricName") or query["Id"]
    )
    return {
        "id": query["Id"],
        "label": label,
        "values": [series[at] for at in stamps],
        "timestamps": [naive(at) for at in stamps],
        "status_code": "Complete",
    }


def _copy(counts: Any) -> Any:
    return type(counts)(**vars(counts))


def _delta(before: Any, after: Any) -> Delta:
    """The plane's longest response is since its start: it counts for the period in which it rose."""
    old = {} if before is None else vars(before)
    rose = after.response_seconds_max > old.get("response_seconds_max", 0.0)
    responses = after.response_count - old.get("response_count", 0)
    seconds = after.response_seconds_sum - old.get("response_seconds_sum", 0.0)
    return Delta(
        requests=after.requests - old.get("requests", 0),
        target_5xx=after.target_5xx - old.get("target_5xx", 0),
        elb_5xx=after.elb_5xx - old.get("elb_5xx", 0),
        seconds=seconds,
        longest=after.response_seconds_max if rose else seconds / max(1, responses),
        responses=responses,
        unhealthy_routing=after.unhealthy_routing - old.get("unhealthy_routing", 0),
    )


def _sum(deltas: list[Delta]) -> Delta:
    return Delta(
        requests=sum(delta.requests for delta in deltas),
        target_5xx=sum(delta.target_5xx for delta in deltas),
        elb_5xx=sum(delta.elb_5xx for delta in deltas),
        seconds=sum(delta.seconds for delta in deltas),
        longest=max((delta.longest for delta in deltas), default=0.0),
        responses=sum(delta.responses for delta in deltas),
    )


def _routed(delta: Delta) -> int:
    """RequestCount leaves out what the load balancer answered itself for want of a target."""
    return max(0, delta.requests - delta.elb_5xx)


def _traffic(delta: Delta, where: dict[str, str], start: float) -> list[Any]:
    data = []
    if routed := _routed(delta):
        data.append(_counted("RequestCount", routed, where, start))
    if delta.target_5xx:
        data.append(_counted("HTTPCode_Target_5XX_Count", delta.target_5xx, where, start))
    if delta.responses:
        mean = delta.seconds / delta.responses
        data.append(
            _set(
                "TargetResponseTime",
                (min(mean, delta.longest), max(mean, delta.longest)),
                delta.responses,
                delta.seconds,
                where,
                start,
                "Seconds",
            )
        )
    return data


def _hosts(seen: Seen, where: dict[str, str], start: float, namespace: str) -> list[Any]:
    if not any(seen.healthy) and not any(seen.unhealthy):
        return []
    looks = {"HealthyHostCount": seen.healthy, "UnHealthyHostCount": seen.unhealthy}
    return [_looked(name, told, where, start, namespace) for name, told in looks.items()]


def _dimensions(where: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in where.items()]


def _single(namespace: str, name: str, value: float, where: dict[str, str], start: float) -> MetricDatum:
    return MetricDatum(namespace, name, value, _dimensions(where), naive(start), None)


def _counted(name: str, count: int, where: dict[str, str], start: float) -> MetricAggregatedDatum:
    return _set(name, (1.0, 1.0), count, count, where, start, "Count")


def _looked(
    name: str, looks: list[int], where: dict[str, str], start: float, namespace: str
) -> MetricAggregatedDatum:
    ends = (min(looks), max(looks))
    return _set(name, ends, len(looks), sum(looks), where, start, "Count", namespace)


def _set(
    name: str,
    ends: tuple[float, float],
    count: float,
    total: float,
    where: dict[str, str],
    start: float,
    unit: str,
    namespace: str = ELB,
) -> MetricAggregatedDatum:
    return MetricAggregatedDatum(
        namespace, name, ends[0], ends[1], count, total, _dimensions(where), naive(start), unit
    )
