"""A release behind a Network Load Balancer: flows by weight, and a preview listener where there are no rules."""

import http.client
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from local import seed
from local.plane import network
from tests.stack import ROOT
from tests.workflow.test_refusals import ensure_refused
from tests.workflow.test_rescue import stop, until_blue, until_free
from tests.workflow.test_smoke_tests import output
from tests.workflow.world import ONE_STEP, World
from tests.workflow.world import opened as any_opened

PAGE = (ROOT / "docs" / "network-load-balancers.md").read_text(encoding="utf-8")
(PROFILE,) = map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
IDS = re.compile(r"(/[0-9a-f]{16})+$")


@contextmanager
def opened(**changes: Any) -> Iterator[World]:
    """A service whose profile is the page's, but for the ids in its route."""
    profile = {name: value for name, value in PROFILE.items() if name not in ("route", "guards")}
    with any_opened(route="network", tracking="cpu", **{**profile, **changes}) as world:
        yield world


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as world:
        yield world


def ensure_as_before(world: World) -> None:
    """Blue has all the flows, and nothing is left of any release."""
    until_free(world)
    assert (world.weights(), world.standby()) == ({"shop-1": 100}, None)
    assert world.group().minimum == 2


def cut(world: World) -> int:
    """The flows that nobody answered."""
    return sum(counts.elb_5xx for counts in world.cloud.plane.counts().values())


def test_a_plan_reads_the_route_once_and_once_who_listens_beside_it(world: World) -> None:
    """Beside that it counts the listeners, and looks for rules on each."""
    planned = world.release(dry_run=True)
    assert planned.end == "Planned"
    asked = [entry for entry in world.cloud.calls.of(planned.arn) if entry["call"] == "DescribeListeners"]
    by = [sorted(entry["request"]) for entry in asked]
    assert (by.count(["ListenerArns"]), by.count(["LoadBalancerArn"])) == (1, 3)


def test_a_good_release_is_promoted_and_blue_stays_behind_the_preview_listener(world: World) -> None:
    """Its profile is the page's."""
    assert IDS.sub("", PROFILE["route"]) == IDS.sub("", world.shop.route_arn)
    assert PROFILE["guards"] == [world.shop.guard_alarm]
    release = world.release()
    assert (release.end, release.cause) == ("Promoted", "")
    assert "listeners of the load balancer: 1 in use, 1 more needed, 50 allowed" in release.plan["head_room"]
    assert "the preview listener of shop" in release.plan["makes"]
    assert release.wrote_weights() == [
        {"shop-1": 75, release.green: 25}, {"shop-1": 50, release.green: 50}, {release.green: 100},
    ]  # fmt: skip
    assert world.standby() == {release.green: 0, "shop-1": 100}
    assert (world.healthy("shop-1"), cut(world)) == (3, 0)


def test_people_and_smoke_tests_reach_green_by_its_port_and_users_go_on_reaching_blue(world: World) -> None:
    release = world.start(steps=ONE_STEP, smoke_tests=[{"path": "/", "contains": "2.0.0"}])
    release.until("ShiftTraffic")
    assert output(release, "RunSmokeTests") == {"verdict": "Successful", "reason": "1 smoke tests passed"}
    preview = output(release, "CheckGreen")["preview"]
    url = f"http://{world.shop.load_balancer_dns}:{PROFILE['preview_port']}/"
    assert preview == release.plan["preview"] == f"{url} ({shlex.join(['curl', url])})"
    assert answering(url) == "2.0.0"
    assert answering(f"http://{world.shop.load_balancer_dns}/") == "1.0.0"


def answering(url: str) -> str:
    """The version that answers whoever asks there, without any header."""
    asked = urlsplit(url)
    connection = http.client.HTTPConnection(
        *network.address(str(asked.hostname), asked.port or 80), timeout=5
    )
    try:
        connection.request("GET", asked.path)
        return str(json.loads(connection.getresponse().read())["version"])
    finally:
        connection.close()


def test_a_green_that_fails_its_smoke_test_goes_with_its_preview_listener(world: World) -> None:
    release = world.release(smoke_tests=[{"path": "/", "contains": "3.0.0"}])
    assert (release.end, release.wrote_weights()) == ("RolledBack", [])
    ensure_as_before(world)


def test_a_green_that_sickens_under_traffic_is_rolled_back(world: World) -> None:
    release = world.release(fault="sickens")
    assert release.end == "RolledBack"
    assert release.cause.startswith("GreenFailed: green has nobody left to serve")
    ensure_as_before(world)


def test_an_alarm_of_greens_own_brakes_for_one_of_its_instances(world: World) -> None:
    release = world.half_way()
    assert [name for name in world.alarms() if release.id in name] == [
        f"viridian-shop-{release.id}-{signal}" for signal in ("fail-open", "unhealthy")
    ]
    world.fall_ill(world.instances(release.group)[0])
    release.wait()
    assert release.end == "RolledBack"
    assert f"alarm viridian-shop-{release.id}-unhealthy is in ALARM" in release.cause, release.cause
    ensure_as_before(world)


def test_a_release_that_is_stopped_half_way_is_taken_back_by_the_guard(world: World) -> None:
    release = world.half_way()
    assert world.weights() == {"shop-1": 75, release.green: 25}
    until_blue(world, stop(world, release), limit=10)
    ensure_as_before(world)
    assert release.record["status"] == "RolledBack"
    assert cut(world) == 0


def test_a_promoted_release_is_taken_back(world: World) -> None:
    release = world.release(steps=ONE_STEP)
    assert world.rollback(release, reason="customers see what no alarm does").end == "RolledBack"
    assert release.record["status"] == "RolledBack"
    ensure_as_before(world)
    assert cut(world) == 0


def test_the_preview_listener_goes_as_blue_retires_and_the_next_release_makes_its_own() -> None:
    with opened(steps=ONE_STEP, keep_minutes=5, retain_days=0) as world:
        first = world.release()
        assert world.cloud.until(lambda: first.record["status"] == "Retired", 3600), first.record
        assert world.standby() is None
        second = world.release("3.0.0", fault="sickens")
        assert second.end == "RolledBack"
        until_free(world)
        assert (world.weights(), world.standby()) == ({first.green: 100}, None)
        assert cut(world) == 0


def test_a_release_over_another_takes_its_preview_listener_over_and_gives_it_back(world: World) -> None:
    first = world.release(steps=ONE_STEP)
    moved = {**world.shop.profile, "preview_port": 8081}
    seed.registered(world.cloud, "shop", moved)
    second = world.release("3.0.0", steps=ONE_STEP, smoke_tests=[{"path": "/", "contains": "no"}])
    assert second.end == "RolledBack"
    assert world.standby() == {first.green: 0, "shop-1": 100}
    assert world.orphans() == []


def test_a_preview_listener_that_was_left_is_collected_and_the_route_never(world: World) -> None:
    release = world.release(smoke_tests=[{"path": "/", "contains": "3.0.0"}])
    until_free(world)
    elb, tags = world.cloud.client("elbv2"), {"managed": "true", "service": "shop", "release": release.id}
    elb.create_listener(
        LoadBalancerArn=world.shop.load_balancer_arn,
        Protocol="TCP",
        Port=8080,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": world.shop.target_group_arn}],
        Tags=[{"Key": f"viridian:{key}", "Value": value} for key, value in tags.items()],
    )
    world.age(4)
    (line,) = world.collect()["removed"]
    assert line.startswith("preview listener arn:")
    assert (world.standby(), world.weights()) == (None, {"shop-1": 100})


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"preview_port": None}, ("preview_port: missing", "Name a free port")),
        ({"preview_port": 80}, ("preview_port: 80 is arn:", "that no listener has")),
        ({"thresholds": {"latency_seconds": 0.5}}, ("thresholds.latency_seconds: 0.5", "under guards")),
        ({"thresholds": {"error_percent": 2}}, ("thresholds.error_percent: 2", "under guards")),
    ],
)
def test_what_a_network_load_balancer_cannot_give_is_refused(
    world: World, profile: dict[str, Any], words: tuple[str, ...]
) -> None:
    seed.registered(world.cloud, "shop", {**world.shop.profile, **profile})
    ensure_refused(world, world.start(source=world.ami()), *words)


def test_a_fleet_behind_a_second_listener_is_refused(world: World) -> None:
    world.cloud.client("elbv2").create_listener(
        LoadBalancerArn=world.shop.load_balancer_arn,
        Protocol="TCP",
        Port=443,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": world.shop.target_group_arn}],
    )
    ensure_refused(world, world.start(source=world.ami()), "forwards to blue's target group too")


def test_clients_that_are_bound_to_targets_are_refused(world: World) -> None:
    sticky = [{"Key": "stickiness.enabled", "Value": "true"}]
    world.cloud.client("elbv2").modify_target_group_attributes(
        TargetGroupArn=world.shop.target_group_arn, Attributes=sticky
    )
    ensure_refused(world, world.start(source=world.ami()), "stickiness enabled", "Turn its stickiness off")


def test_a_preview_port_is_refused_where_a_header_leads_to_green() -> None:
    with any_opened(preview_port=8080) as world:
        ensure_refused(world, world.start(source=world.ami()), "preview_port: 8080", "Remove it")
