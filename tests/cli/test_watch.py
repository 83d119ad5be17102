"""`viridian status` and `viridian watch`, at the moments that people look at a release."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local.control.calls import PERSON, current_principal
from tests.cli.conftest import Command
from tests.workflow.world import World
from viridian.aws import clients


def stage(picture: dict[str, Any]) -> str:
    """The part of the plot that it is at."""
    return ", ".join(stage["name"] for stage in picture["plot"] if stage["mark"] == "now")


def waits(picture: dict[str, Any]) -> list[str]:
    return [wait["what"] for wait in picture["waits"]]


def may(picture: dict[str, Any]) -> list[str]:
    return [order["type"].split()[1] for order in picture["orders"]]


@contextmanager
def unreachable(
    world: World, service: str, after: float = 0, minutes: float = 1e9, error: Exception | None = None
) -> Iterator[None]:
    """Nobody reaches a service of AWS with a command from a moment on, for so long."""
    begins = world.cloud.clock.now() + 60 * after

    def fail(**_: Any) -> None:
        asks = current_principal() == PERSON
        if asks and begins <= world.cloud.clock.now() < begins + 60 * minutes:
            raise error or EndpointConnectionError(endpoint_url=f"https://{service}.us-east-1.amazonaws.com/")

    events = clients.reader(service).meta.events
    events.register(f"before-send.{service}", fail)
    yield
    events.unregister(f"before-send.{service}", fail)


def test_a_bad_release_from_its_image_to_its_end(world: World, viridian: Command) -> None:
    release = world.start().until("WaitForImage")
    baking = viridian("status", "shop", "--json").json
    assert (baking["status"], stage(baking), waits(baking)) == ("Releasing", "BakeImage", ["bake"])
    assert baking["release"] == release.id

    release.until("WaitForGreen")
    world.pass_minutes(0.2)
    coming = viridian("status", "shop", "2.0.0", "--json").json
    assert (stage(coming), waits(coming)) == ("CreateGreen", ["launch", "health", "until healthy"])
    assert [(fleet["side"], fleet["healthy"], fleet["wanted"]) for fleet in coming["fleets"]] == [
        ("blue", 3, 3), ("green", 0, 3),
    ]  # fmt: skip

    release.until("JudgeGreen")
    world.pass_minutes(2)
    observed = viridian("status", "shop", release.id, "--json").json
    assert (stage(observed), waits(observed), observed["percent"]) == ("50%", ["observe step 1"], 50)
    assert observed["state"]["name"] in ("Observe", "JudgeGreen", "IsGreenGood")
    assert "make an alarm's OK evidence" in observed["state"]["says"]
    assert all(fleet["requests"] > 100 for fleet in observed["fleets"])
    assert [alarm["name"] for alarm in observed["alarms"]] == [
        "shop-errors",
        "errors",
        "unhealthy",
        "fail-open",
    ]
    assert {alarm["state"] for alarm in observed["alarms"]} == {"OK"}
    assert may(observed) == ["pause", "promote", "rollback", "brake"]
    assert [event["what"] for event in observed["events"] if not event["detail"]] == [
        "is being released", "has its image", "gets its green fleet", "gets 50% of the traffic",
    ]  # fmt: skip
    assert observed["unknown"] == {}

    world.redden(world.shop.guard_alarm, "too many 5xx")
    world.pass_minutes(0.5)
    back = viridian("status", "shop")
    assert "shop 2.0.0 has no traffic" in back.out
    assert "shop-errors is in ALARM: too many 5xx" in back.out
    assert "✗ 50% ✓ RestoreBlue ● Converge ○ RolledBack" in " ".join(back.out.split())
    assert "settle" in back.out
    assert back.code == 0

    ended = viridian("watch", "shop")
    assert ended.code == 1
    assert "shop 2.0.0 is rolled back" in ended.out
    assert ended.out.splitlines()[-1].startswith("RolledBack. GreenFailed: ")


def test_without_a_terminal_each_change_is_a_line_until_the_end(world: World, viridian: Command) -> None:
    world.start(source=world.ami())
    ran = viridian("watch", "shop")
    assert ran.code == 0
    told = [line.split("  ", 1)[-1] for line in ran.out.splitlines()]
    for line in (
        "shop 2.0.0 gets its green fleet: ",
        "green: 3 of 3 healthy",
        "shop 2.0.0 gets 50% of the traffic: Step 1 of 2.",
        "shop 2.0.0 gets 100% of the traffic: Step 2 of 2.",
        "shop 2.0.0 is promoted: ",
    ):
        assert sum(each.startswith(line) for each in told) == 1, line
    assert told[-1] == "Promoted. It carried all traffic, and was judged good at each step."
    kept = viridian("status", "shop", "--json").json
    assert (kept["status"], waits(kept), may(kept)) == ("Promoted", ["blue is kept"], ["rollback"])
    assert "blue is kept until 2026-01-05T" in kept["orders"][0]["does"]


def test_a_document_for_each_change(world: World, viridian: Command) -> None:
    world.start(source=world.ami()).until("JudgeGreen", times=3)
    ran = viridian("watch", "shop", "--json")
    pictures = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, pictures[-1]["status"]) == (0, "Promoted")
    came = [stage(picture) for picture in pictures]
    order = list(dict.fromkeys(name for name in came if name))
    assert order == ["50%", "100%"]
    assert len(pictures) < 20


def test_on_a_terminal_it_is_one_screen_and_the_last_picture_stays(
    world: World, viridian: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "TTY_COMPATIBLE": "1",
        "TTY_INTERACTIVE": "1",
        "COLUMNS": "100",
        "LINES": "40",
        "TERM": "xterm",
    }.items():
        monkeypatch.setenv(name, value)
    world.start(source=world.ami()).until("ShiftTraffic", times=2)
    world.pass_minutes(3)
    ran = viridian("watch", "shop")
    screen, _, after = ran.out.partition("\x1b[?1049l")
    assert "\x1b[?1049h" in screen
    assert "observe step 2" in screen
    assert "shop 2.0.0 is promoted" in after
    assert "You may" in after


def test_a_lost_connection_is_said_once_and_the_end_is_seen_all_the_same(
    world: World, viridian: Command
) -> None:
    world.start(source=world.ami()).until("Observe")
    with unreachable(world, "dynamodb", after=1, minutes=3):
        ran = viridian("watch", "shop")
    assert ran.code == 0
    assert ran.out.count("AWS can't be reached") == 1
    assert (
        ran.out.index("AWS can't be reached")
        < ran.out.index("AWS answers again.")
        < ran.out.index("is promoted")
    )


def test_credentials_that_expire_end_the_watch(world: World, viridian: Command) -> None:
    world.start(source=world.ami()).until("Observe")
    expired = ClientError({"Error": {"Code": "ExpiredTokenException"}}, "GetItem")
    with unreachable(world, "dynamodb", after=1, error=expired):
        ran = viridian("watch", "shop")
    assert (ran.code, ran.err) == (4, "The AWS credentials have expired: log in again (`aws sso login`).\n")


def test_what_cannot_be_seen_leaves_the_rest(world: World, viridian: Command) -> None:
    world.start(source=world.ami()).until("JudgeGreen")
    with unreachable(world, "cloudwatch"):
        picture = viridian("status", "shop", "--json").json
    assert set(picture["unknown"]) == {"alarms", "measures"}
    assert "AWS can't be reached" in picture["unknown"]["alarms"]
    assert (stage(picture), picture["percent"]) == ("50%", 50)


@pytest.mark.profile(approval={"before_traffic": True})
def test_a_release_that_waits_for_people_says_what_to_type(world: World, viridian: Command) -> None:
    world.start(source=world.ami()).until("AwaitApproval")
    picture = viridian("status", "shop", "--json").json
    assert (stage(picture), waits(picture)) == ("AwaitApproval", ["approval"])
    assert may(picture)[:2] == ["approve", "reject"]
    assert picture["what"] == "shop 2.0.0 waits for a person's approval"


def test_a_held_release_ends_the_watch_with_what_people_can_decide(world: World, viridian: Command) -> None:
    world.traffic(0.05)
    held = {"minutes": 3, "then": "hold"}
    world.start(source=world.ami(), inconclusive=held).until("JudgeGreen", times=6)
    assert viridian("watch", "shop").code == 2
    picture = viridian("status", "shop", "--json").json
    assert (picture["status"], may(picture)) == ("Held", ["rollback", "resume", "resolve", "explain"])
    assert "requests to green" in picture["why"]


@pytest.mark.profile(windows={"time_zone": "UTC", "open": [{"from": "20:00", "to": "21:00"}]})
def test_a_release_that_is_not_in_the_ledger_yet_is_found_by_its_execution(
    world: World, viridian: Command
) -> None:
    execution = world.start(source=world.ami()).until("WaitForWindow").arn
    for named in ((), ("2.0.0",)):
        picture = viridian("status", "shop", *named, "--json").json
        assert (picture["status"], stage(picture), waits(picture)) == (
            "Planning",
            "PlanRelease",
            ["window"],
        )
        assert picture["execution"] == execution
    unknown = viridian("status", "shop", "3.0.0")
    assert (unknown.code, unknown.out) == (3, "")
    assert "release: 3.0.0. shop has none of that id or version" in unknown.err
    world.cloud.client("stepfunctions").stop_execution(executionArn=execution)
    assert "It has no release yet" in viridian("watch", "shop").err


@pytest.mark.profile(windows={"time_zone": "UTC", "open": [{"from": "09:00", "to": "10:30"}]})
def test_a_version_that_is_planned_anew_is_not_taken_for_its_older_release(
    world: World, viridian: Command
) -> None:
    older = world.release(source=world.ami())
    world.pass_minutes(90)
    newer = world.start(source=world.ami()).until("WaitForWindow")
    for named in ((), ("2.0.0",)):
        picture = viridian("status", "shop", *named, "--json").json
        assert (picture["status"], picture["execution"]) == ("Planning", newer.arn)
    assert viridian("status", "shop", older.id, "--json").json["status"] == "Promoted"
    ran = viridian("explain", "shop", "2.0.0")
    assert (ran.code, ran.out) == (3, "")
    assert f"release: 2.0.0. It is {older.id}, which is Promoted, and one that is being planned" in ran.err
    assert [viridian("explain", "shop", *named).code for named in ((), (older.id,))] == [0, 0]
    ran = viridian("rollback", "shop", "2.0.0", "-m", "to see")
    assert (ran.code, "Name that id; the other is shown by" in ran.err) == (3, True)
    assert older.record["status"] == "Promoted"


def test_the_time_is_that_of_whatever_answer_came_last(world: World, viridian: Command) -> None:
    world.half_way()
    here = datetime.fromisoformat(viridian("status", "shop", "--json").json["at"])

    def late(response_dict: dict[str, Any], **_: Any) -> None:
        response_dict["headers"]["date"] = format_datetime(here + timedelta(hours=3), usegmt=True)

    assert boto3.DEFAULT_SESSION is not None
    events = boto3.DEFAULT_SESSION.events
    events.register_first("before-parse", late)
    clients.reader.cache_clear()
    try:
        told = viridian("status", "shop", "--json").json["at"]
    finally:
        events.unregister("before-parse", late)
        clients.reader.cache_clear()
    assert timedelta(hours=3) <= datetime.fromisoformat(told) - here < timedelta(hours=3, minutes=1)


@pytest.mark.profile(windows={"time_zone": "UTC", "open": [{"from": "09:05", "to": "21:00"}]})
def test_a_release_that_is_refused_ends_the_watch_with_why(world: World, viridian: Command) -> None:
    world.start(source=world.ami()).until("WaitForWindow")
    world.lose(*world.instances())
    ran = viridian("watch", "shop")
    assert (ran.code, "healthy" in ran.err) == (3, True)
