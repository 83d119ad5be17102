"""CloudWatch: alarms by name, absent ones noticed, and requests counted in whole minutes."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.account import NOW, RELEASE, Account
from viridian import names
from viridian.acts import green
from viridian.aws import alarms, load_balancer

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


def requests_since(account: Account, since: datetime) -> int:
    balancer = load_balancer.dimension(account.shop.load_balancer_arn)
    blue = load_balancer.dimension(account.shop.target_group_arn)
    return alarms.requests(balancer, blue, since, datetime.now(UTC))


def test_requests_are_those_of_one_group_since_a_moment(account: Account) -> None:
    account.serve("blue", 7)
    account.later(minutes=2)
    account.serve("blue", 20)
    account.serve("third", 400)
    account.later(minutes=1)
    account.serve("blue", 3)
    assert requests_since(account, NOW) == 30
    assert requests_since(account, NOW + timedelta(minutes=2)) == 23


def test_no_requests_are_none(account: Account) -> None:
    assert requests_since(account, NOW) == 0
