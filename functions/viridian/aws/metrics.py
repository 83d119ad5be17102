"""CloudWatch's embedded metrics: what a function prints into its log becomes a metric, without a call."""

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "Viridian"


def count(service: str, name: str) -> None:
    """One more of these, for a service."""
    with single_metric(
        name, MetricUnit.Count, 1, namespace=NAMESPACE, default_dimensions={"service": service}
    ):
        pass


def seconds(service: str, name: str, value: int) -> None:
    """So long did something take, for a service."""
    with single_metric(
        name, MetricUnit.Seconds, value, namespace=NAMESPACE, default_dimensions={"service": service}
    ):
        pass
