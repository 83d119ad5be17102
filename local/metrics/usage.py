"""Publishes what is in use of a quota: the vCPUs that run, minute by minute.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html
"""

from typing import Any

from moto.cloudwatch.models import MetricDatum, cloudwatch_backends
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES

from local.control.session import ACCOUNT, REGION
from local.metrics.datapoints import naive
from local.strict.quotas import STANDARD_VCPUS


class Usage:
    """The local cloud knows one class of instances, the standard ones."""

    def __init__(self, reality: Any) -> None:
        self._reality = reality
        self._minute: int | None = None

    def install(self) -> None:
        """Nothing of moto's is in the way."""

    def uninstall(self) -> None: ...

    def tick(self, now: float) -> None:
        grain = self._reality.metric_grain_seconds
        if (minute := int(now // grain)) != self._minute:
            self._minute = minute
            metric = STANDARD_VCPUS["UsageMetric"]
            where = [{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()]
            datum = MetricDatum(
                metric["MetricNamespace"], metric["MetricName"], vcpus(), where, naive(minute * grain), "None"
            )
            cloudwatch_backends[ACCOUNT][REGION].metric_data.append(datum)


def vcpus() -> int:
    """Of all instances that run."""
    return sum(
        int(INSTANCE_TYPES[instance.instance_type]["VCpuInfo"]["DefaultVCpus"])
        for reservation in ec2_backends[ACCOUNT][REGION].reservations.values()
        for instance in reservation.instances
        if instance.state == "running"
    )
