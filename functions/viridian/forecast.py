"""Forecasts of predictive scaling: only those over all groups of a service are any use to a group that has no past."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from viridian.errors import Refusal

_PARTS = ("Load", "Capacity", "Scaling")
# The load behind AWS's predefined metrics, by what their types have in common.
_LOADS = {
    "CPU": ("AWS/EC2,AutoScalingGroupName", "CPUUtilization"),
    "NetworkIn": ("AWS/EC2,AutoScalingGroupName", "NetworkIn"),
    "NetworkOut": ("AWS/EC2,AutoScalingGroupName", "NetworkOut"),
    "ALB": ("AWS/ApplicationELB,LoadBalancer,TargetGroup", "RequestCount"),
}
_CAPACITY = ("AWS/AutoScaling,AutoScalingGroupName", "GroupInServiceInstances")


def ensure_shared(
    policies: Sequence[Mapping[str, Any]], own: Collection[str], group: str, service: str
) -> None:
    """Refuses forecasts from blue's group alone: for a day green would have none (aws-facts A6).

    `own` are the names under which blue's group and its target group are measured.
    """
    for policy in policies:
        for forecast in policy.get("PredictiveScalingConfiguration", {}).get("MetricSpecifications", []):
            if not _is_shared(forecast, own, service):
                told = json.dumps(shared(forecast, group, service), separators=(",", ":"))
                raise Refusal(
                    "route",
                    f"policy {policy['PolicyName']} of {group} forecasts from that group alone",
                    f"Forecast from all groups of the service, so that green inherits their past: {told}",
                )


def shared(forecast: Mapping[str, Any], group: str, service: str) -> dict[str, Any]:
    """The same forecast over all groups of a service, blue's and every release's, as AWS advises for blue/green.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/using-math-expression-examples.html
    """
    asked = json.dumps(forecast)
    metric = next((metric for kind, metric in _LOADS.items() if kind in asked), _LOADS["CPU"])

    def total(id_: str, metric: tuple[str, str], stat: str, seconds: int, **more: bool) -> dict[str, Any]:
        schema, name = metric
        whose = f"targetgroup/{service}" if "TargetGroup" in schema else f'("{group}" OR viridian-{service})'
        search = f"SEARCH('{{{schema}}} MetricName=\"{name}\" {whose}', '{stat}', {seconds})"
        return {"Id": id_, "Expression": f"SUM({search})", **more}

    hourly, load = total("load", metric, "Sum", 3600), total("load", metric, "Sum", 300, ReturnData=False)
    capacity = total("capacity", _CAPACITY, "Average", 300)
    each = {"Id": "each", "Expression": "load / capacity"}
    queries = ([hourly], [capacity], [load, {**capacity, "ReturnData": False}, each])
    parts = {
        f"Customized{part}MetricSpecification": {"MetricDataQueries": asked}
        for part, asked in zip(_PARTS, queries, strict=True)
    }
    return {"TargetValue": forecast["TargetValue"], **parts}


def _is_shared(forecast: Mapping[str, Any], own: Collection[str], service: str) -> bool:
    """Whether load, capacity and scaling are measured over whatever groups the service has, and none by blue's name."""
    parts = [forecast.get(f"Customized{part}MetricSpecification") for part in _PARTS]
    queries = [query for part in parts if part for query in part["MetricDataQueries"]]
    searches = [query["Expression"] for query in queries if "SEARCH(" in query.get("Expression", "")]
    releases = (f"viridian-{service}", f"targetgroup/{service}")
    return (
        all(parts)
        and all(any(name in search for name in releases) for search in searches)
        and not any(value in own for query in queries for value in _dimensions(query))
    )


def _dimensions(query: Mapping[str, Any]) -> Iterator[str]:
    for dimension in query.get("MetricStat", {}).get("Metric", {}).get("Dimensions", []):
        yield dimension["Value"]
