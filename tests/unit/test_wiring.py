"""One word runs through state, handler, function, substitution, event and test, and every Task is complete."""

import ast
import json
import re

import pytest

from tests import stack
from tests.stack import ROOT, State
from viridian import converge

TRANSIENT = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Busy",
}
WRITE_ROUTES = {
    "ShiftTrafficFunction",
    "PromoteFunction",
    "RestoreBlueFunction",
    "ConvergeFunction",
    "RetireBlueFunction",
}
FUNCTIONS = stack.resources("Serverless::Function")
MACHINES = sorted(stack.machines())
BY_EVENTS = {  # no state calls these
    "BrakeFunction": "EventBridgeRule",
    "GuardFunction": "EventBridgeRule",
    "SweepFunction": "ScheduleV2",
    "CollectFunction": "ScheduleV2",
    "StartReleaseFunction": "EventBridgeRule",
    "TellFunction": "DynamoDB",
}
BY_PEOPLE = {"AnswerApprovalFunction", "TakeOrderFunction"}
BY_STREAM = {"TellFunction"}
RESCUERS = set(BY_EVENTS) - {
    "CollectFunction",
    "StartReleaseFunction",
    "TellFunction",
}  # they restore traffic
WHOLE_EXECUTIONS = {"release", "retire", "rollback"}  # sample inputs of machines, not of handlers


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def stems(pattern: str) -> set[str]:
    return {path.name.split(".")[0].removeprefix("test_") for path in ROOT.glob(pattern)} - {"__init__"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_one_word_names_a_step_everywhere(function: str) -> None:
    state = function.removesuffix("Function")
    stem = snake(state)

    assert FUNCTIONS[function]["Handler"] == f"handlers.{stem}.lambda_handler"
    module = ast.parse((ROOT / "functions" / "handlers" / f"{stem}.py").read_text())
    assert "lambda_handler" in [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
    if function in BY_EVENTS:
        assert {event["Type"] for event in FUNCTIONS[function]["Events"].values()} == {BY_EVENTS[function]}
    elif function in BY_PEOPLE:
        assert FUNCTIONS[function]["FunctionUrlConfig"] == {"AuthType": "AWS_IAM"}
    else:
        assert state in {task.name for task in stack.tasks() if stack.function_of(task) == function}
    assert isinstance(json.loads((ROOT / "events" / f"{stem}.json").read_text()), dict)
    assert "def test_" in (ROOT / "tests" / "unit" / f"test_{stem}.py").read_text()


def test_no_handler_and_no_event_is_left_over() -> None:
    known = {snake(function.removesuffix("Function")) for function in FUNCTIONS}
    assert stems("functions/handlers/*.py") == known
    assert stems("events/*.json") - WHOLE_EXECUTIONS == known


@pytest.mark.parametrize("machine", MACHINES)
def test_every_substitution_is_used_and_every_use_is_substituted(machine: str) -> None:
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(stack.machines()[machine])))
    given = stack.resources("Serverless::StateMachine")[machine]["DefinitionSubstitutions"]
    assert used == set(given)
    for name, value in given.items():
        if name != "AWSPartition":
            assert value == {"Ref": f"{name.removesuffix('Arn')}.Version"}, "a running release keeps its code"


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_may_call_its_own_steps_and_no_others(machine: str) -> None:
    role = stack.resources("Serverless::StateMachine")[machine]["Role"]["Fn::GetAtt"][0]
    (policy,) = stack.resources("IAM::Role")[role]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    called = {stack.function_of(task) for task in stack.tasks() if task.machine == machine}
    assert statement["Action"] == "lambda:InvokeFunction"
    assert {resource["Fn::Sub"] for resource in statement["Resource"]} == {
        f"${{{name}.Arn}}:*" for name in called
    }


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_ends_by_itself_before_its_pipeline_gives_up(machine: str) -> None:
    definition = stack.machines()[machine]
    assert definition["QueryLanguage"] == "JSONata"
    assert 0 < definition["TimeoutSeconds"] < 7 * 24 * 3600


@pytest.mark.parametrize("state", stack.states(), ids=str)
def test_every_state_says_what_it_is_for(state: State) -> None:
    assert len(state.body.get("Comment", "")) > 10


@pytest.mark.parametrize("task", stack.tasks(), ids=str)
def test_every_task_is_complete(task: State) -> None:
    waits = ".waitForTaskToken" if task.name == "AwaitApproval" else ""
    assert task.body["Resource"] == f"arn:${{AWSPartition}}:states:::lambda:invoke{waits}"
    assert task.name.startswith(stack.function_of(task).removesuffix("Function"))
    assert set(task.body["Retry"][0]["ErrorEquals"]) >= TRANSIENT
    for retry in task.body["Retry"]:
        assert retry["JitterStrategy"] == "FULL"
        assert retry["MaxAttempts"] > 0
        assert "States.ALL" not in retry["ErrorEquals"]


@pytest.mark.parametrize("task", stack.tasks(), ids=str)
def test_a_function_is_over_before_its_task_gives_up(task: State) -> None:
    function = stack.function_of(task)
    timeout = FUNCTIONS[function]["Timeout"]
    if task.name == "AwaitApproval":
        assert task.body["TimeoutSeconds"] == "{% $states.input.again_in %}", (
            "people's time, not a function's"
        )
        return
    assert timeout < task.body["TimeoutSeconds"], "a late writer would outlive the task that knows of it"
    if function in WRITE_ROUTES:
        assert timeout <= 15, "so long does a rollback wait to be settled"


def test_the_functions_that_write_routes_are_the_ones_kept_short() -> None:
    routes = {"RoutePolicy"}
    writers = {
        name
        for name, properties in FUNCTIONS.items()
        if routes & {policy.get("Ref") for policy in properties.get("Policies", [])}
    }
    assert writers == WRITE_ROUTES | RESCUERS


def test_no_release_is_settled_while_a_function_that_writes_routes_may_still_run() -> None:
    """The brake itself stays for just so long, and looks before each write."""
    late = [FUNCTIONS[name].get("Timeout", 60) for name in (WRITE_ROUTES | RESCUERS) - {"BrakeFunction"}]
    assert max(late) <= converge.LATE_WRITER_SECONDS < FUNCTIONS["BrakeFunction"]["Timeout"]


@pytest.mark.parametrize("function", sorted(set(BY_EVENTS) - BY_STREAM))
def test_what_an_event_calls_is_bounded_in_age_and_never_lost_in_silence(function: str) -> None:
    properties, queue = FUNCTIONS[function], {"Fn::GetAtt": ["DeadLettersQueue", "Arn"]}
    invoked = properties["EventInvokeConfig"]
    assert invoked["DestinationConfig"]["OnFailure"] == {"Type": "SQS", "Destination": queue}
    assert invoked["MaximumEventAgeInSeconds"] <= 300
    assert "ReservedConcurrentExecutions" in properties
    for event in properties["Events"].values():
        assert event["Properties"]["DeadLetterConfig"] == {"Arn": queue}
        assert event["Properties"]["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 300


@pytest.mark.parametrize("function", sorted(BY_STREAM))
def test_what_a_stream_calls_is_bounded_in_tries_and_age_and_never_lost_in_silence(function: str) -> None:
    for event in FUNCTIONS[function]["Events"].values():
        given = event["Properties"]
        assert given["DestinationConfig"]["OnFailure"]["Destination"] == {
            "Fn::GetAtt": ["DeadLettersQueue", "Arn"]
        }
        assert given["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert given["BisectBatchOnFunctionError"] is True
        assert 0 < given["MaximumRetryAttempts"] <= 100
        assert 0 < given["MaximumRecordAgeInSeconds"] <= 24 * 3600, "DynamoDB keeps a stream for a day"
