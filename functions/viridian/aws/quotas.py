"""Service Quotas: what EC2 allows the account, and the metric that says how much of it is in use."""

from datetime import UTC, datetime, timedelta
from typing import Any

from viridian.aws import clients
from viridian.errors import NotKnown

_RECENT = timedelta(minutes=30)


def find(code: str) -> dict[str, Any]:
    """One of EC2's quotas, as it is applied to this account."""
    with clients.spared():
        return dict(
            clients.brief("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]
        )


def used(quota: dict[str, Any]) -> int:
    """The newest figure of a quota's own usage metric: one call, however many instances run."""
    metric = quota.get("UsageMetric")
    if not metric:
        raise NotKnown(f"{quota['QuotaName']} has no usage metric")
    dimensions = [{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()]
    asked = {
        "Metric": {
            "Namespace": metric["MetricNamespace"],
            "MetricName": metric["MetricName"],
            "Dimensions": dimensions,
        },
        "Period": 300,
        "Stat": metric["MetricStatisticRecommendation"],
    }
    until = datetime.now(UTC)
    with clients.spared():
        found = clients.brief("cloudwatch").get_metric_data(
            MetricDataQueries=[{"Id": "used", "MetricStat": asked, "ReturnData": True}],
            StartTime=until - _RECENT,
            EndTime=until,
            ScanBy="TimestampDescending",
        )["MetricDataResults"]
    if not found or not found[0]["Values"]:
        raise NotKnown(f"{metric['MetricNamespace']} has no figure of the last half hour")
    return int(found[0]["Values"][0])
