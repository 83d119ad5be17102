"""The dashboard shows metrics that exist: those that AWS documents, and those that tellings write."""

import json
import re
from typing import Any

import pytest

from tests import stack
from viridian.aws.metrics import NAMESPACE
from viridian.tellings import PHASES

Names = dict[tuple[str, tuple[str, ...]], set[str]]

# What is on the dashboard, with its dimensions, as AWS documents it.
DOCUMENTED: Names = {
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
    ("AWS/ApplicationELB", ("LoadBalancer", "TargetGroup")): {
        "RequestCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime",
    },
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-cloudwatch-metrics.html
    ("AWS/NetworkELB", ("TargetGroup",)): {"NewFlowCount"},
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    ("AWS/Lambda", ("FunctionName",)): {"Invocations", "Errors", "Throttles", "IteratorAge"},
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    ("AWS/SQS", ("QueueName",)): {"ApproximateNumberOfMessagesVisible"},
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    ("AWS/States", ("StateMachineArn",)): {"ExecutionsStarted", "ExecutionsFailed", "ExecutionsAborted"},
}  # fmt: skip
OURS: Names = {(NAMESPACE, ("service",)): {name for name, _, _ in PHASES} | {"SecondsToBlue"}}
KNOWN: Names = {**DOCUMENTED, **OURS}
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
SEARCH = re.compile(r"""SEARCH\('\{([\w/]+),([\w,]+)\} MetricName="(\w+)"( targetgroup)?', '(\w+)'\)""")

DASHBOARD = stack.resources("CloudWatch::Dashboard")["Dashboard"]
BODY: dict[str, Any] = json.loads(stack.resolve(DASHBOARD["DashboardBody"]))
WIDGETS = BODY["widgets"]
METRICS = [
    (widget["properties"]["title"], metric)
    for widget in WIDGETS
    for metric in widget["properties"].get("metrics", [])
]


def shown(metric: list[Any]) -> tuple[str, tuple[str, ...], str]:
    """Namespace, dimensions and name of what one line of a widget shows."""
    if isinstance(metric[0], dict):
        (found,) = SEARCH.finditer(metric[0]["expression"])
        return found[1], tuple(found[2].split(",")), found[3]
    plain = [part for part in metric if isinstance(part, str)]
    return plain[0], tuple(plain[2::2]), plain[1]


@pytest.mark.parametrize(("title", "metric"), METRICS, ids=[f"{n}-{t}" for n, (t, _) in enumerate(METRICS)])
def test_every_metric_exists(title: str, metric: list[Any]) -> None:
    namespace, dimensions, name = shown(metric)
    assert name in KNOWN.get((namespace, dimensions), set()), title


def test_nothing_is_documented_here_that_the_dashboard_lacks() -> None:
    seen = {shown(metric) for _, metric in METRICS}
    for (namespace, dimensions), names in DOCUMENTED.items():
        assert names == {name for space, keys, name in seen if (space, keys) == (namespace, dimensions)}


def test_every_end_of_a_release_is_on_it_and_the_time_to_blue() -> None:
    ours = {name for _, metric in METRICS for space, _, name in [shown(metric)] if space == NAMESPACE}
    assert ours >= {"Releasing", "Promoted", "RolledBack", "Held", "RollbackIncomplete", "SecondsToBlue"}


def test_every_alarm_of_the_stack_is_on_it() -> None:
    written = DASHBOARD["DashboardBody"]["Fn::Sub"]
    for alarm in stack.resources("CloudWatch::Alarm"):
        assert f"${{{alarm}.Arn}}" in written


def test_what_is_blues_and_greens_can_be_narrowed_to_a_service() -> None:
    (variable,) = BODY["variables"]
    narrowed = [metric for _, metric in METRICS if shown(metric)[0].endswith("ELB")]
    assert narrowed
    for metric in narrowed:
        assert f" {variable['pattern']}'" in metric[0]["expression"]
    others = json.dumps([metric for _, metric in METRICS if metric not in narrowed])
    assert variable["pattern"] not in others
    assert variable["defaultValue"] == variable["pattern"], "until somebody narrows it, all are shown"


def test_widgets_stand_beside_each_other_and_not_upon() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in WIDGETS:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"]["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_widget_of_metrics_says_its_region_and_period() -> None:
    for widget in WIDGETS:
        if widget["type"] == "metric":
            assert widget["properties"]["region"] == "us-east-1"
            assert widget["properties"]["period"] in (60, 300, 3600)
