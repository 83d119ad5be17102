"""Brings an event to a target: what EventBridge and its Scheduler try again, and what ends in a dead-letter queue.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from moto.awslambda.utils import get_backend as lambda_backend
from moto.core.exceptions import ServiceException
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.exceptions import InvalidExecutionInput
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from werkzeug.exceptions import HTTPException

from local.clocks.clock import Clock
from local.control.functions import Functions, qualifier_of

TRIED_AGAIN = ("CONNECTION_FAILURE", "INTERNAL_ERROR", "THROTTLING", "TIMEOUT")
MOST_RETRIES, OLDEST_SECONDS = 185, 86_400
LONGEST_PAUSE = 300.0  # AWS names no figures for its back-off


@dataclass(frozen=True)
class Delivery:
    """One event on its way from a rule or schedule to one target; a schedule has no event, only a payload."""

    rule: str
    target: Mapping[str, Any]
    payload: str
    at: float
    event: Mapping[str, Any] | None = None

    @property
    def service(self) -> str:
        return str(self.target["Arn"].split(":")[2])

    @property
    def scheduled(self) -> bool:
        return self.rule.split(":")[2] == "scheduler"


class Undeliverable(Exception):
    """The target can't take it now, or ever, by its code."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


Courier = Callable[[Delivery, Callable[[], None]], None]


def at_once(delivery: Delivery, hand_over: Callable[[], None]) -> None:
    hand_over()


class Deliveries:
    """What is on its way in one account and Region.

    `courier` carries each delivery: a fault of the world may put another in its place, that hands over late, twice or
    never, or raises Undeliverable.
    """

    def __init__(self, clock: Clock, functions: Functions, account: str, region: str) -> None:
        self.courier: Courier = at_once
        self._clock, self._functions = clock, functions
        self._account, self._region = account, region

    def send(self, delivery: Delivery) -> None:
        problem = self._attempt(delivery)
        if problem is None:
            return
        if problem.code in TRIED_AGAIN:
            self._clock.spawn(
                lambda: self._try_again(delivery, problem), f"delivery to {delivery.target['Arn']}"
            )
        else:
            self._give_up(delivery, problem, 0, None)

    def _try_again(self, delivery: Delivery, problem: Undeliverable) -> None:
        policy = delivery.target.get("RetryPolicy", {})
        retries = policy.get("MaximumRetryAttempts", MOST_RETRIES)
        oldest = policy.get("MaximumEventAgeInSeconds", OLDEST_SECONDS)
        for tried in range(retries):
            pause = min(2.0**tried, LONGEST_PAUSE)
            if self._clock.now() + pause - delivery.at > oldest:
                return self._give_up(delivery, problem, tried, "MaximumEventAgeInSeconds")
            self._clock.sleep(pause)
            again = self._attempt(delivery)
            if again is None:
                return None
            problem = again
            if problem.code not in TRIED_AGAIN:
                return self._give_up(delivery, problem, tried + 1, None)
        return self._give_up(delivery, problem, retries, "MaximumRetryAttempts")

    def _attempt(self, delivery: Delivery) -> Undeliverable | None:
        try:
            self.courier(delivery, lambda: self._hand_over(delivery))
        except Undeliverable as problem:
            return problem
        except InvalidExecutionInput as problem:
            return Undeliverable("INVALID_PARAMETER", str(problem))
        except (ServiceException, HTTPException) as problem:  # what moto says of something that isn't there
            return Undeliverable("NO_RESOURCE", f"{problem!r}")
        return None

    def _hand_over(self, delivery: Delivery) -> None:
        arn = delivery.target["Arn"]
        if delivery.service == "lambda":
            function = lambda_backend(self._account, self._region).get_function(arn)
            self._functions.invoke_later(function, delivery.payload, qualifier_of(arn))
        elif delivery.service == "states":
            machines: Any = stepfunctions_parser_backends[self._account][self._region]
            machines.start_execution(arn, str(uuid.uuid4()), delivery.payload)
        elif delivery.service == "sns":
            self._to_topic(delivery, arn)
        else:
            self._to_queue(delivery, arn, delivery.payload)

    def _to_topic(self, delivery: Delivery, arn: str) -> None:
        """A rule needs the topic's leave, and that of the key which protects it; AWS's own for SNS gives it to no rule.

        https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        """
        topic = sns_backends[self._account][self._region].get_topic(arn)
        if not _may_send(topic.policy, arn, delivery.rule, "sns:publish"):
            raise Undeliverable("NO_PERMISSIONS", f"the policy of {arn} doesn't let {delivery.rule} publish")
        if topic.kms_master_key_id == "alias/aws/sns":
            raise Undeliverable("NO_PERMISSIONS", f"EventBridge may not use the key of {arn}")
        topic.publish(delivery.payload)

    def _to_queue(
        self, delivery: Delivery, arn: str, body: str, attributes: Mapping[str, Any] | None = None
    ) -> None:
        """A rule needs the queue's leave; a schedule comes with a role of its own."""
        queues = sqs_backends[self._account][self._region]
        queue = queues.get_queue(arn.split(":")[-1])
        if not delivery.scheduled and not _may_send(queue.policy, arn, delivery.rule, "sqs:sendmessage"):
            raise Undeliverable(
                "NO_PERMISSIONS", f"the policy of {arn} doesn't let {delivery.rule} send to it"
            )
        queues.send_message(queue.name, body, message_attributes=dict(attributes or {}))

    # --- what can't be delivered --------------------------------------------------------------------------

    def _give_up(
        self, delivery: Delivery, problem: Undeliverable, retries: int, exhausted: str | None
    ) -> None:
        queue = delivery.target.get("DeadLetterConfig", {}).get("Arn")
        told = f"{problem.code}: {problem}"
        if queue is None:
            self._clock.failures.append(f"an event can't be delivered to {delivery.target['Arn']}: {told}")
            return
        attributes = dict(self._attributes(delivery, problem, retries, exhausted))
        body = delivery.payload if delivery.event is None else json.dumps(delivery.event)
        try:
            self._to_queue(delivery, queue, body, attributes)
        except Exception as again:
            self._clock.failures.append(f"{queue} can't take what was for {delivery.target['Arn']}: {again}")

    def _attributes(
        self, delivery: Delivery, problem: Undeliverable, retries: int, exhausted: str | None
    ) -> Iterator[tuple[str, dict[str, str]]]:
        said = {
            "TARGET_ARN": delivery.target["Arn"],
            "ERROR_CODE": problem.code,
            "ERROR_MESSAGE": str(problem),
            "RETRY_ATTEMPTS": str(retries),
            "EXHAUSTED_RETRY_CONDITION": exhausted,
        }
        if delivery.scheduled:
            at = datetime.fromtimestamp(delivery.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            said |= {"SCHEDULE_ARN": delivery.rule, "SCHEDULED_TIME": at, "IS_PAYLOAD_TRUNCATED": "false"}
            said |= {"EXECUTION_ID": str(uuid.uuid4())}
        else:
            said |= {"RULE_ARN": delivery.rule}
        for name, value in said.items():
            if value:
                yield name, {"DataType": "String", "StringValue": value}


def _may_send(policy: str | None, target: str, rule: str, action: str) -> bool:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions"""
    statements = json.loads(policy or "{}").get("Statement", [])
    return any(_lets(statement, target, rule, action) for statement in statements)


def _lets(statement: Mapping[str, Any], target: str, rule: str, asked: str) -> bool:
    principal = statement.get("Principal", {})
    services = ["*"] if principal == "*" else _list(principal.get("Service", principal.get("AWS")))
    conditions = [
        (key.lower(), value)
        for condition in statement.get("Condition", {}).values()
        for key, value in condition.items()
    ]
    sources = [pattern for key, value in conditions if key == "aws:sourcearn" for pattern in _list(value)]
    return (
        statement.get("Effect") == "Allow"
        and "aws:sourceowner" not in dict(conditions)  # the owner's own calls, as a new topic lets them in
        and bool({"events.amazonaws.com", "*"} & set(services))
        and any(fnmatchcase(asked, action.lower()) for action in _list(statement.get("Action")))
        and any(fnmatchcase(target, resource) for resource in _list(statement.get("Resource")))
        and (not sources or any(fnmatchcase(rule, pattern) for pattern in sources))
    )


def _list(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)
