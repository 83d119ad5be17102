"""EventBridge that arrives: rules reach functions and state machines, schedules fire, AWS's own events are sent."""

import copy
import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.cloudwatch.models import Alarm
from moto.events.models import Rule, events_backends
from moto.scheduler.models import scheduler_backends

from local.clocks.clock import Clock
from local.control import alarm_actions
from local.control.delivery import Courier, Deliveries, Delivery
from local.control.functions import Functions

_RATE = re.compile(r"rate\((\d+) (second|minute|hour|day)s?\)")
# Of an input template: quotes that aren't escaped, variables, and what is between them.
_PARTS = re.compile(r'"|<[\w.-]+>|\\.|[^"<\\]+|<')
_UNIT = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Events:
    """EventBridge and EventBridge Scheduler of one account and Region."""

    def __init__(self, clock: Clock, functions: Functions, account: str, region: str) -> None:
        self._clock = clock
        self._deliveries = Deliveries(clock, functions, account, region)
        self._account, self._region = account, region
        self._due: dict[str, float] = {}
        self._hooks = ExitStack()

    def install(self) -> None:
        self._hooks.enter_context(patch.object(Rule, "send_to_targets", self._around(Rule.send_to_targets)))
        self._hooks.enter_context(patch.object(Alarm, "update_state", self._around_alarm(Alarm.update_state)))

    def uninstall(self) -> None:
        self._hooks.close()

    @property
    def courier(self) -> Courier:
        """Who carries each delivery; a fault of the world may put another in its place."""
        return self._deliveries.courier

    @courier.setter
    def courier(self, courier: Courier) -> None:
        self._deliveries.courier = courier

    # --- AWS's own events ---------------------------------------------------------------------------------

    def emit(self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        """Puts an event of AWS's own on the default bus."""
        event = {
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail, default=str),
            "Resources": resources,
            "Time": self._clock.now(),
        }
        events_backends[self._account][self._region].put_events([event])

    def execution_changed(self, execution: Any, status: str) -> None:
        """https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
        ended = execution.stop_date if status != "RUNNING" else None
        detail = {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": status,
            "startDate": _millis(execution.start_date),
            "stopDate": _millis(ended),
            "input": json.dumps(execution.input_data, default=str),
            "inputDetails": {"included": True},
            "output": json.dumps(execution.output, default=str) if status == "SUCCEEDED" else None,
            "error": execution.error,
            "cause": execution.cause,
        }
        self.emit("aws.states", "Step Functions Execution Status Change", detail, [execution.exec_arn])

    def _around_alarm(self, original: Callable[..., None]) -> Callable[..., None]:
        events = self

        def update_state(alarm: Any, reason: str, reason_data: str, state_value: str) -> None:
            before = _state(alarm)
            original(alarm, reason, reason_data, state_value)
            if before["value"] != state_value:
                events.alarm_changed(alarm, before)
                alarm_actions.carry_out(alarm, before["value"], events._clock)

        return update_state

    def alarm_changed(self, alarm: Any, before: dict[str, Any]) -> None:
        """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html"""
        detail = {
            "alarmName": alarm.name,
            "state": _state(alarm),
            "previousState": before,
            "configuration": {"description": alarm.description},
        }
        self.emit("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.alarm_arn])

    # --- rules --------------------------------------------------------------------------------------------

    def _around(self, original: Callable[..., None]) -> Callable[..., None]:
        events = self

        def send_to_targets(rule: Any, original_event: Any, transform_input: bool = True) -> None:
            if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
                return
            event = _readable(original_event)
            if not rule.event_pattern.matches_event(event):
                return
            ours = [
                target for target in rule.targets if _service(target) in ("lambda", "states", "sqs", "sns")
            ]
            others = [target for target in rule.targets if target not in ours]
            for target in ours:
                payload, now = _payload(target, event), events._clock.now()
                events._deliveries.send(Delivery(rule.arn, target, payload, now, event))
            if others:
                rest = copy.copy(rule)
                rest.targets = others
                original(rest, original_event, transform_input)

        return send_to_targets

    # --- schedules ----------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Fires the schedules that are due; only rate(...) is known."""
        for name, expression, targets in self._schedules():
            period = _period(expression)
            due = self._due.setdefault(name, now + period)
            if now >= due:
                self._due[name] = max(due + period, now)
                for target in targets:
                    self._deliveries.send(self._of_schedule(name, target, due))

    def _schedules(self) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
        for group in list(scheduler_backends[self._account][self._region].schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                if schedule.state == "ENABLED":
                    yield schedule.arn, schedule.schedule_expression, [schedule.target]
        for bus in list(events_backends[self._account][self._region].event_buses.values()):
            for rule in list(bus.rules.values()):
                if rule.state == "ENABLED" and rule.scheduled_expression:
                    yield rule.arn, rule.scheduled_expression, rule.targets

    def _of_schedule(self, name: str, target: dict[str, Any], due: float) -> Delivery:
        event = self._scheduled(name) if name.split(":")[2] == "events" else None
        payload = target.get("Input") or json.dumps(event or self._scheduled(name))
        return Delivery(name, target, payload, due, event)

    def _scheduled(self, name: str) -> dict[str, Any]:
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self._account,
            "time": _iso(self._clock.now()),
            "region": self._region,
            "resources": [name],
            "detail": {},
        }


def _period(expression: str) -> float:
    found = _RATE.fullmatch(expression)
    if not found:
        raise ValueError(f"the schedule {expression} isn't rate(...): the local cloud knows no other")
    return float(int(found[1]) * _UNIT[found[2]])


def _payload(target: dict[str, Any], event: dict[str, Any]) -> str:
    if target.get("Input"):
        return str(target["Input"])
    transformer = target.get("InputTransformer")
    if transformer:
        return _transformed(transformer["InputTemplate"], transformer.get("InputPathsMap", {}), event)
    if target.get("InputPath"):
        return json.dumps(_at(event, target["InputPath"]))
    return json.dumps(event)


def _transformed(template: str, paths: dict[str, str], event: dict[str, Any]) -> str:
    """A variable outside of quotes comes as JSON, one inside of them as text; what isn't there is nothing.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    values = {name: _at(event, path) for name, path in paths.items()}
    values["aws.events.event.json"] = event
    quoted, written = False, []
    for part in _PARTS.findall(template):
        name = part[1:-1] if part.startswith("<") else None
        if part == '"':
            quoted = not quoted
        if name not in values:
            written.append(part)
        elif quoted:
            value = values[name]
            text = value if isinstance(value, str) else json.dumps(value)
            written.append(json.dumps(text)[1:-1])
        else:
            written.append(json.dumps(values[name]))
    return "".join(written)


def _at(event: dict[str, Any], path: str) -> Any:
    value: Any = event
    for key in path.removeprefix("$").strip(".").split("."):
        value = (value or {}).get(key) if key else value
    return value


def _readable(event: Any) -> dict[str, Any]:
    """The event as targets see it: an ISO time, and none of moto's own fields."""
    plain = {key: value for key, value in event.items() if key != "ingestion-time"}
    if not isinstance(plain["time"], str):
        plain["time"] = _iso(float(plain["time"]))
    return plain


def _service(target: dict[str, Any]) -> str:
    return str(target["Arn"].split(":")[2])


def _state(alarm: Any) -> dict[str, Any]:
    at = alarm.state_updated_timestamp.replace(tzinfo=UTC).timestamp()
    return {"value": alarm.state_value, "reason": alarm.state_reason, "timestamp": _iso(at)}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _millis(at: datetime | None) -> int | None:
    return int(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1000) if at else None
