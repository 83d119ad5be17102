"""What an account is allowed: moto knows few of these limits, and none of Auto Scaling's and EC2's.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAccountLimits.html
https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_MetricInfo.html
"""

from typing import Any

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.elbv2.responses import ELBV2Response
from moto.servicequotas.models import ServiceQuotasBackend

from local.hooks import Hooks

BALANCING = {
    "application-load-balancers": 50,
    "certificates-per-application-load-balancer": 25,
    "condition-values-per-alb-rule": 5,
    "listeners-per-application-load-balancer": 50,
    "listeners-per-network-load-balancer": 50,
    "rules-per-application-load-balancer": 100,
    "target-groups": 3000,
    "target-groups-per-action-on-application-load-balancer": 5,
    "target-groups-per-application-load-balancer": 100,
    "targets-per-application-load-balancer": 1000,
    "targets-per-network-load-balancer": 3000,
}
GROUPS = 200
STANDARD_VCPUS: dict[str, Any] = {
    "ServiceCode": "ec2",
    "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
    "QuotaCode": "L-1216C47A",
    "QuotaName": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "Value": 256.0,  # what an account has depends on its age and use; a new one may have 5
    "Unit": "None",
    "Adjustable": True,
    "GlobalQuota": False,
    "UsageMetric": {
        "MetricNamespace": "AWS/Usage",
        "MetricName": "ResourceCount",
        "MetricDimensions": {
            "Class": "Standard/OnDemand",
            "Resource": "vCPU",
            "Service": "EC2",
            "Type": "Resource",
        },
        "MetricStatisticRecommendation": "Maximum",
    },
}
_granted: dict[str, int] = {}


def install(hooks: Hooks) -> None:
    _granted.clear()
    hooks.set(ELBV2Response, "describe_account_limits", _balancing)
    hooks.set(AutoScalingResponse, "describe_account_limits", _groups)
    hooks.wrap(ServiceQuotasBackend, "get_service_quota", _quota)


def grant(name: str, limit: int) -> None:
    """What AWS's support does: until the cloud goes, the account is allowed so many.

    By Elastic Load Balancing's name, by the quota's code, or `groups`.
    """
    _granted[name] = limit


def _balancing(_: ELBV2Response) -> ActionResult:
    limits = {**BALANCING, **{name: limit for name, limit in _granted.items() if name in BALANCING}}
    return ActionResult({"Limits": [{"Name": name, "Max": str(limit)} for name, limit in limits.items()]})


def _groups(response: AutoScalingResponse) -> ActionResult:
    backend = response.autoscaling_backend
    return ActionResult(
        {
            "MaxNumberOfAutoScalingGroups": _granted.get("groups", GROUPS),
            "MaxNumberOfLaunchConfigurations": 200,
            "NumberOfAutoScalingGroups": len(backend.autoscaling_groups),
            "NumberOfLaunchConfigurations": len(backend.launch_configurations),
        }
    )


def _quota(
    original: Any, backend: ServiceQuotasBackend, service_code: str, quota_code: str
) -> dict[str, Any]:
    if (service_code, quota_code) != ("ec2", STANDARD_VCPUS["QuotaCode"]):
        found: dict[str, Any] = original(backend, service_code, quota_code)
        return found
    return {**STANDARD_VCPUS, "Value": float(_granted.get(quota_code, STANDARD_VCPUS["Value"]))}
