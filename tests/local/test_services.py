"""Reality of AWS that moto leaves out: Lambda's and SQS's own metrics, and what alarms do when their state changes.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from local.cloud import Cloud

SOMETIMES = "if event.get('break'): raise LookupError"


@pytest.fixture
def topic(cloud: Cloud) -> str:
    return str(cloud.client("sns").create_topic(Name="pages")["TopicArn"])


def alarm(cloud: Cloud, topic: str, **changes: Any) -> None:
    asked: dict[str, Any] = {
        "AlarmName": "silent",
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [topic],
        **changes,
    }
    cloud.client("cloudwatch").put_metric_alarm(**asked)


def counted(
    cloud: Cloud, namespace: str, metric: str, stat: str = "Sum", **dimensions: str
) -> dict[int, float]:
    """The metric by its minute since the cloud came up."""
    where = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    asked = {"Namespace": namespace, "MetricName": metric, "Dimensions": where}
    found = cloud.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": asked, "Period": 60, "Stat": stat}}],
        StartTime=BEGAN,
        EndTime=datetime.fromtimestamp(cloud.clock.now(), UTC),
    )["MetricDataResults"][0]
    minutes = [round((at - BEGAN).total_seconds() / 60) for at in found["Timestamps"]]
    return dict(zip(minutes, found["Values"], strict=True))


BEGAN = datetime(2026, 1, 5, 9, tzinfo=UTC)


def invoke(cloud: Cloud, function: str, **event: Any) -> None:
    cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))


def test_functions_count_their_invocations_and_errors(cloud: Cloud, workshop: Any) -> None:
    workshop.handler("Work", SOMETIMES)
    name = workshop.deploy(cloud).resources["WorkFunction"]
    invoke(cloud, name)
    invoke(cloud, name, **{"break": True})
    cloud.until(lambda: False, 65)
    assert counted(cloud, "AWS/Lambda", "Invocations", FunctionName=name) == {}, "figures come late"
    invoke(cloud, name)
    cloud.until(lambda: False, 180)
    assert counted(cloud, "AWS/Lambda", "Invocations", FunctionName=name) == {0: 2.0, 1: 1.0}
    assert counted(cloud, "AWS/Lambda", "Errors", FunctionName=name) == {0: 1.0, 1: 0.0}
    assert counted(cloud, "AWS/Lambda", "Errors", "Maximum", FunctionName=name) == {0: 1.0, 1: 0.0}


def test_a_throttle_is_no_invocation(cloud: Cloud, workshop: Any) -> None:
    workshop.handler("Work", "return 1", ReservedConcurrentExecutions=0)
    name = workshop.deploy(cloud).resources["WorkFunction"]
    cloud.client("lambda").invoke(FunctionName=name, Payload="{}", InvocationType="Event")
    cloud.until(lambda: False, 180)
    assert counted(cloud, "AWS/Lambda", "Invocations", FunctionName=name) == {}
    assert counted(cloud, "AWS/Lambda", "Throttles", FunctionName=name) == {0: 1.0}


def test_a_silent_function_rings(cloud: Cloud, workshop: Any, topic: str) -> None:
    """Metric math over Lambda's own metrics, missing data breaching: it rings in the fourth minute without a run."""
    workshop.handler("Work", SOMETIMES)
    name = workshop.deploy(cloud).resources["WorkFunction"]

    def metric(key: str, metric_name: str) -> dict[str, Any]:
        where = [{"Name": "FunctionName", "Value": name}]
        asked = {"Namespace": "AWS/Lambda", "MetricName": metric_name, "Dimensions": where}
        stat = {"Metric": asked, "Period": 60, "Stat": "Sum"}
        return {"Id": key, "MetricStat": stat, "ReturnData": False}

    def run(minutes: int, **event: Any) -> None:
        for _ in range(minutes):
            invoke(cloud, name, **event)
            cloud.until(lambda: False, 60)

    def state() -> str:
        found = cloud.client("cloudwatch").describe_alarms(AlarmNames=["silent"])["MetricAlarms"]
        return str(found[0]["StateValue"])

    run(4)
    well = {"Id": "well", "Expression": "invocations - errors", "ReturnData": True}
    alarm(
        cloud,
        topic,
        Metrics=[metric("invocations", "Invocations"), metric("errors", "Errors"), well],
        Threshold=1.0,
        ComparisonOperator="LessThanThreshold",
        EvaluationPeriods=3,
        DatapointsToAlarm=3,
        TreatMissingData="breaching",
    )
    run(5)
    assert state() == "OK"
    run(6, **{"break": True})
    assert state() == "ALARM"
    run(3)
    assert state() == "OK"
    cloud.until(lambda: False, 600)
    assert state() == "ALARM"
    assert len(cloud.published(topic)) == 2


def test_a_letter_in_an_idle_queue_rings_late(cloud: Cloud, topic: str) -> None:
    """Up to fifteen minutes pass before a queue that was idle is seen again, then it is seen each minute."""
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    alarm(
        cloud,
        topic,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "dead"}],
        Statistic="Maximum",
        Period=60,
    )
    cloud.until(lambda: False, 300)
    assert counted(cloud, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", QueueName="dead") == {}
    sent = cloud.clock.now()
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    assert cloud.until(lambda: bool(cloud.published(topic)), 3600)
    assert 900 <= cloud.clock.now() - sent <= 1100
    sqs.purge_queue(QueueUrl=url)
    cloud.until(lambda: False, 300)
    figures = counted(cloud, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", QueueName="dead")
    assert set(figures.values()) == {0.0, 1.0}
    found = cloud.client("cloudwatch").describe_alarms(AlarmNames=["silent"])["MetricAlarms"]
    assert found[0]["StateValue"] == "OK"


@pytest.mark.parametrize(("enabled", "told"), [(True, ["ALARM", "OK"]), (False, [])])
def test_actions_are_carried_out_on_a_change_of_state(
    cloud: Cloud, topic: str, enabled: bool, told: list[str]
) -> None:
    alarm(
        cloud, topic, AlarmDescription="nobody sweeps", ActionsEnabled=enabled, OKActions=[topic],
        Namespace="Mine", MetricName="Errors", Statistic="Sum", Period=60, TreatMissingData="ignore",
    )  # fmt: skip
    client = cloud.client("cloudwatch")
    for state in ("ALARM", "ALARM", "OK"):
        client.set_alarm_state(AlarmName="silent", StateValue=state, StateReason="by hand")
    messages = [json.loads(each.message) for each in cloud.published(topic)]
    assert [message["NewStateValue"] for message in messages] == told
    if told:
        first = cloud.published(topic)[0]
        assert first.subject == 'ALARM: "silent" in US East (N. Virginia)'
        assert (messages[0]["AlarmName"], messages[0]["AlarmDescription"]) == ("silent", "nobody sweeps")
        assert (messages[0]["OldStateValue"], messages[0]["NewStateReason"]) == (
            "INSUFFICIENT_DATA",
            "by hand",
        )
        assert messages[0]["StateChangeTime"].startswith("2026-01-05T09:00:0")
        assert messages[1]["OldStateValue"] == "ALARM"


def test_what_a_topic_tells_reaches_its_queue_and_the_one_who_asks(cloud: Cloud, topic: str) -> None:
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:inbox")
    other = sns.create_topic(Name="other")["TopicArn"]
    sns.publish(TopicArn=topic, Subject="Held", Message="look at shop")
    sns.publish(TopicArn=other, Message="something else")
    (told,) = cloud.published(topic)
    assert (told.subject, told.message, told.at) == ("Held", "look at shop", cloud.clock.now())
    assert len(cloud.published()) == 2
    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert json.loads(message["Body"])["Message"] == "look at shop"
