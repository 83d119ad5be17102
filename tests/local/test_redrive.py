"""Executions taken up again, and a DescribeExecution that lags (aws-facts.md, fact 3, S8, S16)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud, Execution
from local.reality import Reality
from tests.local.conftest import Workshop

KEPT = {"Type": "Pass", "Assign": {"kept": "{% $states.input.word %}"}, "Output": "{% {'n': 1} %}"}
FAILED = "{% $states.errorOutput.Error %}"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud.virtual(reality=Reality(executions_lag=False)) as up:
        yield up


def three(task: Any) -> dict[str, Any]:
    """Two states that succeed, and one whose handler decides."""
    show = {"first": "{% $kept %}", "input": "{% $states.input.n %}"}
    return {
        "StartAt": "Keep",
        "TimeoutSeconds": 600,
        "States": {
            "Keep": {**KEPT, "Next": "Count"},
            "Count": task("Count", {}, Next="Try"),
            "Try": task("Try", show),
        },
    }


def flaky(workshop: Workshop, times: int = 1) -> None:
    """A handler that fails so many times, and one that counts how often it ran."""
    workshop.handler("Count", "import os; event_count.append(1); return {'n': len(event_count)}")
    code = workshop.folder / "code" / "count_step.py"
    code.write_text("event_count = []\n" + code.read_text())
    workshop.handler(
        "Try", f"tries.append(1)\nif len(tries) <= {times}: raise LookupError('not yet')\nreturn event"
    )
    code = workshop.folder / "code" / "try_step.py"
    code.write_text("tries = []\n" + code.read_text())


def started(cloud: Cloud, workshop: Workshop, definition: dict[str, Any]) -> str:
    workshop.machine(definition)
    return cloud.start(workshop.deploy(cloud).resources["Machine"], {"word": "kept"})


def redriven(cloud: Cloud, arn: str) -> Execution:
    cloud.client("stepfunctions").redrive_execution(executionArn=arn)
    return cloud.wait(arn)


def test_it_goes_on_from_the_step_that_failed_with_what_it_had(
    cloud: Cloud, workshop: Workshop, task: Any
) -> None:
    flaky(workshop)
    arn = started(cloud, workshop, three(task))
    first = cloud.wait(arn)
    assert (first.status, first.error) == ("FAILED", "LookupError")
    again = redriven(cloud, arn)
    assert (again.status, again.error) == ("SUCCEEDED", None)
    assert again.output == {"first": "kept", "input": 1}
    assert again.states == [*first.states, "Try"]
    assert [event["type"] for event in again.history][len(first.history)] == "ExecutionRedriven"
    assert [event["id"] for event in again.history] == list(range(1, len(again.history) + 1))


def test_it_tells_how_often_it_was_redriven(cloud: Cloud, workshop: Workshop, task: Any) -> None:
    flaky(workshop)
    arn = started(cloud, workshop, three(task))
    cloud.wait(arn)
    client = cloud.client("stepfunctions")
    shown = client.describe_execution(executionArn=arn)
    assert (shown["redriveStatus"], shown["redriveCount"]) == ("REDRIVABLE", 0)
    at = client.redrive_execution(executionArn=arn)["redriveDate"]
    cloud.wait(arn)
    shown = client.describe_execution(executionArn=arn)
    assert (shown["redriveStatus"], shown["redriveCount"]) == ("NOT_REDRIVABLE", 1)
    assert shown["redriveDate"] == at


def test_a_box_is_entered_again_at_the_state_that_failed(cloud: Cloud, workshop: Workshop, task: Any) -> None:
    """The Parallel's branch keeps what it had assigned."""
    flaky(workshop)
    inside = three(task)
    del inside["TimeoutSeconds"]
    box = {"Type": "Parallel", "Branches": [inside], "Output": "{% $states.result[0] %}", "End": True}
    outer = {"Type": "Pass", "Assign": {"outer": 1}, "Output": "{% $states.input %}", "Next": "Box"}
    arn = started(cloud, workshop, {"StartAt": "Outer", "States": {"Outer": outer, "Box": box}})
    first = cloud.wait(arn)
    assert first.error == "LookupError"
    again = redriven(cloud, arn)
    assert again.output == {"first": "kept", "input": 1}
    assert again.states == [*first.states, "Box", "Try"]


def test_an_aborted_one_enters_the_interrupted_state_again_though_its_handler_is_still_at_work(
    cloud: Cloud, workshop: Workshop, task: Any
) -> None:
    workshop.handler("Slow", "import time; time.sleep(300); return {'done': True}")
    inside = {"StartAt": "Slow", "States": {"Slow": task("Slow", {})}}
    caught = {"ErrorEquals": ["States.ALL"], "Next": "Caught"}
    box = {"Type": "Parallel", "Branches": [inside], "Catch": [caught], "End": True}
    states = {"Box": box, "Caught": {"Type": "Pass", "Output": FAILED, "End": True}}
    arn = started(cloud, workshop, {"StartAt": "Box", "States": states})
    cloud.until(lambda: False, 100)
    client = cloud.client("stepfunctions")
    client.stop_execution(executionArn=arn)
    cloud.until(lambda: False, 10)
    client.redrive_execution(executionArn=arn)
    cloud.until(lambda: False, 250)  # the first handler has come back, the second has not
    assert client.describe_execution(executionArn=arn)["status"] == "RUNNING"
    ended = cloud.wait(arn)
    assert (ended.status, ended.output) == ("SUCCEEDED", [{"done": True}])
    assert [event["type"] for event in ended.history].count("ExecutionAborted") == 1
    assert len(cloud.lambda_invocations) == 2


def test_the_clock_of_the_machine_starts_anew(cloud: Cloud, workshop: Workshop) -> None:
    """aws-facts.md, fact 3."""
    wait = {"Type": "Wait", "Seconds": 10_000, "End": True}
    arn = started(cloud, workshop, {"StartAt": "Only", "TimeoutSeconds": 3600, "States": {"Only": wait}})
    assert cloud.wait(arn).status == "TIMED_OUT"
    began = cloud.clock.now()
    assert redriven(cloud, arn).status == "TIMED_OUT"
    assert cloud.clock.now() - began == 3600


def test_a_fail_state_fails_again(cloud: Cloud, workshop: Workshop) -> None:
    fail = {"Type": "Fail", "Error": "RolledBack", "Cause": "{% $kept %}"}
    arn = started(
        cloud, workshop, {"StartAt": "Keep", "States": {"Keep": {**KEPT, "Next": "End"}, "End": fail}}
    )
    cloud.wait(arn)
    again = redriven(cloud, arn)
    assert (again.status, again.error, again.cause) == ("FAILED", "RolledBack", "kept")


def test_what_runs_or_succeeded_or_ended_long_ago_is_refused(cloud: Cloud, workshop: Workshop) -> None:
    states = {"Only": {"Type": "Wait", "Seconds": 60, "End": True}}
    client = cloud.client("stepfunctions")
    arn = started(cloud, workshop, {"StartAt": "Only", "States": states})
    with pytest.raises(client.exceptions.ExecutionNotRedrivable, match="RUNNING"):
        client.redrive_execution(executionArn=arn)
    cloud.wait(arn)
    with pytest.raises(client.exceptions.ExecutionNotRedrivable, match="SUCCEEDED"):
        client.redrive_execution(executionArn=arn)
    with pytest.raises(client.exceptions.ExecutionDoesNotExist):
        client.redrive_execution(executionArn=arn + "x")


def test_each_attempt_tells_its_status(cloud: Cloud, workshop: Workshop, task: Any) -> None:
    told: list[str] = []
    original = cloud.events.emit

    def emit(source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        told.append(detail["status"])
        original(source, detail_type, detail, resources)

    cloud.events.emit = emit  # type: ignore[method-assign]
    flaky(workshop)
    arn = started(cloud, workshop, three(task))
    cloud.wait(arn)
    redriven(cloud, arn)
    assert told == ["RUNNING", "FAILED", "RUNNING", "SUCCEEDED"]


@pytest.mark.parametrize("lag", [0.0, 20.0])
def test_what_describe_shows_lags_behind(lag: float, tmp_path: Path) -> None:
    """aws-facts.md S8: a new execution is unknown for a while, and one that has ended still runs."""
    with Cloud.virtual(reality=replace(Reality(), execution_lag_seconds=lag)) as cloud:
        workshop = Workshop(tmp_path)
        states = {"Only": {"Type": "Wait", "Seconds": 60, "End": True}}
        client = cloud.client("stepfunctions")
        arn = started(cloud, workshop, {"StartAt": "Only", "States": states})
        if lag:
            with pytest.raises(ClientError, match="ExecutionDoesNotExist"):
                client.describe_execution(executionArn=arn)
            cloud.until(lambda: False, lag)
        assert client.describe_execution(executionArn=arn)["status"] == "RUNNING"
        cloud.wait(arn)
        if lag:
            assert client.describe_execution(executionArn=arn)["status"] == "RUNNING"
            assert "stopDate" not in client.describe_execution(executionArn=arn)
            cloud.until(lambda: False, lag)
        assert client.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"
