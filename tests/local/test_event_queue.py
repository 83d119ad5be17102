"""Reality of AWS that moto leaves out: Lambda's queue of events, its retries, its age limit, its throttles.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud

FAILED = "arn:aws:sqs:us-east-1:123456789012:failed"
SLOW = "import time; time.sleep(event['seconds']); return event"


def deploy(
    cloud: Cloud, workshop: Any, body: str, destination: str | None = FAILED, **properties: Any
) -> str:
    """A function `Work` whose alias tells the queue `failed`; answers with the alias's ARN."""
    config = properties.pop("config", {})
    if destination:
        config["DestinationConfig"] = {"OnFailure": {"Type": "SQS", "Destination": destination}}
    workshop.handler("Work", body, EventInvokeConfig=config, **properties)
    workshop.resources["Failed"] = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "failed"}}
    name = workshop.deploy(cloud).resources["WorkFunction"]
    return f"arn:aws:lambda:us-east-1:123456789012:function:{name}:live"


def send(cloud: Cloud, function: str, event: Any) -> None:
    answer = cloud.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps(event), InvocationType="Event"
    )
    assert answer["StatusCode"] == 202


def told(cloud: Cloud) -> list[Any]:
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName="failed")["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def invoked(cloud: Cloud) -> list[int]:
    """When the function ran, in seconds since its first event."""
    at = [entry["at"] for entry in cloud.lambda_invocations]
    return [round(each - at[0]) for each in at]


def test_what_fails_three_times_is_told(cloud: Cloud, workshop: Any) -> None:
    function = deploy(cloud, workshop, "raise LookupError('no shop')")
    send(cloud, function, {"a": 1})
    cloud.until(lambda: False, 600)
    assert invoked(cloud) == [0, 60, 180]
    assert len({entry["request"] for entry in cloud.lambda_invocations}) == 1
    (record,) = told(cloud)
    answer = record.pop("responsePayload")
    assert (answer["errorType"], answer["errorMessage"]) == ("LookupError", "no shop")
    assert record == {
        "version": "1.0",
        "timestamp": record["timestamp"],
        "requestContext": {
            "requestId": cloud.lambda_invocations[0]["request"],
            "functionArn": function,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
    }
    assert record["timestamp"].startswith("2026-01-05T09:03:0")
    assert record["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("config", "times", "condition"),
    [
        ({"MaximumRetryAttempts": 0}, [0], "RetriesExhausted"),
        ({"MaximumRetryAttempts": 1}, [0, 60], "RetriesExhausted"),
        ({"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 120}, [0, 60], "EventAgeExceeded"),
    ],
)
def test_retries_and_age_are_the_aliases_own(
    cloud: Cloud, workshop: Any, config: dict[str, int], times: list[int], condition: str
) -> None:
    function = deploy(cloud, workshop, "raise LookupError", config=config)
    send(cloud, function, {})
    cloud.until(lambda: False, 900)
    assert invoked(cloud) == times
    (record,) = told(cloud)
    assert record["requestContext"]["condition"] == condition
    assert record["requestContext"]["approximateInvokeCount"] == len(times)


def test_an_unqualified_call_knows_nothing_of_the_aliases_configuration(cloud: Cloud, workshop: Any) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html"""
    function = deploy(cloud, workshop, "raise LookupError", config={"MaximumRetryAttempts": 0})
    send(cloud, function.removesuffix(":live"), {})
    cloud.until(lambda: False, 600)
    assert invoked(cloud) == [0, 60, 180]
    assert told(cloud) == []
    shown = cloud.client("lambda").get_function_event_invoke_config(
        FunctionName=function.split(":")[6], Qualifier="live"
    )
    assert shown["MaximumRetryAttempts"] == 0
    assert shown["DestinationConfig"]["OnFailure"]["Destination"] == FAILED
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cloud.client("lambda").get_function_event_invoke_config(FunctionName=function.split(":")[6])


def test_a_success_is_not_told(cloud: Cloud, workshop: Any) -> None:
    function = deploy(cloud, workshop, "return event")
    send(cloud, function, {})
    cloud.until(lambda: False, 600)
    assert invoked(cloud) == [0]
    assert told(cloud) == []


def test_a_topic_can_be_told_too(cloud: Cloud, workshop: Any) -> None:
    topic = cloud.client("sns").create_topic(Name="pages")["TopicArn"]
    config = {"MaximumRetryAttempts": 0}
    function = deploy(cloud, workshop, "raise LookupError", destination=topic, config=config)
    send(cloud, function, {"a": 1})
    cloud.until(lambda: False, 10)
    (message,) = cloud.published(topic)
    assert json.loads(message.message)["requestPayload"] == {"a": 1}


class TestReservedConcurrency:
    def test_a_caller_that_waits_is_refused(self, cloud: Cloud, workshop: Any) -> None:
        function = deploy(cloud, workshop, SLOW, ReservedConcurrentExecutions="1")
        send(cloud, function, {"seconds": 30})
        cloud.until(lambda: False, 1)
        with pytest.raises(ClientError) as refused:
            cloud.client("lambda").invoke(FunctionName=function, Payload='{"seconds": 1}')
        assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert cloud.functions.throttles
        cloud.until(lambda: False, 60)
        cloud.client("lambda").invoke(FunctionName=function, Payload='{"seconds": 1}')

    def test_throttled_events_wait_their_turn(self, cloud: Cloud, workshop: Any) -> None:
        """Throttles don't count as tries."""
        config = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 300}
        function = deploy(cloud, workshop, SLOW, ReservedConcurrentExecutions=2, config=config)
        for _ in range(5):
            send(cloud, function, {"seconds": 20})
        cloud.until(lambda: False, 600)
        assert invoked(cloud) == [0, 0, 31, 31, 63]
        assert told(cloud) == []

    def test_an_event_that_grows_too_old_is_told(self, cloud: Cloud, workshop: Any) -> None:
        config = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
        function = deploy(cloud, workshop, SLOW, ReservedConcurrentExecutions=1, config=config)
        send(cloud, function, {"seconds": 300})
        cloud.until(lambda: False, 1)
        send(cloud, function, {"seconds": 1})
        cloud.until(lambda: False, 600)
        assert invoked(cloud) == [0]
        (record,) = told(cloud)
        assert record["requestPayload"] == {"seconds": 1}
        assert record["requestContext"]["condition"] == "EventAgeExceeded"
        assert record["requestContext"]["approximateInvokeCount"] == 0
        assert "responsePayload" not in record

    def test_none_at_all_is_told_at_once(self, cloud: Cloud, workshop: Any) -> None:
        """Reserved concurrency 0 switches a function off."""
        function = deploy(cloud, workshop, SLOW)
        name = function.split(":")[6]
        cloud.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        send(cloud, function, {"seconds": 1})
        cloud.until(lambda: False, 10)
        (record,) = told(cloud)
        assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
        assert cloud.lambda_invocations == []
        cloud.client("lambda").delete_function_concurrency(FunctionName=name)
        send(cloud, function, {"seconds": 1})
        cloud.until(lambda: False, 10)
        assert len(cloud.lambda_invocations) == 1

    def test_step_functions_sees_a_throttle_by_its_name(self, cloud: Cloud, workshop: Any, task: Any) -> None:
        """aws-facts.md S4."""
        workshop.handler("Work", "return 1", ReservedConcurrentExecutions=0)
        workshop.machine({"StartAt": "Work", "States": {"Work": task("Work", {})}})
        ended = cloud.run(workshop.deploy(cloud).resources["Machine"], {})
        assert (ended.status, ended.error) == ("FAILED", "Lambda.TooManyRequestsException")
