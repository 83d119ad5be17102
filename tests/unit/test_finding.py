"""What a service can be made of, and the profile to begin with."""

from datetime import UTC, datetime
from typing import Any

import pytest

from viridian.fleet import Side
from viridian.request import Profile, SmokeTest
from viridian.traffic import Forward
from viridian.verdict import AlarmState
from viridian_cli import finding
from viridian_cli.finding import Entrance, Way

NEAR = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
ROUTE = f"{NEAR}:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
BLUE = Side(group="shop-1", target_group="shop-1", minimum=2, desired=2, maximum=4)
PROFILE = Profile(route=ROUTE)


def alarm(name: str, state: str = "OK", seconds: int = 60, **shown: Any) -> tuple[dict[str, Any], AlarmState]:
    told = AlarmState(
        name=name,
        arn=f"arn:{name}",
        state=state,
        reason="",
        since=datetime(2026, 1, 5, tzinfo=UTC),
        evaluation_seconds=seconds,
        actions=tuple(shown.pop("actions", ())),
    )
    return {"AlarmName": name, **shown}, told


def dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def test_a_guard_looks_at_the_whole_load_balancer_and_at_nothing_that_goes_with_blue() -> None:
    fit, unfit = finding.guards(
        [
            alarm("errors", "ALARM", Dimensions=dimensions(LoadBalancer="app/shop/1")),
            alarm(
                "blue", Dimensions=dimensions(LoadBalancer="app/shop/1", TargetGroup="targetgroup/shop-1/2")
            ),
            alarm("scaling", actions=["arn:...:autoScalingGroupName/shop-1:policyName/up"]),
            alarm("slow", seconds=3600),
        ],
        BLUE,
        PROFILE,
    )
    assert fit == ["errors"]
    assert {name: why.split(". ")[0] for name, why in unfit.items()} == {
        "blue": "blue looks at one target group",
        "scaling": "scaling belongs to a scaling policy of shop-1, and goes when that group goes",
        "slow": "10",
    }


def test_a_profile_takes_no_more_than_ten_guards() -> None:
    fit, unfit = finding.guards([alarm(f"guard-{n:02}") for n in range(11)], BLUE, PROFILE)
    assert (len(fit), list(unfit)) == (10, ["guard-10"])


@pytest.mark.parametrize(
    ("metric", "watched"),
    [
        ({"Dimensions": dimensions(LoadBalancer="app/shop/1")}, True),
        (
            {"Metrics": [{"MetricStat": {"Metric": {"Dimensions": dimensions(LoadBalancer="app/shop/1")}}}]},
            True,
        ),
        ({"Dimensions": dimensions(LoadBalancer="app/other/1")}, False),
        ({"Metrics": [{"Expression": "1 + 1"}]}, False),
    ],
)
def test_an_alarm_is_known_by_what_its_metrics_look_at(metric: dict[str, Any], watched: bool) -> None:
    assert finding.watches(metric, "app/shop/1") is watched


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"HealthCheckPath": "/ping"}, SmokeTest(path="/ping")),
        ({"HealthCheckPath": "/ping", "Matcher": {"HttpCode": "204"}}, SmokeTest(path="/ping", status=204)),
        (
            {"HealthCheckPath": "/ping", "Matcher": {"HttpCode": "200,204"}},
            SmokeTest(path="/ping", status=(200, 204)),
        ),
        ({"HealthCheckPath": "/ping", "Matcher": {"HttpCode": "200-299"}}, SmokeTest(path="/ping")),
        ({"HealthCheckPath": '/a"b'}, SmokeTest(path="/")),
        ({}, SmokeTest(path="/")),
    ],
)
def test_green_is_asked_what_the_load_balancer_asks(shown: dict[str, Any], expected: SmokeTest) -> None:
    assert finding.smoke_test(shown, ()) == expected


@pytest.mark.parametrize(("rate", "enough"), [(0.0, 50), (1200.0, 50), (60.0, 15), (1.0, 1)])
def test_where_few_ask_fewer_requests_are_enough_to_judge_by(rate: float, enough: int) -> None:
    assert finding.thresholds(rate, PROFILE).minimum_requests == enough


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("shop-1", "shop"),
        ("Shop_Web-blue-ASG", "shop-web"),
        ("viridian-shop-2.0.0-3f9c21", "viridian-shop-2-0-0"),
        ("12345", "service"),
        ("a-very-long-name-of-a-group-indeed", "a-very-long-name-of"),
    ],
)
def test_a_service_is_called_as_its_group_is(group: str, name: str) -> None:
    entrance = Entrance(route=ROUTE, load_balancer="", words="", forward=Forward(weights={}))
    found = finding.service_name(Way(entrance=entrance, target_group="", group=group))
    finding.ensure_name(found)
    assert found == name
