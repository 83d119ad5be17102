"""What stops a release: an order, the brake, the end of its execution, and hands off."""

import pytest

from tests.cli.conftest import Command
from tests.workflow.world import World, opened

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


def test_a_release_that_waits_for_its_window_is_aborted_before_it_touched_anything(
    viridian: Command,
) -> None:
    closed = {"time_zone": "UTC", "open": [{"from": "18:00", "to": "19:00"}]}
    with opened(windows=closed) as world:
        release = world.start(source=world.ami()).until("WaitForWindow")
        ran = viridian("abort", "shop", *WHY)
        assert ran.code == 0, ran.err
        world.pass_minutes(1)
        assert release.execution.status == "ABORTED"
        assert world.holder() is None


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


def test_without_the_ledger_it_asks_first(world: World, viridian: Command) -> None:
    world.half_way()
    before = world.weights()
    ran = viridian("brake", "shop", *WHY, "--without-ledger", "--route", world.shop.route_arn)
    assert ran.code == 4, "nobody answers here"
    assert world.weights() == before


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


def test_leftovers_are_shown_and_only_removed_when_asked(world: World, viridian: Command) -> None:
    assert "Nothing that a release made is left." in viridian("collect").out
    release = world.release(source=world.ami())
    ran = viridian("collect")
    assert ran.code == 0
    assert release.group in ran.out
    assert all(line.startswith("kept") for line in ran.out.splitlines())
