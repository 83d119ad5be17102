"""Step Functions as AWS runs it, where moto's interpreter differs (aws-facts.md 1.6; local-cloud.md a, g)."""

import itertools
import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from local.cloud import Cloud
from local.control import expressions

BOX = {"Type": "Parallel", "End": True}


def one(state: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"StartAt": "Only", "States": {"Only": state, **others}}


def boxed(inside: dict[str, Any], catch: list[dict[str, Any]], **others: Any) -> dict[str, Any]:
    """The release's shape: one branch, one Catch."""
    return {"StartAt": "Box", "States": {"Box": {**BOX, "Branches": [inside], "Catch": catch}, **others}}


CAUGHT = {
    "Next": "Caught",
    "Assign": {"failure": "{% $states.errorOutput %}"},
    "Output": "{% $states.errorOutput.Error %}",
}
SHOW = {
    "Type": "Pass",
    "Output": {"error": "{% $states.input %}", "kept": "{% $failure.Error %}"},
    "End": True,
}


# --- JSONata ----------------------------------------------------------------------------------------------


def test_expressions_see_input_context_and_variables(run: Any, cloud: Cloud) -> None:
    ended = run(
        {
            "StartAt": "Remember",
            "States": {
                "Remember": {
                    "Type": "Pass",
                    "Assign": {
                        "run": "{% $states.context.Execution %}",
                        "quoted": 'a "quoted" word\n',
                        "steps": "{% $states.input.steps %}",
                        "none": "{% null %}",
                    },
                    "Next": "Tell",
                },
                "Tell": {
                    "Type": "Pass",
                    "Output": {
                        "id": "{% $run.Id %}",
                        "name": "{% $run.Name %}",
                        "began": "{% $run.StartTime %}",
                        "quoted": "{% $quoted %}",
                        "rest": "{% [$steps[[1..99]]] %}",
                        "none": "{% $none %}",
                        "half": "{% $steps[0] / 2 %}",
                    },
                    "End": True,
                },
            },
        },
        {"steps": [50, 100]},
    )
    assert ended.output == {
        "id": ended.arn,
        "name": ended.arn.split(":")[-1],
        "began": "2026-01-05T09:00:00.000Z",
        "quoted": 'a "quoted" word\n',
        "rest": [100],
        "none": None,
        "half": 25,
    }


def test_an_undefined_value_is_an_error_that_says_which(run: Any) -> None:
    ended = run(one({"Type": "Pass", "Output": "{% $states.input.missing %}", "End": True}))
    assert (ended.status, ended.error) == ("FAILED", "States.QueryEvaluationError")
    assert "$states.input.missing" in ended.cause


def test_an_expression_that_fails_can_be_caught(run: Any) -> None:
    broken = one({"Type": "Pass", "Output": "{% $number('x') %}", "End": True})
    ended = run(boxed(broken, [{"ErrorEquals": ["States.QueryEvaluationError"], **CAUGHT}], Caught=SHOW))
    assert ended.output == {"error": "States.QueryEvaluationError", "kept": "States.QueryEvaluationError"}


def test_a_fail_takes_its_error_and_cause_from_expressions(run: Any) -> None:
    fail = {
        "Type": "Fail",
        "Error": "{% $states.input.end %}",
        "Cause": "{% 'because: ' & $states.input.why %}",
    }
    ended = run(one(fail), {"end": "RolledBack", "why": "5xx"})
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "RolledBack", "because: 5xx")


def test_a_choice_follows_its_condition(run: Any) -> None:
    choice = {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $states.input.n > 5 and $states.input.n < 9 %}", "Next": "Between"}],
        "Default": "Outside",
    }
    ends = {name: {"Type": "Pass", "Output": name, "End": True} for name in ("Between", "Outside")}
    assert run(one(choice, **ends), {"n": 7}).output == "Between"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$partition([1,2,3,4,5], 2)", [[1, 2], [3, 4], [5]]),
        ("$range(0, 10, 5)", [0, 5, 10]),
        ("$hash('viridian', 'SHA-256')[0]", None),
        ("$parse('{\"a\": [1, null]}').a", [1, None]),
        ("$map([1..3], function($n) { $n * 10 })", [10, 20, 30]),
        ("$merge([$x, {'b': 2}])", {"a": None, "b": 2}),
        ("$string({'a': [1]})", '{"a":[1]}'),
    ],
)
def test_functions_of_step_functions(expression: str, value: Any) -> None:
    found = expressions.evaluate(expression, {"x": {"a": None}})
    assert found == value if value is not None else len(found) == 64


def test_every_uuid_is_another() -> None:
    assert expressions.evaluate("$uuid()", {}) != expressions.evaluate("$uuid()", {})
    assert uuid.UUID(expressions.evaluate("$uuid()", {})).version == 4


def test_what_comes_out_shares_nothing_with_what_went_in() -> None:
    data = {"list": [{"a": 1}]}
    expressions.evaluate("$x.list", {"x": data})[0]["a"] = 2
    assert data == {"list": [{"a": 1}]}


def test_eval_is_refused() -> None:
    with pytest.raises(expressions.Unevaluable, match=r"\$parse"):
        expressions.evaluate("$eval('1')", {})


# --- errors -----------------------------------------------------------------------------------------------


def test_an_exception_class_is_the_name_that_catch_sees(run: Any, workshop: Any, task: Any) -> None:
    workshop.handler("Break", "raise LookupError('no such group')")
    ended = run(boxed(one(task("Break", {})), [{"ErrorEquals": ["LookupError"], **CAUGHT}], Caught=SHOW))
    assert ended.output == {"error": "LookupError", "kept": "LookupError"}


@pytest.mark.parametrize("error", ["States.Timeout", "States.BranchFailed", "States.Permissions"])
def test_a_states_error_inside_the_box_reaches_its_catch(run: Any, error: str) -> None:
    inside = one({"Type": "Fail", "Error": f"{{% '{error}' %}}"})
    ended = run(boxed(inside, [{"ErrorEquals": ["States.ALL"], **CAUGHT}], Caught=SHOW))
    assert ended.output == {"error": error, "kept": error}


def test_a_runtime_error_is_caught_by_nothing(run: Any) -> None:
    inside = one({"Type": "Fail", "Error": "{% 'States.Runtime' %}", "Cause": "it broke"})
    catch = [{"ErrorEquals": ["States.Runtime"], **CAUGHT}, {"ErrorEquals": ["States.ALL"], **CAUGHT}]
    ended = run(boxed(inside, catch, Caught=SHOW))
    assert (ended.status, ended.error) == ("FAILED", "States.Runtime")


def too_much(task: Any) -> dict[str, Any]:
    return one(task("Shout", {}))


def test_too_much_data_is_not_among_all_errors(run: Any, workshop: Any, task: Any) -> None:
    workshop.handler("Shout", "return 'x' * 262145")
    ended = run(boxed(too_much(task), [{"ErrorEquals": ["States.ALL"], **CAUGHT}], Caught=SHOW))
    assert (ended.status, ended.error) == ("FAILED", "States.DataLimitExceeded")


def test_too_much_data_is_caught_by_its_name(run: Any, workshop: Any, task: Any) -> None:
    workshop.handler("Shout", "return 'x' * 262145")
    catch = [
        {"ErrorEquals": ["States.DataLimitExceeded"], **CAUGHT},
        {"ErrorEquals": ["States.ALL"], **CAUGHT},
    ]
    ended = run(boxed(too_much(task), catch, Caught=SHOW))
    assert ended.output == {"error": "States.DataLimitExceeded", "kept": "States.DataLimitExceeded"}


def test_task_failed_stands_for_everything_but_a_time_out(run: Any, workshop: Any, task: Any) -> None:
    workshop.handler("Break", "raise LookupError")
    workshop.handler("Sleep", "import time; time.sleep(60)")
    catch = [{"ErrorEquals": ["States.TaskFailed"], **CAUGHT}]
    broken = {**task("Break", {}), "Catch": catch}
    slow = {**task("Sleep", {}), "TimeoutSeconds": 20, "Catch": catch}
    assert run(one(broken, Caught=SHOW)).output["error"] == "LookupError"
    assert run(one(slow, Caught=SHOW)).error == "States.Timeout"


def test_a_branch_cannot_assign_an_outer_variable(run: Any) -> None:
    """aws-facts.md S13."""
    inside = one({"Type": "Pass", "Assign": {"step": 2}, "End": True})
    first = {"Type": "Pass", "Assign": {"step": 1}, "Next": "Box"}
    box = {**BOX, "Branches": [inside]}
    ended = run({"StartAt": "First", "States": {"First": first, "Box": box}})
    assert ended.status == "FAILED"


# --- time -------------------------------------------------------------------------------------------------


def test_a_wait_takes_the_seconds_its_expression_says(run: Any, cloud: Cloud) -> None:
    began = cloud.clock.now()
    run(one({"Type": "Wait", "Seconds": "{% $states.input.minutes * 60 %}", "End": True}), {"minutes": 90})
    assert cloud.clock.now() == began + 5400


def test_a_wait_ends_at_its_timestamp(run: Any, cloud: Cloud) -> None:
    run(
        one({"Type": "Wait", "Timestamp": "{% $states.input.at %}", "End": True}),
        {"at": "2026-01-05T10:30:00Z"},
    )
    assert datetime.fromtimestamp(cloud.clock.now(), UTC) == datetime(2026, 1, 5, 10, 30, tzinfo=UTC)


def test_a_task_times_out_though_its_handler_goes_on(
    run: Any, cloud: Cloud, workshop: Any, task: Any
) -> None:
    """aws-facts.md, fact 2: a timed-out Lambda keeps running."""
    workshop.handler(
        "Late",
        """
        import time, boto3
        time.sleep(100)
        boto3.client("ssm").put_parameter(Name="/late", Value="written", Type="String")
        """,
    )
    slow = one(task("Late", {}, TimeoutSeconds=30))
    ended = run(boxed(slow, [{"ErrorEquals": ["States.Timeout"], **CAUGHT}], Caught=SHOW))
    began = cloud.clock.now()
    assert ended.output["error"] == "States.Timeout"
    assert not cloud.calls.by("LateFunction")
    cloud.until(lambda: bool(cloud.calls.by("LateFunction")), 600)
    assert cloud.clock.now() - began == 70


def test_retries_back_off(run: Any, cloud: Cloud, workshop: Any, task: Any) -> None:
    workshop.handler("Busy", "raise BlockingIOError")
    retry = {"ErrorEquals": ["BlockingIOError"], "IntervalSeconds": 10, "MaxAttempts": 4, "BackoffRate": 2}
    began = cloud.clock.now()
    run(one(task("Busy", {}, Retry=[{**retry, "MaxDelaySeconds": 30}])))
    times = [round(entry["at"] - began) for entry in cloud.lambda_invocations]
    assert times == [0, 10, 30, 60, 90]


def test_full_jitter_waits_between_nothing_and_the_interval(
    run: Any, cloud: Cloud, workshop: Any, task: Any
) -> None:
    workshop.handler("Busy", "raise BlockingIOError")
    retry = {"ErrorEquals": ["BlockingIOError"], "IntervalSeconds": 100, "MaxAttempts": 5, "BackoffRate": 1}
    run(one(task("Busy", {}, Retry=[{**retry, "JitterStrategy": "FULL"}])))
    times = [entry["at"] for entry in cloud.lambda_invocations]
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert len(pauses) == 5
    assert all(0 <= pause <= 100 for pause in pauses)
    assert len(set(pauses)) == 5


def test_a_machine_times_out_and_no_catch_sees_it(run: Any, cloud: Cloud) -> None:
    """aws-facts.md, fact 1."""
    definition = boxed(
        one({"Type": "Wait", "Seconds": 10_000, "End": True}),
        [{"ErrorEquals": ["States.ALL"], **CAUGHT}],
        Caught=SHOW,
    )
    began = cloud.clock.now()
    ended = run({**definition, "TimeoutSeconds": 3600})
    assert (ended.status, cloud.clock.now() - began) == ("TIMED_OUT", 3600)
    assert "Caught" not in ended.states


def test_virtual_hours_take_a_moment(run: Any, workshop: Any, task: Any, cloud: Cloud) -> None:
    workshop.handler("Count", "return {'n': event['n'] + 1}")
    states: dict[str, Any] = {}
    for n in range(0, 20, 2):
        states[f"S{n}"] = task("Count", {"n": "{% $states.input.n %}"}, Next=f"S{n + 1}")
        following = {"Next": f"S{n + 2}"} if n < 18 else {"End": True}
        states[f"S{n + 1}"] = {"Type": "Wait", "Seconds": 720, **following}
    first = run({"StartAt": "S0", "States": states}, {"n": 0})
    machine = ":".join(first.arn.replace(":execution:", ":stateMachine:").split(":")[:-1])
    began = time.process_time()
    ended = cloud.run(machine, {"n": 0})
    assert ended.output == {"n": 10}
    assert time.process_time() - began < 0.5  # about 0.1 s on an idle core


# --- executions -------------------------------------------------------------------------------------------


def test_an_execution_without_a_name_gets_one(run: Any, cloud: Cloud, workshop: Any) -> None:
    workshop.machine(one({"Type": "Succeed"}))
    machine = workshop.deploy(cloud).resources["Machine"]
    client = cloud.client("stepfunctions")
    names = {client.start_execution(stateMachineArn=machine)["executionArn"].split(":")[-1] for _ in range(2)}
    assert len(names) == 2
    assert all(uuid.UUID(name) for name in names)


def test_the_same_name_is_the_same_execution_while_it_runs(cloud: Cloud, workshop: Any) -> None:
    """aws-facts.md S1."""
    workshop.machine(one({"Type": "Wait", "Seconds": 60, "End": True}))
    machine = workshop.deploy(cloud).resources["Machine"]
    first = cloud.start(machine, {"a": 1}, "release-1")
    assert cloud.start(machine, {"a": 1}, "release-1") == first
    client = cloud.client("stepfunctions")
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        cloud.start(machine, {"a": 2}, "release-1")
    cloud.wait(first)
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        cloud.start(machine, {"a": 1}, "release-1")


def test_an_aborted_execution_is_aborted_at_once_and_runs_no_catch(
    cloud: Cloud, workshop: Any, task: Any
) -> None:
    """aws-facts.md, fact 1; and fact 2: the handler at work goes on."""
    workshop.handler("Long", "import time; time.sleep(500)")
    inside = one(task("Long", {}))
    workshop.machine(boxed(inside, [{"ErrorEquals": ["States.ALL"], **CAUGHT}], Caught=SHOW))
    arn = cloud.start(workshop.deploy(cloud).resources["Machine"], {})
    cloud.until(lambda: False, 100)
    client = cloud.client("stepfunctions")
    client.stop_execution(executionArn=arn, error="Stopped", cause="by hand")
    assert cloud.execution(arn).status == "ABORTED"
    cloud.until(lambda: bool(cloud.lambda_invocations), 1000)
    ended = cloud.execution(arn)
    assert ended.status == "ABORTED"
    assert "Caught" not in ended.states
    assert ended.history[-1]["type"] == "ExecutionAborted"


def test_a_token_is_waited_for(cloud: Cloud, workshop: Any) -> None:
    workshop.handler(
        "Ask",
        """
        import boto3
        boto3.client("ssm").put_parameter(Name="/token", Value=event["token"], Type="String", Overwrite=True)
        """,
    )
    workshop.machine(
        one(
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Arguments": {
                    "FunctionName": "${AskArn}",
                    "Payload": {"token": "{% $states.context.Task.Token %}"},
                },
                "TimeoutSeconds": 3600,
                "End": True,
            }
        )
    )
    machine = workshop.deploy(cloud).resources["Machine"]
    arn = cloud.start(machine, {})
    cloud.until(lambda: False, 1200)
    token = cloud.client("ssm").get_parameter(Name="/token")["Parameter"]["Value"]
    cloud.client("stepfunctions").send_task_success(taskToken=token, output=json.dumps({"approved": True}))
    assert cloud.wait(arn).output == {"approved": True}
    began = cloud.clock.now()
    forgotten = cloud.run(machine, {})
    assert (forgotten.status, forgotten.error) == ("FAILED", "States.Timeout")
    assert cloud.clock.now() - began == 3600


def test_sdk_integrations_know_the_names_of_services(run: Any) -> None:
    ended = run(
        one(
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:elasticloadbalancingv2:describeTargetGroups",
                "Arguments": {},
                "Output": "{% $count($states.result.TargetGroups) %}",
                "End": True,
            }
        )
    )
    assert (ended.status, ended.output) == ("SUCCEEDED", 0)


def test_a_history_is_read_from_its_end_and_in_parts(run: Any, cloud: Cloud) -> None:
    ended = run(one({"Type": "Wait", "Seconds": 600, "End": True}))
    pages = cloud.client("stepfunctions").get_paginator("get_execution_history")
    found = pages.paginate(executionArn=ended.arn, reverseOrder=True, PaginationConfig={"PageSize": 3})
    assert [[event["type"] for event in page["events"]] for page in found] == [
        ["ExecutionSucceeded", "WaitStateExited", "WaitStateEntered"], ["ExecutionStarted"],
    ]  # fmt: skip


def test_history_counts_and_times_are_the_clouds(run: Any, cloud: Cloud) -> None:
    ended = run(one({"Type": "Wait", "Seconds": 600, "End": True}))
    events = cloud.client("stepfunctions").get_execution_history(executionArn=ended.arn)["events"]
    assert [event["type"] for event in events] == [
        "ExecutionStarted", "WaitStateEntered", "WaitStateExited", "ExecutionSucceeded",
    ]  # fmt: skip
    assert (events[-1]["timestamp"] - events[0]["timestamp"]).total_seconds() == 600


@pytest.mark.parametrize("given", ["{nonsense", "", "NaN", "{'a': 1}"])
def test_input_that_is_no_json_is_refused(cloud: Cloud, workshop: Any, given: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html"""
    workshop.machine(one({"Type": "Pass", "End": True}))
    machine = workshop.deploy(cloud).resources["Machine"]
    client = cloud.client("stepfunctions")
    with pytest.raises(client.exceptions.InvalidExecutionInput):
        client.start_execution(stateMachineArn=machine, input=given)
    assert client.list_executions(stateMachineArn=machine)["executions"] == []
    assert client.start_execution(stateMachineArn=machine, input='"a"')["executionArn"]
