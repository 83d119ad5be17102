"""A route by a Network Load Balancer, as decisions: what can be released behind one, and how green is asked there."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.account import NOW
from tests.unit.test_record import PLAN, RECORD
from viridian import network, watch
from viridian.errors import Refusal
from viridian.network import Listening
from viridian.request import Profile, Thresholds
from viridian.traffic import Forward

BLUE = PLAN.blue.target_group
LISTENER = PLAN.listener.replace(":listener/app/", ":listener/net/")


def refusal(check: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        check(*arguments)
    return refused.value


def profile(port: int | None) -> Profile:
    return Profile(route=LISTENER, preview_port=port)


@pytest.mark.parametrize(
    ("arn", "is_network"),
    [
        (LISTENER, True),
        (LISTENER.replace(":listener/", ":loadbalancer/").rpartition("/")[0], True),
        (PLAN.listener, False),
        (PLAN.listener.replace("/app/shop/", "/app/net/"), False),
        ("arn:aws:route53:::hostedzone/Z0123456789ABC/net", False),
    ],
)
def test_an_arn_says_whether_it_is_of_a_network_load_balancer(arn: str, is_network: bool) -> None:
    assert network.is_network(arn) is is_network


def test_a_listener_says_whose_it_is() -> None:
    assert network.balancer(LISTENER) == PLAN.load_balancer.replace("/app/", "/net/")


@pytest.mark.parametrize("protocol", ["UDP", "TCP_UDP", "QUIC", "TCP_QUIC"])
def test_listeners_whose_flows_have_no_preview_are_refused(protocol: str) -> None:
    network.ensure_flows("TCP", False)
    network.ensure_flows("TLS", False)
    refused = refusal(network.ensure_flows, protocol, False)
    assert (refused.field, refused.value) == ("route", f"a {protocol} listener")
    assert refusal(network.ensure_flows, "TCP", True).value == "blue's target group has stickiness enabled"


def test_limits_on_what_is_not_measured_are_refused_and_the_others_stay() -> None:
    network.ensure_measured(Thresholds(minimum_requests=500))
    for limits, field in (
        (Thresholds(error_percent=5), "thresholds.error_percent"),
        (Thresholds(latency_seconds=0.2), "thresholds.latency_seconds"),
    ):
        assert refusal(network.ensure_measured, limits).field == field


def test_a_preview_port_is_one_that_no_listener_has() -> None:
    standing = [Listening(arn=LISTENER, port=80, forward=Forward(weights={BLUE: 100}))]
    assert network.ensure_port(profile(8080), standing) == 8080
    for port, value in ((None, "missing"), (80, f"80 is {LISTENER}'s")):
        refused = refusal(network.ensure_port, profile(port), standing)
        assert (refused.field, refused.value) == ("preview_port", value)
    network.ensure_no_port(profile(None))
    assert refusal(network.ensure_no_port, profile(8080)).fix.startswith("Remove it")


@pytest.mark.parametrize(
    ("listener", "health_check", "asked"),
    [("TCP", "TCP", "HTTP"), ("TCP", "HTTP", "HTTP"), ("TCP", "HTTPS", "HTTPS"), ("TLS", "HTTP", "HTTPS")],
)
def test_green_is_asked_as_its_listener_or_its_targets_speak(
    listener: str, health_check: str, asked: str
) -> None:
    assert network.scheme(listener, health_check) == asked


def test_green_s_own_alarms_call_no_brake_before_it_has_a_user() -> None:
    """Whoever finds the preview listener is counted like one."""
    waiting = replace(RECORD, plan=replace(PLAN, listener=LISTENER))
    assert not [alarm for alarm in watch.alarms(waiting) if ":viridian-" in alarm]
    carrying = replace(waiting, first_weight_at=NOW)
    assert {alarm.rpartition("-")[2] for alarm in watch.alarms(carrying)} >= {"errors", "unhealthy"}
    assert watch.alarms(RECORD) == watch.alarms(replace(RECORD, first_weight_at=NOW)), (
        "a header keeps others out"
    )


def test_rules_beside_a_listener_are_refused() -> None:
    default = {"RuleArn": f"{LISTENER}/d", "IsDefault": True}
    network.ensure_no_rules([default])
    refused = refusal(network.ensure_no_rules, [default, {"RuleArn": f"{LISTENER}/r", "IsDefault": False}])
    assert (refused.field, refused.value) == ("route", f"rules stand beside it: {LISTENER}/r")
