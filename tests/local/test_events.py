"""EventBridge in the local cloud: rules reach functions and machines, schedules fire, AWS sends its own events."""

import itertools
import json
from typing import Any

import pytest

from local.cloud import Cloud

KEEP = """
import boto3, json
boto3.client("sqs").send_message(
    QueueUrl=boto3.client("sqs").get_queue_url(QueueName="kept")["QueueUrl"], MessageBody=json.dumps(event)
)
"""


def listen(workshop: Any, cloud: Cloud, pattern: dict[str, Any], **more: Any) -> Any:
    """A function that keeps what its rule sends it."""
    events = {"Rule": {"Type": "EventBridgeRule", "Properties": {"Pattern": pattern, **more}}}
    workshop.handler("Keep", KEEP, Events=events)
    workshop.resources["Kept"] = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "kept"}}
    return workshop.deploy(cloud)


def kept(cloud: Cloud, name: str = "kept") -> list[Any]:
    cloud.until(lambda: False, 1)
    queue = cloud.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    found = cloud.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def send(cloud: Cloud, **detail: Any) -> None:
    entry = {"Source": "shop", "DetailType": "Paid", "Detail": json.dumps(detail)}
    assert cloud.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_a_rule_reaches_its_function_when_its_pattern_matches(cloud: Cloud, workshop: Any) -> None:
    listen(workshop, cloud, {"source": ["shop"], "detail": {"sum": [{"numeric": [">", 10]}]}})
    send(cloud, sum=5)
    send(cloud, sum=50)
    (event,) = kept(cloud)
    assert (event["detail"], event["detail-type"], event["time"]) == (
        {"sum": 50},
        "Paid",
        "2026-01-05T09:00:00Z",
    )


def test_a_disabled_rule_sends_nothing(cloud: Cloud, workshop: Any) -> None:
    stack = listen(workshop, cloud, {"source": ["shop"]}, State="DISABLED")
    assert stack.resources["KeepFunction"]
    send(cloud, sum=1)
    assert kept(cloud) == []


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({"Input": '{"fixed": true}'}, {"fixed": True}),
        ({"InputPath": "$.detail"}, {"sum": 7}),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"sum": "$.detail.sum", "what": "$.detail-type"},
                    "InputTemplate": '{"paid": <sum>, "what": "<what>"}',
                }
            },
            {"paid": 7, "what": "Paid"},
        ),
    ],
)
def test_a_target_gets_the_input_it_asks_for(
    cloud: Cloud, workshop: Any, shape: dict[str, Any], expected: dict[str, Any]
) -> None:
    listen(workshop, cloud, {"source": ["shop"]}, **shape)
    send(cloud, sum=7)
    assert kept(cloud) == [expected]


def test_a_rule_starts_a_machine(cloud: Cloud, workshop: Any) -> None:
    workshop.machine({"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}})
    rule = {
        "EventPattern": {"source": ["shop"]},
        "Targets": [{"Id": "m", "Arn": {"Ref": "Machine"}, "InputPath": "$.detail"}],
    }
    workshop.resources["Rule"] = {"Type": "AWS::Events::Rule", "Properties": rule}
    machine = workshop.deploy(cloud).resources["Machine"]
    send(cloud, sum=3)
    cloud.until(lambda: False, 1)
    (execution,) = cloud.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert cloud.execution(execution["executionArn"]).output == {"sum": 3}


def test_executions_tell_how_they_end(cloud: Cloud, workshop: Any) -> None:
    """aws-facts.md, fact 1: the guard listens to these."""
    fail = {"Type": "Fail", "Error": "RolledBack", "Cause": "5xx"}
    workshop.machine({"StartAt": "Fail", "States": {"Fail": fail}})
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "status": ["FAILED", "ABORTED", "TIMED_OUT"],
            "stateMachineArn": [{"prefix": "arn:aws:states"}],
        },
    }
    stack = listen(workshop, cloud, pattern)
    ended = cloud.run(stack.resources["Machine"], {"service": "shop"}, "one")
    (event,) = kept(cloud)
    detail = event["detail"]
    assert (detail["executionArn"], detail["name"], detail["status"]) == (ended.arn, "one", "FAILED")
    assert (detail["error"], detail["cause"]) == ("RolledBack", "5xx")
    assert json.loads(detail["input"]) == {"service": "shop"}
    assert detail["stopDate"] >= detail["startDate"] == 1767603600000
    assert event["resources"] == [ended.arn]


def test_an_abort_is_told_once(cloud: Cloud, workshop: Any) -> None:
    workshop.machine({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}})
    stack = listen(workshop, cloud, {"source": ["aws.states"]})
    arn = cloud.start(stack.resources["Machine"], {})
    cloud.until(lambda: False, 60)
    cloud.client("stepfunctions").stop_execution(executionArn=arn)
    cloud.until(lambda: False, 600)
    assert sorted(event["detail"]["status"] for event in kept(cloud)) == ["ABORTED", "RUNNING"]


def test_an_alarm_tells_when_its_state_changes_and_only_then(cloud: Cloud, workshop: Any) -> None:
    listen(workshop, cloud, {"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"]})
    client = cloud.client("cloudwatch")
    client.put_metric_alarm(
        AlarmName="guard", Namespace="Mine", MetricName="Errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
    )  # fmt: skip
    for _ in range(2):
        client.set_alarm_state(AlarmName="guard", StateValue="ALARM", StateReason="by hand")
    (event,) = kept(cloud)
    assert event["detail"]["alarmName"] == "guard"
    assert (event["detail"]["state"]["value"], event["detail"]["state"]["reason"]) == ("ALARM", "by hand")
    assert event["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert event["resources"] == ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:guard"]


def test_a_schedule_fires_every_minute_until_it_is_disabled(cloud: Cloud, workshop: Any) -> None:
    workshop.handler("Sweep", "return event")
    schedule = {
        "Name": "sweeper",
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": {"Fn::GetAtt": ["SweepFunction", "Arn"]},
            "RoleArn": "arn:aws:iam::123456789012:role/s",
        },
    }
    workshop.resources["Schedule"] = {"Type": "AWS::Scheduler::Schedule", "Properties": schedule}
    workshop.deploy(cloud)
    cloud.until(lambda: False, 310)
    times = [entry["at"] for entry in cloud.lambda_invocations]
    assert len(times) in (4, 5)
    assert {after - before for before, after in itertools.pairwise(times)} == {60}
    client = cloud.client("scheduler")
    kept_as = client.get_schedule(Name="sweeper")
    fields = ("ScheduleExpression", "FlexibleTimeWindow", "Target")
    client.update_schedule(Name="sweeper", State="DISABLED", **{field: kept_as[field] for field in fields})
    cloud.until(lambda: False, 300)
    assert len(cloud.lambda_invocations) == len(times)


def test_a_schedule_of_a_function_event(cloud: Cloud, workshop: Any) -> None:
    for kind, field in (("Schedule", "Schedule"), ("ScheduleV2", "ScheduleExpression")):
        events = {"Often": {"Type": kind, "Properties": {field: "rate(5 minutes)", "Input": '{"a": 1}'}}}
        workshop.handler(kind, "return event", Events=events)
    workshop.deploy(cloud)
    cloud.until(lambda: False, 620)
    counted = [entry["function"] for entry in cloud.lambda_invocations]
    assert sorted(counted) == [
        "ScheduleFunction",
        "ScheduleFunction",
        "ScheduleV2Function",
        "ScheduleV2Function",
    ]


# --- topics -----------------------------------------------------------------------------------------------


def told(
    cloud: Cloud, workshop: Any, shape: dict[str, Any], topic: dict[str, Any], **leave: Any
) -> list[str]:
    """What a topic gets of an event whose detail has two lines and quotes; a rule needs its leave."""
    lets = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": {"Ref": "Topic"},
        **leave,
    }
    workshop.resources |= {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": topic},
        "Policy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": {"Statement": [lets]}},
        },
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"source": ["shop"]},
                "Targets": [{"Id": "t", "Arn": {"Ref": "Topic"}, **shape}],
            },
        },
    }
    workshop.deploy(cloud)
    send(cloud, words='two\nlines, "quoted"')
    return [each.message for each in cloud.published()]


WORDS = {"words": "$.detail.words", "none": "$.detail.none"}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({"InputPath": "$.detail.words"}, '"two\\nlines, \\"quoted\\""'),
        ({"InputTransformer": {"InputPathsMap": WORDS, "InputTemplate": '"Paid: <words>"'}},
         '"Paid: two\\nlines, \\"quoted\\""'),
        ({"InputTransformer": {"InputPathsMap": WORDS, "InputTemplate": '{"a": <words>, "b": <none>, "c": "<d>"}'}},
         '{"a": "two\\nlines, \\"quoted\\"", "b": null, "c": "<d>"}'),
    ],
)  # fmt: skip
def test_a_topic_gets_json_and_never_plain_text(
    cloud: Cloud, workshop: Any, shape: dict[str, Any], expected: str
) -> None:
    """Which is why what people read doesn't come through a rule."""
    assert told(cloud, workshop, shape, {}) == [expected]


@pytest.mark.parametrize(
    ("topic", "leave"),
    [
        ({"KmsMasterKeyId": "alias/aws/sns"}, {}),
        ({}, {"Principal": {"Service": "cloudwatch.amazonaws.com"}}),
        (
            {},
            {
                "Condition": {
                    "ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-1:123456789012:rule/other"}
                }
            },
        ),
        ({}, {"Principal": {"AWS": "*"}, "Condition": {"StringEquals": {"AWS:SourceOwner": "123456789012"}}}),
    ],
)
def test_a_topic_or_key_that_lets_no_rule_in_gets_nothing(
    cloud: Cloud, workshop: Any, topic: dict[str, Any], leave: dict[str, Any]
) -> None:
    assert told(cloud, workshop, {"InputPath": "$.detail"}, topic, **leave) == []
    assert "NO_PERMISSIONS" in cloud.clock.failures.pop()
