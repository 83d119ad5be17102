"""Remembers how each alarm changed, of a deleted one too, and tells it as CloudWatch does. moto lacks the call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
"""

import json
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import Alarm
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local.hooks import Hooks


class AlarmHistory:
    """The state updates of one cloud's alarms; its configuration updates and actions nobody asks for."""

    def __init__(self) -> None:
        self._items: list[dict[str, Any]] = []
        self._hooks = Hooks()

    def install(self) -> None:
        self._hooks.wrap(Alarm, "update_state", self._note)
        self._hooks.set(CloudWatchResponse, "describe_alarm_history", lambda response: self._look(response))

    def uninstall(self) -> None:
        self._hooks.undo()

    def _note(self, original: Any, alarm: Alarm, *told: str) -> None:
        old = _state(alarm)
        original(alarm, *told)
        new = _state(alarm)
        self._items.append(
            {
                "AlarmName": alarm.name,
                "AlarmType": "MetricAlarm" if alarm.rule is None else "CompositeAlarm",
                "Timestamp": alarm.state_updated_timestamp.replace(tzinfo=UTC),
                "HistoryItemType": "StateUpdate",
                "HistorySummary": f"Alarm updated from {old['stateValue']} to {new['stateValue']}",
                "HistoryData": json.dumps({"version": "1.0", "oldState": old, "newState": new}),
            }
        )

    def _look(self, response: CloudWatchResponse) -> ActionResult:
        """Metric alarms alone unless more is asked for; the newest first unless the oldest are."""
        name, kind = response._get_param("AlarmName"), response._get_param("HistoryItemType", "StateUpdate")
        types = response._get_param("AlarmTypes", []) or ["MetricAlarm"]
        since, until = (_moment(response._get_param(param)) for param in ("StartDate", "EndDate"))
        found = [
            item
            for item in self._items
            if name in (None, item["AlarmName"])
            and item["AlarmType"] in types
            and item["HistoryItemType"] == kind
            and (since is None or since <= item["Timestamp"])
            and (until is None or item["Timestamp"] <= until)
        ]
        newest_first = response._get_param("ScanBy") != "TimestampAscending"
        return ActionResult({"AlarmHistoryItems": found[::-1] if newest_first else found})


def _state(alarm: Alarm) -> dict[str, Any]:
    told = {"stateValue": alarm.state_value, "stateReason": alarm.state_reason}
    data = json.loads(alarm.state_reason_data or "{}")
    return {**told, "stateReasonData": data} if data else told


def _moment(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=value.tzinfo or UTC) if value else None
