"""CloudWatch: alarms by name, absent ones noticed, and what they look at measured by the minute."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.account import NOW, RELEASE, Account
from viridian import names, signals
from viridian.acts import green
from viridian.aws import alarms
from viridian.signals import Measured

OURS = names.tags("shop", RELEASE)


def test_an_alarm_that_does_not_exist_is_not_among_those_that_do(account: Account) -> None:
    found = alarms.states(["shop-errors", "nothing", "shop-errors"])
    assert [alarm.name for alarm in found] == ["shop-errors"]


def test_no_names_are_no_alarms_and_not_all_of_them(account: Account) -> None:
    account.calls.clear()
    assert alarms.states([]) == ()
    assert account.calls == []


def test_an_alarm_has_its_state_its_reason_and_since_when(account: Account) -> None:
    account.turn("shop-errors", "ALARM")
    (alarm,) = alarms.states(["shop-errors"])
    assert (alarm.state, alarm.reason) == ("ALARM", "because of a test")
    assert alarm.since - NOW < timedelta(minutes=1)
    assert alarm.arn.endswith(":alarm:shop-errors")


@pytest.mark.parametrize(("period", "periods", "seconds"), [(60, 1, 60), (60, 5, 300), (300, 3, 900)])
def test_an_evaluation_looks_at_its_periods_together(
    account: Account, period: int, periods: int, seconds: int
) -> None:
    account.client("cloudwatch").put_metric_alarm(
        AlarmName="other",
        Namespace="AWS/ApplicationELB",
        MetricName="RequestCount",
        Statistic="Sum",
        Period=period,
        EvaluationPeriods=periods,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=1,
    )
    assert [alarm.evaluation_seconds for alarm in alarms.states(["other"])] == [seconds]


def test_the_period_of_an_expressions_metrics_counts(account: Account) -> None:
    assert account
    assert [alarm.evaluation_seconds for alarm in alarms.states(["shop-errors"])] == [60]


def test_an_alarm_is_made_as_it_was_decided(account: Account) -> None:
    account.before("create_green").run("create_green")
    wanted = {
        each.name: each for each in green.wanted_alarms(account.record(), account.target_group("green"))
    }
    found = account.client("cloudwatch").describe_alarms(AlarmNames=list(wanted))["MetricAlarms"]
    assert len(found) == len(wanted) == 4
    for alarm in found:
        one = wanted[alarm["AlarmName"]]
        assert alarm["Threshold"] == one.threshold
        assert alarm["EvaluationPeriods"] == one.periods
        assert alarm["TreatMissingData"] == one.missing
        assert len(alarm["Metrics"]) == len(one.metrics)
        tags = account.client("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == OURS


def test_only_those_that_are_missing_are_made_again(account: Account) -> None:
    record = account.before("shift_traffic").record()
    account.client("cloudwatch").delete_alarms(AlarmNames=[f"viridian-shop-{RELEASE}-errors"])
    account.calls.clear()
    alarms.make(green.wanted_alarms(record, account.target_group("green")), OURS, record.fence())
    assert [request["AlarmName"] for request in account.requests("PutMetricAlarm")] == [
        f"viridian-shop-{RELEASE}-errors"
    ]


def test_deleting_names_those_that_stand_and_no_others(account: Account) -> None:
    record = account.before("shift_traffic").record()
    alarms.delete([f"viridian-shop-{RELEASE}-errors", "nothing"], record.fence())
    assert account.requests("DeleteAlarms") == [{"AlarmNames": [f"viridian-shop-{RELEASE}-errors"]}]
    alarms.delete(["nothing"], record.fence())
    assert account.writes() == ["DeleteAlarms"]


def measured_since(account: Account, since: datetime) -> Measured:
    own = green.wanted_alarms(account.before("shift_traffic").record(), account.target_group("blue"))
    return alarms.measure(signals.measures(own), since, datetime.now(UTC))


def test_what_alarms_look_at_is_measured_by_the_minute_and_for_one_group(account: Account) -> None:
    for served in (100, 20, 10):
        account.serve("blue", served)
        account.serve("third", 400)
        account.later(minutes=1)
    account.serve("blue", 2, "HTTPCode_Target_5XX_Count")
    measured = measured_since(account, NOW + timedelta(minutes=1))
    minutes = [NOW + timedelta(minutes=n) for n in range(4)]
    assert measured["requests"] == {minutes[1]: 20, minutes[2]: 10}
    assert measured["failures"] == {minutes[3]: 2}
    assert measured["errors"] == {minutes[1]: 0, minutes[2]: 0}


def test_nothing_measured_is_nothing(account: Account) -> None:
    assert not any(measured_since(account, NOW).values())
