"""What CloudWatch refuses and hides, and moto doesn't (aws-facts.md C5, C7)."""

from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, ResourceNotFound, ValidationError
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local.hooks import Hooks
from local.metrics import metric_math

METRICS_PER_ALARM = 10


def install(hooks: Hooks) -> None:
    hooks.wrap(CloudWatchResponse, "describe_alarms", _describe_alarms)
    hooks.wrap(CloudWatchResponse, "delete_alarms", _delete_alarms)
    hooks.wrap(CloudWatchResponse, "put_metric_alarm", _put_metric_alarm)


def _describe_alarms(original: Any, response: CloudWatchResponse) -> ActionResult:
    """Composite alarms are listed only when asked for by type; unknown names are silently absent."""
    asked = response._get_param("AlarmTypes", []) or ["MetricAlarm"]
    found: dict[str, Any] = original(response).result
    return ActionResult(
        {
            "MetricAlarms": found["MetricAlarms"] if "MetricAlarm" in asked else [],
            "CompositeAlarms": found["CompositeAlarms"] if "CompositeAlarm" in asked else [],
        }
    )


def _delete_alarms(original: Any, response: CloudWatchResponse) -> Any:
    """One unknown name, and none is deleted."""
    if unknown := [
        name
        for name in response._get_param("AlarmNames", [])
        if name not in response.cloudwatch_backend.alarms
    ]:
        raise ResourceNotFound(f"Alarms {', '.join(unknown)} do not exist")
    return original(response)


def _put_metric_alarm(original: Any, response: CloudWatchResponse) -> Any:
    metrics = response._get_param("Metrics", [])
    periods, to_alarm = response._get_param("EvaluationPeriods"), response._get_param("DatapointsToAlarm")
    if to_alarm is not None and to_alarm > periods:
        raise ValidationError("DatapointsToAlarm must not be greater than EvaluationPeriods")
    if metrics and response._get_param("MetricName"):
        raise InvalidParameterCombination("Metrics list and MetricName are mutually exclusive")
    if len(metrics) > METRICS_PER_ALARM:
        raise ValidationError(f"Metrics list must contain at most {METRICS_PER_ALARM} metrics")
    if metrics and sum(metric.get("ReturnData", True) for metric in metrics) != 1:
        raise ValidationError("Exactly one element of the metrics list should return data.")
    for metric in metrics:
        _check_expression(metric, {each["Id"] for each in metrics})
    return original(response)


def _check_expression(metric: dict[str, Any], ids: set[str]) -> None:
    try:
        unknown = metric_math.identifiers(metric["Expression"]) - ids if "Expression" in metric else set()
    except metric_math.MathError as error:
        raise ValidationError(
            f"Invalid metrics list: error in expression {metric['Id']!r}: {error}"
        ) from error
    if unknown:
        raise ValidationError(
            f"Invalid metrics list: {', '.join(sorted(unknown))} in {metric['Id']!r} is unknown"
        )
