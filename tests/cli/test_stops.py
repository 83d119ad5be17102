"""What stops a release: an order, the brake, the end of its execution, and hands off."""

import json
import sys

import pytest
from botocore.exceptions import ClientError

from local.control.calls import PERSON
from tests.cli.conftest import Command
from tests.cli.test_init import Person
from tests.cli.test_watch import unreachable
from tests.workflow.test_by_name import opened as named
from tests.workflow.world import World
from viridian.aws import clients

WHY = ("--reason", "checkout is slow")


def test_a_rollback_names_no_release_and_takes_back_the_one_that_runs(
    world: World, viridian: Command
) -> None:
    release = world.half_way()
    ran = viridian("rollback", "shop", *WHY, "--wait")
    assert ran.code == 1, ran.err
    assert f"release    {release.id}" in ran.out
    assert "shop 2.0.0 has no traffic: shop-1 serves alone" in ran.out
    assert world.weights() == {"shop-1": 100}
    assert "checkout is slow" in str(release.record["failure"])


def test_a_promoted_release_is_not_taken_back_unless_it_is_named(world: World, viridian: Command) -> None:
    release = world.release(source=world.ami())
    ran = viridian("rollback", "shop", *WHY)
    assert (ran.code, ran.out) == (3, "")
    assert f"`viridian rollback shop {release.id}`" in ran.err
    assert world.weights() == {release.green: 100}


def test_an_order_needs_a_reason(world: World, viridian: Command) -> None:
    world.half_way()
    ran = viridian("rollback", "shop", "--reason", " ")
    assert (ran.code, ran.err) == (
        3,
        "reason: empty. Say why: it is kept with the release, and told to people.\n",
    )


def test_a_second_brake_sees_that_blue_serves_alone(world: World, viridian: Command) -> None:
    world.half_way()
    assert [viridian("brake", "shop", *WHY).code for _ in range(2)] == [0, 0]


@pytest.mark.profile(windows={"time_zone": "UTC", "open": [{"from": "18:00", "to": "19:00"}]})
def test_a_release_that_waits_for_its_window_is_aborted_before_it_touched_anything(
    world: World,
    viridian: Command,
) -> None:
    release = world.start(source=world.ami()).until("WaitForWindow")
    ran = viridian("abort", "shop", *WHY)
    assert ran.code == 0, ran.err
    world.pass_minutes(1)
    assert release.execution.status == "ABORTED"
    assert world.holder() is None


def test_a_release_that_was_resumed_is_aborted(world: World, viridian: Command) -> None:
    world.traffic(0)
    held = world.release(inconclusive={"minutes": 1, "then": "hold"}, source=world.ami())
    world.traffic(20)
    assert viridian("resume", "shop", held.id, *WHY).code == 0
    world.pass_minutes(1)
    ran = viridian("abort", "shop", *WHY, "--wait")
    assert (ran.code, world.weights()) == (1, {"shop-1": 100}), ran.err


def test_a_promoted_release_is_taken_back_by_its_version(world: World, viridian: Command) -> None:
    release = world.release(source=world.ami())
    ran = viridian("rollback", "shop", "2.0.0", *WHY, "--wait", "--json")
    assert (ran.code, ran.json["end"], ran.json["release"]) == (1, "RolledBack", release.id)
    assert world.weights() == {"shop-1": 100}


def test_the_brake_stays_until_blue_serves_alone_and_says_after_how_long(
    world: World, viridian: Command
) -> None:
    release = world.half_way()
    ran = viridian("brake", "shop", *WHY)
    assert ran.code == 0, ran.err
    assert world.weights() == {"shop-1": 100}
    assert ran.out.startswith("shop-1 serves alone, ")
    assert int(ran.out.split(", ")[1].split()[0]) < 30
    assert release.wait().end != "Promoted"


def test_the_brake_works_without_the_ledger_and_without_any_function(world: World, viridian: Command) -> None:
    release = world.half_way()
    world.cloud.client("dynamodb").update_table(TableName=world.table, DeletionProtectionEnabled=False)
    world.cloud.client("dynamodb").delete_table(TableName=world.table)
    ran = viridian("brake", "shop", *WHY, "--without-ledger", "--route", world.shop.route_arn, "--yes")
    assert ran.code == 0, ran.err
    assert world.weights() == {"shop-1": 100}
    assert [c["call"] for c in world.cloud.calls.entries if c["principal"] == "person"].count(
        "ModifyRule"
    ) == 1
    assert release.running, "nothing else was touched"


def test_without_the_ledger_blue_is_found_where_green_serves_alone(world: World, viridian: Command) -> None:
    release = world.start(source=world.ami()).until("ShiftTraffic", times=2)
    world.pass_minutes(1)
    assert world.weights() == {release.green: 100}
    ran = viridian("brake", "shop", *WHY, "--without-ledger", "--route", world.shop.route_arn, "--yes")
    assert ran.code == 0, ran.err
    assert world.weights() == {"shop-1": 100}


def test_what_was_done_by_hand_is_told_to_those_on_call_with_its_reason(
    world: World, viridian: Command
) -> None:
    world.half_way()
    ran = viridian("brake", "shop", *WHY, "--without-ledger", "--yes", "--json")
    assert (ran.code, ran.json["reason"]) == (0, "checkout is slow"), ran.err
    assert ran.json["next"].startswith("Those on call were told why. ")
    assert ran.json["seconds"] < 10
    (page,) = (each for each in world.cloud.published() if "by hand" in each.subject)
    assert page.subject == "viridian: shop was put on shop-1 by hand"
    assert "checkout is slow" in page.message


def test_who_cannot_tell_those_on_call_is_told_to_and_blue_serves_all_the_same(
    world: World, viridian: Command
) -> None:
    world.half_way()
    world.faults.denies("Publish", PERSON)
    ran = viridian("brake", "shop", *WHY, "--without-ledger", "--yes")
    assert (ran.code, world.weights()) == (0, {"shop-1": 100})
    assert "Those on call were not told why: Not permitted: Publish" in ran.out


def test_a_late_write_is_undone_and_the_seconds_are_those_since_then(world: World, viridian: Command) -> None:
    world.half_way()
    before = {name.replace("-", "_"): weight for name, weight in world.weights().items()}

    def write() -> None:
        world.cloud.clock.sleep(30)
        world.set_weights(**before)

    world.cloud.clock.spawn(write, "a late writer")
    ran = viridian("brake", "shop", *WHY, "--without-ledger", "--yes", "--json")
    assert (ran.code, world.weights()) == (0, {"shop-1": 100}), ran.err
    assert 30 <= ran.json["seconds"] < 45


def test_the_brake_gives_up_where_somebody_writes_against_it(world: World, viridian: Command) -> None:
    world.half_way()
    before = {name.replace("-", "_"): weight for name, weight in world.weights().items()}
    world.cloud.clock.every(1, lambda _: world.set_weights(**before), "somebody else")
    ran = viridian("brake", "shop", *WHY, "--without-ledger", "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert "writes to" in ran.err
    assert "`viridian hands-off`" in ran.err


def test_without_the_ledger_one_fleet_that_serves_alone_is_not_called_blue(
    world: World, viridian: Command
) -> None:
    before = len(world.mutations())
    ran = viridian("brake", "shop", *WHY, "--without-ledger", "--yes")
    assert (ran.code, ran.out) == (3, "")
    assert "shop-1 serves alone, and no other fleet of shop is known" in ran.err
    assert len(world.mutations()) == before


@pytest.mark.parametrize("promoted", [False, True])
def test_by_name_blue_is_found_though_green_alone_has_a_record(viridian: Command, promoted: bool) -> None:
    with named() as world:
        execution = world.start("2.0.0")
        world.until(100)
        if promoted:
            assert world.cloud.wait(execution).status == "SUCCEEDED"
        assert "shop" not in world.weights()
        ran = viridian("brake", "shop", *WHY, "--without-ledger", "--route", world.shop.route_arn, "--yes")
        assert ran.code == 0, ran.err
        assert world.weights() == {"shop": 100}
        assert "Resolvers keep what they know for another 60 s." in ran.out


def test_by_name_the_brake_knows_both_sides_while_an_older_blue_is_kept(viridian: Command) -> None:
    """And goes on where somebody writes between its look and its own write."""
    with named() as world:
        first = world.start("2.0.0")
        assert world.cloud.wait(first).status == "SUCCEEDED"
        blue = next(iter(world.weights()))
        world.start("3.0.0")
        assert world.cloud.until(lambda: len(world.weights()) == 2 and all(world.weights().values()), 7200)
        raced = iter([True])

        def overtake(**_: object) -> None:
            if next(raced, False):
                raise ClientError({"Error": {"Code": "InvalidChangeBatch"}}, "ChangeResourceRecordSets")

        events = clients.writer("route53").meta.events
        events.register_first("before-send.route53.ChangeResourceRecordSets", overtake)
        ran = viridian("brake", "shop", *WHY, "--without-ledger", "--route", world.shop.route_arn, "--yes")
        events.unregister("before-send.route53.ChangeResourceRecordSets", overtake)
        assert ran.code == 0, ran.err
        assert (next(raced, None), world.weights()) == (None, {blue: 100})


def test_without_the_ledger_it_asks_first(
    world: World, viridian: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.half_way()
    before = world.weights()
    brake = ("brake", "shop", *WHY, "--without-ledger")
    ran = viridian(*brake)
    assert (ran.code, ran.out, ran.err) == (3, "", "yes: not said, and nothing was written. Say --yes.\n")
    for answer in ("n\n", ""):
        monkeypatch.setattr(sys, "stdin", Person(answer))
        ran = viridian(*brake, "--json")
        assert (ran.code, ran.out.strip(), ran.err.endswith("Nothing was written.\n")) == (3, "", True)
    assert "the older fleet, which has 3 of 3 healthy" in ran.err
    assert world.weights() == before


def test_a_lost_connection_does_not_end_the_reading_back(world: World, viridian: Command) -> None:
    world.half_way()
    with unreachable(world, "elbv2", after=0.3, minutes=1):
        ran = viridian("brake", "shop", *WHY, "--without-ledger", "--yes")
    assert (ran.code, world.weights()) == (0, {"shop-1": 100}), ran.err


def test_an_aborted_release_is_taken_back_by_the_guard(world: World, viridian: Command) -> None:
    release = world.half_way()
    ran = viridian("abort", "shop", *WHY, "--wait")
    assert ran.code == 1, ran.err
    assert release.execution.status == "ABORTED"
    assert ran.out.splitlines()[-1].startswith("RolledBack. ")
    assert world.weights() == {"shop-1": 100}


def test_hands_off_holds_until_it_is_off(world: World, viridian: Command) -> None:
    assert viridian("hands-off", "shop", *WHY).code == 0
    assert viridian("services", "--json").json[0]["hands_off"] == "checkout is slow"
    ran = viridian("release", "shop", "2.0.0", "--ami", world.ami()["image_id"], "--wait")
    assert (ran.code, "checkout is slow" in ran.out) == (3, True)
    assert viridian("hands-off", "shop", "--off").code == 0
    assert viridian("services", "--json").json[0]["hands_off"] is None


def test_hands_off_every_route(world: World, viridian: Command) -> None:
    assert viridian("hands-off", "--all", *WHY, "--json").json == {
        "route": "*",
        "hands_off": "checkout is slow",
    }
    _, line = viridian("services").out.splitlines()
    assert "checkout is slow" in line
    assert world.shop.route_arn in line, "a row is a line, and nothing of it is cut"


@pytest.mark.parametrize("words", [(), ("shop", "--all")])
def test_hands_off_wants_one_service_or_all(viridian: Command, words: tuple[str, ...]) -> None:
    ran = viridian("hands-off", *words, *WHY)
    assert (ran.code, ran.err) == (3, "service: name one, or say --all for every route.\n")


def register(world: World, profile: str) -> None:
    parameter = {"Name": "/viridian/services/shop", "Type": "String", "Overwrite": True}
    world.cloud.client("ssm").put_parameter(Value=profile, **parameter)


@pytest.mark.parametrize("profile", ["not json", "[1]", "{}", '{"route": "shop"}'])
def test_a_profile_that_names_no_route_stops_nobody_who_does(
    world: World, viridian: Command, profile: str
) -> None:
    world.half_way()
    register(world, profile)
    brake = ("brake", "shop", *WHY, "--without-ledger", "--yes")
    for order in (brake, ("hands-off", "shop", *WHY)):
        ran = viridian(*order)
        assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
        assert ran.err.endswith(" Or name the route itself, with --route.\n")
        ran = viridian(*order, "--route", "shop")
        assert (ran.code, ran.err.startswith("route: shop. Use the ARN")) == (3, True)
        ran = viridian(*order, "--route", str(world.shop.route_arn))
        assert ran.code == 0, ran.err
    assert world.weights() == {"shop-1": 100}


def test_a_route_is_not_passed_over_where_the_ledger_has_it(viridian: Command) -> None:
    route = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/shop/5/f/9"
    ran = viridian("brake", "shop", *WHY, "--route", route)
    assert (ran.code, ran.err) == (
        3,
        "route: the ledger has it. Say --route with --without-ledger alone.\n",
    )


def test_what_else_is_wrong_with_a_profile_holds_up_nobody(world: World, viridian: Command) -> None:
    world.half_way()
    register(world, json.dumps({"route": world.shop.route_arn, "stepps": []}))
    assert viridian("hands-off", "shop", *WHY).code == 0
    assert viridian("brake", "shop", *WHY, "--without-ledger", "--yes").code == 0


def test_a_stack_that_is_gone_or_may_not_be_seen_stops_nobody_who_names_the_route(
    world: World, viridian: Command
) -> None:
    brake = ("brake", "shop", *WHY, "--without-ledger", "--yes")
    world.half_way()
    world.faults.denies("DescribeStacks", PERSON)
    for words in (brake, ("--stack", "other", *brake)):
        ran = viridian(*words)
        assert (ran.code, ran.err.count("\n")) == (4, 1)
        assert ran.err.endswith(" Or name the route itself, with --route.\n")
    ran = viridian(*brake, "--route", str(world.shop.route_arn))
    assert (ran.code, world.weights()) == (0, {"shop-1": 100})
    assert "Those on call were not told why: Not permitted: DescribeStacks" in ran.out


def test_leftovers_are_shown_and_only_removed_when_asked(world: World, viridian: Command) -> None:
    assert "Nothing that a release made is left." in viridian("collect").out
    release = world.release(source=world.ami())
    ran = viridian("collect")
    assert ran.code == 0
    assert release.group in ran.out
    assert all(line.startswith("kept") for line in ran.out.splitlines())
