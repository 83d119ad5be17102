"""Target tracking at work: groups grow with their load and shrink without it, inside their sizes (A15, A16).

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html
"""

import math
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends

from local.hooks import Hooks
from local.metrics.datapoints import Datapoints, Key, key_of

ACCOUNT, REGION = "123456789012", "us-east-1"
MINUTE = 60
SLACK = 0.9  # the low alarm of a target tracking policy stands 10% under its target
EXPECTED = {"ALBRequestCountPerTarget": "Sum", "ASGAverageCPUUtilization": "Average"}


class Scaling:
    """Looks at every group's policies once a minute, at the data that have arrived by then."""

    def __init__(self, clock: Any, reality: Any) -> None:
        self._clock, self._reality = clock, reality
        self._hooks = Hooks()
        self._datapoints = Datapoints()
        self._minute: int | None = None
        self._changed: dict[str, float] = {}

    def install(self) -> None:
        """Nothing of moto's is replaced: the policies are only read."""

    def uninstall(self) -> None:
        self._hooks.undo()

    def tick(self, now: float) -> None:
        lag = self._reality.metric_delay_seconds if self._reality.metrics_lag else 0.0
        minute = int((now - lag) // MINUTE)
        if not self._reality.groups_scale or minute == self._minute:
            return
        self._minute = minute
        backend = autoscaling_backends[ACCOUNT][REGION]
        self._changed = {name: at for name, at in self._changed.items() if name in backend.autoscaling_groups}
        for group in list(backend.autoscaling_groups.values()):
            self._scale(backend, group, minute * MINUTE, now)

    def _scale(self, backend: Any, group: Any, end: int, now: float) -> None:
        since = now - self._changed.setdefault(group.name, now)
        desired = int(group.desired_capacity or 0)
        policies = [policy for policy in backend.policies.values() if _tracks(policy, group)]
        suspended = {process["ProcessName"] for process in group.suspended_processes}
        if not policies or not desired or "AlarmNotification" in suspended:
            return
        wishes = [self._wish(policy, group, desired, end, since) for policy in policies]
        wanted = min(max(max(wishes), group.min_size), group.max_size)
        if wanted != desired:
            self._changed[group.name] = now
            backend.set_desired_capacity(group.name, wanted)

    def _wish(self, policy: Any, group: Any, desired: int, end: int, since: float) -> int:
        """One policy's size for the group. The larger wish of several wins, so none scales in alone."""
        tracking = policy.target_tracking_configuration
        metric = tracking.PredefinedMetricSpecification["PredefinedMetricType"]
        key = _key(metric, tracking.PredefinedMetricSpecification, group)
        target = float(tracking.TargetValue)
        out = self._recent(key, EXPECTED[metric], end, self._reality.scaling_out_seconds)
        if since >= self._reality.scaling_out_seconds + _warmup(policy, group) and min(out) > target:
            return math.ceil(desired * out[-1] / target)
        if getattr(tracking, "DisableScaleIn", False):
            return desired
        low = self._recent(key, EXPECTED[metric], end, self._reality.scaling_in_seconds)
        if since >= self._reality.scaling_in_seconds and max(low) < SLACK * target:
            return min(desired, math.ceil(desired * max(low) / target))
        return desired

    def _recent(self, key: Key, stat: str, end: int, seconds: float) -> list[float]:
        """The last minutes' points. A minute without requests has none, and is taken as zero:

        the fleet that nobody uses is the one a release must expect to be scaled in.
        """
        minutes = max(1, int(seconds // MINUTE))
        start = end - minutes * MINUTE
        series = self._datapoints.series(cloudwatch_backends[ACCOUNT][REGION], key, stat, MINUTE, start, end)
        return [series.get(at, 0.0) for at in range(start, end, MINUTE)]


def _tracks(policy: Any, group: Any) -> bool:
    tracking = policy.target_tracking_configuration
    specification = getattr(tracking, "PredefinedMetricSpecification", {})
    return (
        policy.auto_scaling_group_name == group.name
        and getattr(policy, "enabled", True)
        and specification.get("PredefinedMetricType") in EXPECTED
    )


def _warmup(policy: Any, group: Any) -> float:
    """New instances don't carry their share yet: what they were added for isn't asked for twice."""
    return float(policy.estimated_instance_warmup or getattr(group, "default_instance_warmup", None) or 0)


def _key(metric: str, specification: dict[str, str], group: Any) -> Key:
    if metric == "ASGAverageCPUUtilization":
        return key_of("AWS/EC2", "CPUUtilization", [("AutoScalingGroupName", group.name)])
    balancer, _, target_group = specification["ResourceLabel"].partition("/targetgroup/")
    dimensions = [("LoadBalancer", balancer), ("TargetGroup", f"targetgroup/{target_group}")]
    return key_of("AWS/ApplicationELB", "RequestCountPerTarget", dimensions)
