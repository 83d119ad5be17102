"""The break-glass page, command by command, with the real AWS CLI: over HTTP, under traffic, and nothing of ours works."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from local import seed
from local.cloud import HOST, Cloud
from local.control.session import REGION
from local.demo import scenes
from local.plane import load
from tests import aws_cli
from tests.adapters.test_load_balancer import COGNITO, LOGIN
from tests.workflow.faults import Faults
from tests.workflow.world import MINUTE, ROOT, Release, World, opened

PAGE = (ROOT / "docs" / "break-glass.md").read_text(encoding="utf-8")
HANDS_OFF, FIND, TAGS, HEALTH, RAISE, WRITE, READ_BACK, HANDS_ON, RESOLVE = re.findall(
    r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE
)
(STANDBY,) = re.findall(r"^```sh standby\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
(PREVIEW,) = re.findall(r"^```sh network\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
LISTENER_FIND, LISTENER_WRITE = re.findall(r"^```sh listener\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
FILLED_IN = re.findall(r"^export (\w+)=\.\.\.", PAGE, re.MULTILINE)
SPEED, RATE = 60.0, 30.0


class Pager:
    """A person with a shell, the AWS CLI, and the page; `variables` are what the page says to fill in."""

    def __init__(self, aws: Path, endpoint: str | None, home: Path, **variables: str) -> None:
        self.variables = variables
        self._environment = {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": str(endpoint),
            "AWS_SECRET_ACCESS_KEY": "local",
            "HOME": str(home),
            "PATH": f"{aws}{os.pathsep}{os.environ['PATH']}",
        }

    def types(self, commands: str) -> str:
        """What the commands print; they may use only what the page has had filled in."""
        assert set(self.variables) <= set(FILLED_IN)
        done = subprocess.run(
            ["sh", "-euc", commands],
            env={**self._environment, **self.variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fills_in(self, **variables: str) -> None:
        self.variables |= variables


@pytest.fixture(scope="module")
def aws() -> Iterator[Path]:
    with aws_cli.on_path() as folder:
        yield folder


@contextmanager
def over_http() -> Iterator[str]:
    """The API of the cloud that is up, without instances that serve."""
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    try:
        yield f"http://{HOST}:{server.get_host_and_port()[1]}"
    finally:
        server.stop()


def lines(text: str) -> dict[str, str]:
    """Two columns of text, as the CLI prints them."""
    return dict(line.split("\t") for line in text.splitlines())


@contextmanager
def half_way(folder: Path) -> Iterator[tuple[World, Release, Path]]:
    """A release that stands at 50 % under real requests, in a cloud that is served over HTTP; and their log."""
    with Cloud.served(speed=SPEED, out=folder) as cloud, Faults(cloud) as faults:
        stack = cloud.deploy(ROOT / "template.yaml", scenes.PARAMETERS)
        shop = seed.service(
            cloud,
            register=True,
            sticky=True,
            tracking="none",
            steps=[{"weight": 50, "observe_minutes": 120}, {"weight": 100, "observe_minutes": 5}],
            thresholds={"error_percent": 5, "minimum_requests": 5},
            deadlines={
                "healthy_minutes": 60,
                "rollback_minutes": 240,
            },  # a busy machine is slower than it seems here
        )
        world = World(cloud, faults, shop, stack.outputs)
        scenes.await_calm(cloud, shop)
        with scenes.traffic(cloud, shop, RATE, folder) as traffic:
            release = world.start()
            assert cloud.until(lambda: 50 in world.weights().values() or not release.running, 3600)
            assert release.running, release.cause
            world.pass_minutes(1)
            yield world, release, traffic.log


def break_every_function(world: World) -> int:
    """From now on each invocation fails; answers with how many there were before, once the last of them is through."""
    functions = world.cloud.functions
    for code in functions._code.values():
        world.faults.raises(code.logical_id, "Runtime.ImportModuleError", "Unable to import module")
    begun = world.cloud.clock.now()
    assert world.cloud.until(lambda: world.cloud.clock.now() > begun + 15, 60)
    assert world.cloud.until(lambda: not any(functions._running.values()), 60 * MINUTE)
    return len(world.cloud.lambda_invocations)


def ledger(world: World) -> list[dict[str, Any]]:
    """Everything in the ledger but what people may set."""
    return [{name: value for name, value in item.items() if name != "hands_off"} for item in world.ledger("")]


def test_with_viridian_gone_the_page_puts_everything_on_blue_and_nothing_is_lost(
    aws: Path, tmp_path: Path
) -> None:
    with half_way(tmp_path) as (world, release, log):
        cloud, plan = world.cloud, release.plan
        invoked = break_every_function(world)
        before = ledger(world)
        pager = Pager(
            aws,
            cloud.endpoint,
            tmp_path,
            ROUTE=world.shop.route_arn,
            LEDGER=world.outputs["ReleasesTableName"],
            ROLLBACK=world.outputs["RollbackStateMachineArn"],
            SERVICE="shop",
        )
        named = json.loads(pager.types(HANDS_OFF))
        assert named == {"service": "shop", "release": release.id, "execution": release.arn}
        assert sorted(lines(pager.types(FIND)).values()) == ["50", "50"]
        (blue,) = [arn for arn, tag in lines(pager.types(TAGS)).items() if tag != named["release"]]
        assert blue == plan["blue"]["target_group"]
        pager.fills_in(BLUE=blue, NEEDED="4")
        assert [line.split("\t")[1] for line in pager.types(HEALTH).splitlines()] == ["healthy"] * 3
        pager.types(RAISE)
        assert cloud.until(lambda: pager.types(HEALTH).count("\thealthy\t") == 4, 60 * MINUTE)
        asked = json.loads(pager.types(WRITE).rsplit("arn:", 1)[0])
        assert [list(action["ForwardConfig"]) for action in asked] == [
            ["TargetGroups", "TargetGroupStickinessConfig"]
        ]
        assert lines(pager.types(READ_BACK)) == {blue: "100"}
        restored = cloud.clock.now()

        world.pass_minutes(3)
        assert lines(pager.types(READ_BACK)) == {blue: "100"}
        assert ledger(world) == before, "nothing of ours has written"
        tried = cloud.lambda_invocations[invoked:]
        assert tried
        assert {entry["error"] for entry in tried} == {"Runtime.ImportModuleError"}

        world.faults.heals()
        pager.types(HANDS_ON)
        pager.fills_in(RELEASE=named["release"])
        started = json.loads(pager.types(RESOLVE))["executionArn"]
        assert cloud.wait(started, 300 * MINUTE).status == "SUCCEEDED"
        assert release.record["status"] == "RolledBack"
        assert (world.holder(), world.orphans(), world.leftovers(release)) == (None, [], [])
        assert world.weights() == {"shop-1": 100}
        assert world.group().minimum == plan["blue"]["minimum"]
    seen = load.summarise(load.events(log))
    assert seen.lost_total == 0, seen.lost
    assert set(seen.answered) == {"1.0.0", "2.0.0"}
    followed = restored + cloud.reality.propagation_seconds
    after = load.summarise(
        (event for event in load.events(log) if event.kind != "long"), since=followed + MINUTE
    )
    assert set(after.answered) == {"1.0.0"}
    assert set(pager.variables) == set(FILLED_IN)


@pytest.mark.parametrize(
    "service", [{"route": "listener"}, {"route": "network", "tracking": "cpu", "preview_port": 8080}]
)
def test_with_hands_off_a_viridian_that_works_keeps_off_too(
    aws: Path, tmp_path: Path, service: dict[str, Any]
) -> None:
    with opened(**service) as world, over_http() as endpoint:
        release = world.start().until("JudgeGreen")
        pager = Pager(
            aws,
            endpoint,
            tmp_path,
            ROUTE=world.shop.route_arn,
            LEDGER=world.table,
            ROLLBACK=world.outputs["RollbackStateMachineArn"],
            SERVICE="shop",
        )
        named = json.loads(pager.types(HANDS_OFF))
        before, wrote = world.weights(), len(world.mutations())
        world.cloud.client("cloudwatch").set_alarm_state(
            AlarmName=world.shop.guard_alarm, StateValue="ALARM", StateReason="green is bad"
        )
        world.pass_minutes(3)
        assert release.end == "Held"
        assert "hands off: put on blue by hand" in release.cause
        pages = [call for call in world.mutations()[wrote:] if call["call"] == "Publish"]
        assert (world.weights(), len(world.mutations())) == (before, wrote + len(pages))

        found = pager.types(LISTENER_FIND)
        told = [line.split("\t") for line in found.splitlines()]
        assert [weight for _, weight in told[:2]] == ["50", "50"]
        (blue,) = [arn for arn, tag in told[2:] if tag != named["release"]]
        pager.fills_in(BLUE=blue)
        pager.types(LISTENER_WRITE)
        assert world.weights() == {"shop-1": 100}
        pager.types(HANDS_ON)
        pager.fills_in(RELEASE=named["release"])
        assert world.cloud.wait(json.loads(pager.types(RESOLVE))["executionArn"]).status == "SUCCEEDED"
        assert release.record["status"] == "RolledBack"
        assert (world.holder(), world.orphans()) == (None, [])


@pytest.mark.parametrize("route", ["rule", "listener", "network"])
def test_blue_is_found_where_green_serves_alone(aws: Path, tmp_path: Path, route: str) -> None:
    flows: dict[str, Any] = {"tracking": "cpu", "preview_port": 8080} if route == "network" else {}
    with opened(route=route, **flows) as world, over_http() as endpoint:
        release = world.start(source=world.ami()).until("ShiftTraffic", times=2)
        world.pass_minutes(1)
        assert world.weights() == {release.green: 100}
        pager = Pager(aws, endpoint, tmp_path, ROUTE=world.shop.route_arn, SERVICE="shop")
        (blue,) = [
            arn for arn, tag in lines(pager.types(PREVIEW if flows else STANDBY)).items() if tag != release.id
        ]
        pager.fills_in(BLUE=blue)
        pager.types(WRITE if route == "rule" else LISTENER_WRITE)
        assert world.weights() == {"shop-1": 100}


@pytest.mark.parametrize(("route", "login"), [("rule", LOGIN), ("listener", COGNITO)])
def test_other_actions_of_the_route_are_kept(
    aws: Path, tmp_path: Path, route: str, login: dict[str, Any]
) -> None:
    with Cloud.virtual() as cloud, over_http() as endpoint:
        shop = seed.service(cloud, route=route)
        elb = cloud.client("elbv2")
        green = elb.create_target_group(Name="green", Protocol="HTTP", Port=80, VpcId=shop.vpc_id)
        groups = [
            {"TargetGroupArn": arn, "Weight": 50}
            for arn in (shop.target_group_arn, green["TargetGroups"][0]["TargetGroupArn"])
        ]
        sticky = {"Enabled": True, "DurationSeconds": 600}
        split = {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky}
        actions = [login, {"Type": "forward", "Order": 2, "ForwardConfig": split}]
        if route == "rule":
            elb.modify_rule(RuleArn=shop.route_arn, Actions=actions)
        else:
            elb.modify_listener(ListenerArn=shop.route_arn, DefaultActions=actions)
        cloud.calls.entries.clear()
        pager = Pager(aws, endpoint, tmp_path, ROUTE=shop.route_arn, BLUE=shop.target_group_arn)
        printed = pager.types(WRITE + READ_BACK if route == "rule" else LISTENER_WRITE)
        assert printed.endswith(f"{shop.target_group_arn}\t100\n")
        (sent,) = [entry["request"] for entry in cloud.calls.entries if entry["mutating"]]
        kept, forward = sent["Actions" if route == "rule" else "DefaultActions"]
        assert (kept["Type"], str(kept["Order"])) == (login["Type"], "1")
        assert (forward["Type"], str(forward["Order"])) == ("forward", "2")
        if login is LOGIN:
            assert str(kept["AuthenticateOidcConfig"]["UseExistingClientSecret"]).lower() == "true"
        assert str(forward["ForwardConfig"]["TargetGroupStickinessConfig"]["DurationSeconds"]) == "600"
