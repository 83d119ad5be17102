"""Reality of AWS that moto leaves out: alarms are evaluated, and begin undecided."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from moto.cloudwatch.models import Alarm

from local.metrics.alarms import Alarms, judge
from local.reality import Reality
from tests.local import alone
from tests.local.alone import Clock, standing


class World(alone.World):
    """A metric, an alarm on it, and a clock that a test moves."""

    alarms: Alarms

    def put(self, **changes: Any) -> None:
        request: dict[str, Any] = {
            "AlarmName": "errors",
            "Namespace": "app",
            "MetricName": "errors",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 5.0,
            "ComparisonOperator": "GreaterThanThreshold",
            **changes,
        }
        self.client("cloudwatch").put_metric_alarm(**{k: v for k, v in request.items() if v is not None})

    def see(self, *values: float, name: str = "errors", ago: float = 60) -> None:
        """Each value in the minute that began `ago` seconds back."""
        at = datetime.fromtimestamp((self.clock.now() - ago) // 60 * 60, UTC)
        data = [{"MetricName": name, "Value": value, "Timestamp": at} for value in values]
        self.client("cloudwatch").put_metric_data(Namespace="app", MetricData=data)

    def later(self, seconds: float) -> None:
        for _ in range(int(seconds // 5)):
            self.clock.time += 5
            self.alarms.tick(self.clock.now())

    @property
    def alarm(self) -> dict[str, Any]:
        return dict(self.client("cloudwatch").describe_alarms()["MetricAlarms"][0])

    @property
    def state(self) -> str:
        return str(self.alarm["StateValue"])


@pytest.fixture
def cloud() -> Iterator[World]:
    clock = Clock()
    alarms = Alarms(clock, Reality())
    with standing(alarms):
        yield World(clock=clock, alarms=alarms)


def test_a_new_alarm_is_undecided_and_an_update_leaves_the_state(cloud: World) -> None:
    """C1."""
    cloud.put()
    assert cloud.state == "INSUFFICIENT_DATA"
    cloud.alarms.tick(cloud.clock.now())
    cloud.later(50)
    cloud.see(9)
    cloud.later(10)
    before = cloud.alarm
    assert before["StateValue"] == "ALARM"
    cloud.put(Threshold=100.0)
    after = cloud.alarm
    kept = ("StateValue", "StateReason", "StateUpdatedTimestamp")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert after["Threshold"] == 100.0
    cloud.later(60)
    assert cloud.state == "OK"


def test_an_alarm_is_evaluated_once_a_minute(cloud: World) -> None:
    """C4: no finer than a minute."""
    cloud.put()
    cloud.alarms.tick(cloud.clock.now())
    cloud.see(9)
    cloud.later(55)
    assert cloud.state == "INSUFFICIENT_DATA"
    cloud.later(5)
    assert cloud.state == "ALARM"


def test_the_reason_is_given_in_words_and_numbers(cloud: World) -> None:
    cloud.put(EvaluationPeriods=3, DatapointsToAlarm=2)
    for value in (1, 7, 8):
        cloud.later(60)
        cloud.see(value)
    cloud.later(60)
    alarm = cloud.alarm
    assert alarm["StateReason"].startswith("Threshold Crossed: 2 out of the last 3 datapoints [8.0 (")
    assert alarm["StateReason"].endswith(
        "were greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    data = json.loads(alarm["StateReasonData"])
    assert data["recentDatapoints"] == [1.0, 7.0, 8.0]
    assert [point["value"] for point in data["evaluatedDatapoints"]] == [8.0, 7.0, 1.0]
    assert alarm["StateTransitionedTimestamp"] == alarm["StateUpdatedTimestamp"]


def test_what_missing_data_decided_is_said(cloud: World) -> None:
    """C2."""
    cloud.put(EvaluationPeriods=2, TreatMissingData="notBreaching")
    cloud.later(60)
    cloud.see(9)
    cloud.later(60)
    assert cloud.state == "OK"
    assert cloud.alarm["StateReason"] == (
        "Threshold Crossed: 1 missing datapoint was treated as [NonBreaching]."
    )


def test_only_a_change_is_an_update(cloud: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """C1: StateUpdatedTimestamp says since when."""
    updates: list[str] = []
    original = Alarm.update_state

    def update(alarm: Alarm, reason: str, data: str, value: str) -> None:
        updates.append(value)
        original(alarm, reason, data, value)

    monkeypatch.setattr(Alarm, "update_state", update)
    cloud.put()
    for value in (1, 2, 9, 9, 1, 1):
        cloud.later(60)
        cloud.see(value)
    cloud.later(60)
    assert updates == ["OK", "ALARM", "OK"]


def test_a_state_set_by_hand_lasts_until_the_next_evaluation(cloud: World) -> None:
    cloud.put(TreatMissingData="notBreaching")
    cloud.later(120)
    cloud.client("cloudwatch").set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a person")
    assert cloud.state == "ALARM"
    cloud.later(60)
    assert cloud.state == "OK"


def rate(**changes: Any) -> dict[str, Any]:
    def metric(key: str) -> dict[str, Any]:
        stat = {"Metric": {"Namespace": "app", "MetricName": key}, "Period": 60, "Stat": "Sum"}
        return {"Id": key, "MetricStat": stat, "ReturnData": False}

    expression = {"Id": "rate", "Expression": "IF(requests >= 50, 100 * FILL(errors, 0) / requests, 0)"}
    plain = dict.fromkeys(("MetricName", "Namespace", "Statistic", "Period"))
    return {**plain, "Metrics": [metric("errors"), metric("requests"), expression], **changes}


@pytest.mark.parametrize(
    ("requests", "errors", "state"), [(100, 6, "ALARM"), (100, None, "OK"), (49, 49, "OK"), (None, 6, "OK")]
)
def test_math_of_several_metrics_is_evaluated(
    cloud: World, requests: float | None, errors: float | None, state: str
) -> None:
    """C5: a rate with a request floor; fact 9: no errors is no data."""
    cloud.put(**rate(TreatMissingData="notBreaching"))
    cloud.later(60)
    for name, value in (("requests", requests), ("errors", errors)):
        if value is not None:
            cloud.see(value, name=name)
    cloud.later(60)
    assert cloud.state == state


def test_a_percentile_alarm_reads_the_distribution(cloud: World) -> None:
    """C6."""
    cloud.put(Statistic=None, ExtendedStatistic="p90", Threshold=1.0)
    cloud.later(60)
    cloud.see(*[0.1] * 95, *[5.0] * 5)
    cloud.later(60)
    assert cloud.state == "OK"
    cloud.see(*[0.1] * 80, *[5.0] * 20)
    cloud.later(60)
    assert cloud.state == "ALARM"


def test_a_percentile_of_few_samples_can_be_ignored(cloud: World) -> None:
    """C6."""
    cloud.put(
        Statistic=None, ExtendedStatistic="p99", Threshold=1.0, EvaluateLowSampleCountPercentile="ignore"
    )
    cloud.later(60)
    cloud.see(*[5.0] * 900)
    cloud.later(60)
    assert cloud.state == "INSUFFICIENT_DATA"
    cloud.see(*[5.0] * 1000)
    cloud.later(60)
    assert cloud.state == "ALARM"


def test_after_data_stop_old_points_are_read_again(cloud: World) -> None:
    """C3."""
    cloud.put(TreatMissingData="notBreaching")
    cloud.later(60)
    cloud.see(9)
    cloud.later(120)
    assert cloud.state == "ALARM"
    cloud.later(120)
    assert cloud.state == "OK"


def alarm(to_alarm: int, treat: str) -> Any:
    return SimpleNamespace(
        evaluation_periods=3,
        datapoints_to_alarm=to_alarm,
        comparison_operator="GreaterThanThreshold",
        threshold=5.0,
        treat_missing_data=treat,
        period=60,
        metric_data_queries=[],
    )


TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
KEEP = None


@pytest.mark.parametrize(
    ("points", "to_alarm", "states"),
    [
        ("0-X-X", 3, ("OK", "OK", "OK", "OK")),
        ("----0", 3, ("OK", "OK", "OK", "OK")),
        ("-----", 3, ("INSUFFICIENT_DATA", KEEP, "ALARM", "OK")),
        ("0XX-X", 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("--X--", 3, ("ALARM", KEEP, "ALARM", "OK")),
        ("0-X-X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("00X0X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0-X--", 2, ("OK", "OK", "ALARM", "OK")),
        ("----0", 2, ("OK", "OK", "ALARM", "OK")),
        ("---X-", 2, ("ALARM", KEEP, "ALARM", "OK")),
        ("----X", 3, (KEEP, KEEP, "ALARM", "OK")),
    ],
)
def test_missing_data_are_treated_as_the_guide_says(
    points: str, to_alarm: int, states: tuple[str | None, ...]
) -> None:
    """C2, C3: the guide's two tables of alarm states, row by row; the last row is its rule on early alarms."""
    series = {at * 60: {"0": 0.0, "X": 9.0}[point] for at, point in enumerate(points) if point != "-"}
    judged = tuple(judge(alarm(to_alarm, treat), series, 300).state for treat in TREATMENTS)
    assert judged == states
