"""Reality of AWS that moto leaves out: what a target can't take is tried again, and ends in a dead-letter queue.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.cloud import Cloud
from local.control.delivery import Delivery, Undeliverable

ACCOUNT = "123456789012"
DEAD = f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"
GONE = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:gone"
RULE = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/paid"


def leave(source: str, action: str = "sqs:SendMessage", service: str = "events.amazonaws.com") -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": DEAD,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def queue(cloud: Cloud) -> str:
    url = cloud.client("sqs").create_queue(QueueName="dead", Attributes={"Policy": leave(RULE)})["QueueUrl"]
    return str(url)


def letters(cloud: Cloud, queue: str) -> list[tuple[Any, dict[str, str]]]:
    """What lies in the queue: each body, and its attributes."""
    found = cloud.client("sqs").receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return [
        (
            json.loads(message["Body"]),
            {name: each["StringValue"] for name, each in message.get("MessageAttributes", {}).items()},
        )
        for message in found.get("Messages", [])
    ]


def rule(cloud: Cloud, target: str = GONE, **more: Any) -> None:
    events = cloud.client("events")
    events.put_rule(Name="paid", EventPattern=json.dumps({"source": ["shop"]}))
    kept = {"DeadLetterConfig": {"Arn": DEAD}, **more}
    events.put_targets(Rule="paid", Targets=[{"Id": "one", "Arn": target, **kept}])


def send(cloud: Cloud, **detail: Any) -> None:
    entry = {"Source": "shop", "DetailType": "Paid", "Detail": json.dumps(detail)}
    cloud.client("events").put_events(Entries=[entry])


def failing(times: list[float], cloud: Cloud, until: float) -> Callable[[Delivery, Callable[[], None]], None]:
    """The target answers with a throttle until so many seconds have passed; each try is noted."""
    began = cloud.clock.now()

    def courier(delivery: Delivery, hand_over: Callable[[], None]) -> None:
        times.append(cloud.clock.now() - began)
        if times[-1] < until:
            raise Undeliverable("THROTTLING", "Rate exceeded")
        hand_over()

    return courier


@pytest.mark.parametrize(
    "target",
    [
        GONE,
        f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:gone",
        f"arn:aws:sqs:us-east-1:{ACCOUNT}:gone",
    ],
)
def test_a_target_that_is_gone_is_not_tried_again(cloud: Cloud, queue: str, target: str) -> None:
    """Without retries it has no exhausted condition."""
    rule(cloud, target)
    send(cloud, sum=3)
    ((event, said),) = letters(cloud, queue)
    assert (event["detail"], event["source"]) == ({"sum": 3}, "shop")
    assert said.pop("ERROR_MESSAGE")
    assert said == {
        "RULE_ARN": RULE,
        "TARGET_ARN": target,
        "ERROR_CODE": "NO_RESOURCE",
        "RETRY_ATTEMPTS": "0",
    }


def test_a_machine_that_takes_no_such_input_is_not_tried_again(
    cloud: Cloud, workshop: Any, queue: str
) -> None:
    workshop.machine({"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}})
    rule(cloud, workshop.deploy(cloud).resources["Machine"], Input="no json")
    send(cloud, sum=3)
    ((event, said),) = letters(cloud, queue)
    assert (event["detail"], said["ERROR_CODE"]) == ({"sum": 3}, "INVALID_PARAMETER")


def test_a_fault_of_the_cloud_itself_is_no_letter(cloud: Cloud, queue: str) -> None:
    def broken(delivery: Delivery, hand_over: Callable[[], None]) -> None:
        raise AttributeError("a bug")

    cloud.events.courier = broken
    rule(cloud)
    with pytest.raises(AttributeError, match="a bug"):
        send(cloud, sum=3)
    assert letters(cloud, queue) == []


def test_a_busy_target_is_tried_again_until_it_takes_the_event(
    cloud: Cloud, workshop: Any, queue: str
) -> None:
    workshop.handler("Take", "return event")
    name = workshop.deploy(cloud).resources["TakeFunction"]
    rule(cloud, f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}")
    times: list[float] = []
    cloud.events.courier = failing(times, cloud, until=5)
    send(cloud, sum=3)
    cloud.until(lambda: False, 600)
    assert [round(at) for at in times] == [0, 1, 3, 7]
    assert [entry["function"] for entry in cloud.lambda_invocations] == ["TakeFunction"]
    assert letters(cloud, queue) == []


@pytest.mark.parametrize(
    ("policy", "tries", "exhausted"),
    [
        ({"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600}, 3, "MaximumRetryAttempts"),
        ({"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 60}, 6, "MaximumEventAgeInSeconds"),
        ({"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}, 1, "MaximumRetryAttempts"),
    ],
)
def test_a_retry_policy_ends_in_the_dead_letter_queue(
    cloud: Cloud, queue: str, policy: dict[str, int], tries: int, exhausted: str
) -> None:
    rule(cloud, RetryPolicy=policy)
    times: list[float] = []
    cloud.events.courier = failing(times, cloud, until=1e9)
    send(cloud, sum=3)
    cloud.until(lambda: False, 3600)
    ((event, said),) = letters(cloud, queue)
    assert len(times) == tries
    assert event["detail"] == {"sum": 3}
    assert (said["ERROR_CODE"], said["ERROR_MESSAGE"]) == ("THROTTLING", "Rate exceeded")
    assert (said["EXHAUSTED_RETRY_CONDITION"], said["RETRY_ATTEMPTS"]) == (exhausted, str(tries - 1))


def test_a_schedule_names_itself_in_the_dead_letter_queue(cloud: Cloud, queue: str) -> None:
    """It comes with a role of its own: the queue's policy says nothing to it."""
    cloud.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": leave("arn:nobody")})
    cloud.client("scheduler").create_schedule(
        Name="often",
        ScheduleExpression="rate(5 minutes)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": GONE,
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/s",
            "Input": '{"a": 1}',
            "DeadLetterConfig": {"Arn": DEAD},
        },
    )
    cloud.until(lambda: False, 320)
    ((body, said),) = letters(cloud, queue)
    assert body == {"a": 1}
    assert said["SCHEDULE_ARN"].endswith("schedule/default/often")
    assert (said["TARGET_ARN"], said["ERROR_CODE"], said["RETRY_ATTEMPTS"]) == (GONE, "NO_RESOURCE", "0")
    assert said["SCHEDULED_TIME"].startswith("2026-01-05T09:05:")
    assert {"EXECUTION_ID", "IS_PAYLOAD_TRUNCATED"} <= said.keys()
    assert "RULE_ARN" not in said


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (leave(RULE), True),
        (leave(f"arn:aws:events:us-east-1:{ACCOUNT}:rule/p*", action="sqs:*"), True),
        (leave(f"arn:aws:events:us-east-1:{ACCOUNT}:rule/other"), False),
        (leave(RULE, action="sqs:ReceiveMessage"), False),
        (leave(RULE, service="sns.amazonaws.com"), False),
        ("", False),
    ],
)
def test_a_rule_needs_the_queues_leave(cloud: Cloud, queue: str, policy: str, told: bool) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html#eb-dlq-perms"""
    cloud.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    rule(cloud)
    send(cloud, sum=3)
    assert len(letters(cloud, queue)) == told
    assert len(cloud.clock.failures) == (not told)
    cloud.clock.failures.clear()


def test_a_fault_of_the_world_may_drop_repeat_or_delay(cloud: Cloud, workshop: Any, queue: str) -> None:
    workshop.handler("Take", "return event")
    name = workshop.deploy(cloud).resources["TakeFunction"]
    rule(cloud, f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}")
    seen: list[Delivery] = []

    def twice_and_late(delivery: Delivery, hand_over: Callable[[], None]) -> None:
        def later() -> None:
            cloud.clock.sleep(30)
            hand_over()

        seen.append(delivery)
        hand_over()
        cloud.clock.spawn(later, "late")

    cloud.events.courier = twice_and_late
    send(cloud, sum=3)
    cloud.until(lambda: False, 60)
    at = [entry["at"] for entry in cloud.lambda_invocations]
    assert [round(each - at[0]) for each in at] == [0, 30]
    assert (seen[0].rule, seen[0].target["Id"]) == (RULE, "one")
    assert seen[0].event is not None
    assert json.loads(seen[0].payload) == seen[0].event
    cloud.events.courier = lambda delivery, hand_over: None
    send(cloud, sum=4)
    cloud.until(lambda: False, 60)
    assert len(cloud.lambda_invocations) == 2
