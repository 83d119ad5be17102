"""What CloudWatch remembers of alarms: each change of state with its data points, of a deleted alarm too."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.metrics.alarm_history import AlarmHistory
from tests.local import alone
from tests.local.alone import standing

REASON = json.dumps({"version": "1.0", "recentDatapoints": [9.0], "threshold": 5.0})


class World(alone.World):
    def put(self, name: str = "errors") -> None:
        self.client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            Namespace="app",
            MetricName="errors",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=5.0,
            ComparisonOperator="GreaterThanThreshold",
        )

    def turn(self, state: str, name: str = "errors") -> None:
        self.client("cloudwatch").set_alarm_state(
            AlarmName=name, StateValue=state, StateReason=f"it is {state}", StateReasonData=REASON
        )

    def history(self, **asked: Any) -> list[dict[str, Any]]:
        return list(self.client("cloudwatch").describe_alarm_history(**asked)["AlarmHistoryItems"])


@pytest.fixture
def cloud() -> Iterator[World]:
    with standing(AlarmHistory()):
        world = World()
        world.put()
        yield world


def test_a_change_is_told_with_both_states_and_the_data_points(cloud: World) -> None:
    cloud.turn("ALARM")
    (item,) = cloud.history(AlarmName="errors", HistoryItemType="StateUpdate")
    assert (item["AlarmName"], item["AlarmType"]) == ("errors", "MetricAlarm")
    assert item["HistorySummary"] == "Alarm updated from OK to ALARM"
    told = json.loads(item["HistoryData"])
    assert told["oldState"]["stateValue"] == "OK"
    assert told["newState"] == {
        "stateValue": "ALARM",
        "stateReason": "it is ALARM",
        "stateReasonData": json.loads(REASON),
    }


def test_a_deleted_alarm_is_remembered(cloud: World) -> None:
    cloud.turn("ALARM")
    cloud.client("cloudwatch").delete_alarms(AlarmNames=["errors"])
    assert len(cloud.history(AlarmName="errors")) == 1


def test_the_newest_come_first_unless_the_oldest_are_asked_for(cloud: World) -> None:
    cloud.turn("ALARM")
    cloud.turn("OK")

    def turns(**asked: str) -> list[str]:
        return [item["HistorySummary"].rsplit(" ", 1)[1] for item in cloud.history(**asked)]

    assert turns() == ["OK", "ALARM"]
    assert turns(ScanBy="TimestampAscending") == ["ALARM", "OK"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, 1),
        ({"AlarmName": "another"}, 0),
        ({"AlarmTypes": ["CompositeAlarm"]}, 0),
        ({"AlarmTypes": ["CompositeAlarm", "MetricAlarm"]}, 1),
        ({"HistoryItemType": "Action"}, 0),
        ({"StartDate": timedelta(minutes=-1)}, 1),
        ({"StartDate": timedelta(minutes=1)}, 0),
        ({"EndDate": timedelta(minutes=-1)}, 0),
        ({"EndDate": timedelta(minutes=1)}, 1),
    ],
)
def test_only_what_is_asked_for_is_told(cloud: World, asked: dict[str, Any], found: int) -> None:
    cloud.turn("ALARM")
    now = datetime.now(UTC)
    asked = {name: now + value if isinstance(value, timedelta) else value for name, value in asked.items()}
    assert len(cloud.history(**asked)) == found
