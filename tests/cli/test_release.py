"""`viridian release` and `plan`: what is typed becomes an execution, and its end an exit code."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.workflow.world import World, opened


def test_it_waits_for_the_end_and_says_each_phase_on_the_way(world: World, viridian: Command) -> None:
    ran = viridian("release", "shop", "2.0.0", "--ami", world.ami()["image_id"], "--wait")
    assert (ran.code, ran.err) == (0, "")
    for phase in ("is being released", "gets its green fleet", "gets 100% of the traffic", "is promoted"):
        assert f"shop 2.0.0 {phase}" in ran.out
    assert ran.out.endswith("Promoted.\n")
    again = viridian("history", "shop", "--json").json
    assert [(row["version"], row["status"]) for row in again] == [("2.0.0", "Promoted")]


def test_who_waits_for_it_hears_once_that_it_waits_for_its_window(
    viridian: Command,
) -> None:
    window = {"from": "09:30", "to": "21:00"}
    with opened(windows={"time_zone": "UTC", "open": [window]}) as world:
        image = world.ami()["image_id"]
        ran = viridian("release", "shop", "2.0.0", "--ami", image, "--wait", "--json")
        assert (ran.code, ran.err) == (0, "")
        told = [(phase["phase"], phase["what"]) for phase in ran.json["phases"]]
        assert told[:2] == [
            ("Planning", "shop 2.0.0 waits for its window"),
            ("Releasing", "shop 2.0.0 is being released"),
        ]
        assert "Planning" not in dict(told[1:])


def test_who_joins_a_release_hears_that_it_was_begun_already(world: World, viridian: Command) -> None:
    begin = ("release", "shop", "2.0.0", "--ami", world.ami()["image_id"], "--key", "build-7")
    assert viridian(*begin).code == 0
    world.pass_minutes(5)
    ran = viridian(*begin, "--wait")
    assert (ran.code, ran.out.count("shop 2.0.0 is being released already: ")) == (0, 1), ran.err
    assert "is being planned" not in ran.out


def test_a_release_that_fails_ends_with_the_code_of_its_end_and_says_why(
    world: World, viridian: Command
) -> None:
    image = world.ami()["image_id"]
    fields = json.dumps({"smoke_tests": [{"path": "/", "contains": "nobody says this"}]})
    ran = viridian("release", "shop", "2.0.0", "--ami", image, "--fields", fields, "--wait", "--json")
    assert ran.code == 1
    assert ran.json["end"] == "RolledBack"
    assert ran.json["cause"].startswith("SmokeTestsFailed: GET /: ")
    assert ran.json["phases"][-1]["phase"] == "RolledBack"
    assert ran.json["release"].startswith("2.0.0-")


def test_a_refused_one_is_refused_with_its_field(world: World, viridian: Command) -> None:
    ran = viridian("release", "shop", "2.0.0", "--ami", "ami-0123456789abcdef0", "--wait")
    assert ran.code == 3
    assert ran.out.splitlines()[-1].startswith("Refused. source.image_id: ami-0123456789abcdef0. ")


def test_a_plan_touches_nothing_and_shows_everything(world: World, viridian: Command, tmp_path: Path) -> None:
    steps = tmp_path / "steps.json"
    steps.write_text('{"steps": [{"weight": 100, "observe_minutes": 7}]}')
    before = len(world.mutations())
    ran = viridian("plan", "shop", "2.0.0", "--ami", world.ami()["image_id"], "--fields", f"@{steps}")
    assert ran.code == 0
    assert "100% for 7 min" in ran.out
    assert "an hour" in ran.out or "$" in ran.out
    assert len(world.mutations()) == before
    assert viridian("history", "shop").code == 3, "a plan is no release"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("2.0.0",), "source: give one of --ami, --instance, --ami-parameter and --pipeline"),
        (("2.0.0", "--ami", "ami-1234567890", "--instance", "i-1234567890"), "source: give one of"),
        (
            ("two", "--ami", "ami-1234567890"),
            "version: two. It has not the form asked for. Use a semantic version",
        ),
        (("2.0.0", "--ami", "image"), "source"),
        (("2.0.0", "--fields", "[1]"), "fields: [1]. Give a JSON object"),
        (("2.0.0", "--fields", "@/nowhere.json"), "fields: @/nowhere.json. Give JSON"),
        (("2.0.0", "--ami", "ami-1234567890", "--fields", '{"colour": "blue"}'), "colour"),
        (
            ("2.0.0", "--ami", "ami-1234567890", "--fields", '{"dry_run": true}'),
            "dry_run: true. Use `viridian plan`",
        ),
    ],
)
def test_what_is_wrong_with_it_is_said_before_anything_is_asked(
    viridian: Command, words: tuple[str, ...], line: str
) -> None:
    ran = viridian("release", "shop", *words)
    assert (ran.code, ran.out) == (3, "")
    assert line in ran.err
    assert ran.err.count("\n") == 1
