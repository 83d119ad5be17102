"""`viridian explain`: six releases played to their ends, each told in the terminal, as Markdown, as a page and as JSON."""

import html
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from local.control.calls import PERSON
from tests.cli.conftest import Command
from tests.workflow.test_tellings import heard, listen
from tests.workflow.world import ROOT, Release, World, opened
from viridian_cli.app import main

HOSTILE = "<script>alert('x')</script>"


@dataclass(frozen=True)
class Told:
    """One release in every form, and what was told of it while it ran."""

    play: str
    story: Any
    text: str
    markdown: str
    page: str
    live: list[tuple[str, str]]
    standby: str


def promoted(world: World) -> None:
    world.release(source=world.ami())


def red(world: World) -> None:
    image = world.ami(fault="third")["image_id"]
    with redirect_stdout(io.StringIO()):
        assert main(["release", "shop", "2.0.0", "--ami", image, "--wait"]) == 1


def aborted(world: World) -> None:
    release, steps = world.half_way(), world.cloud.client("stepfunctions")
    steps.stop_execution(executionArn=release.arn, error="AbortedByHand", cause="checkout looks slow")
    world.pass_minutes(8)


def held(world: World) -> None:
    world.traffic(0)
    world.release(source=world.ami(), inconclusive={"minutes": 1, "then": "hold"})


def smoke_failed(world: World) -> None:
    world.release(source=world.ami(), smoke_tests=[{"path": "/", "contains": HOSTILE}])


def taken_back(world: World) -> None:
    release = world.release(source=world.ami())
    world.rollback(release, reason="customers see old prices")


def held_at_half(world: World) -> Release:
    """Green fails, and its profile leaves the traffic as it is."""
    release = world.half_way(fault="third", rollback="hold").wait()
    assert release.end == "Held", release.cause
    return release


def braked(world: World) -> None:
    """Held with its first share, and twenty minutes later a person gives blue everything."""
    held_at_half(world)
    world.pass_minutes(20)
    with redirect_stdout(io.StringIO()):
        assert main(["rollback", "shop", "--reason", "customers have waited long enough", "--wait"]) == 1


def resumed(world: World) -> None:
    """Held for want of requests, and resumed when there are some."""
    held(world)
    world.traffic(20)
    world.pass_minutes(20)
    with redirect_stdout(io.StringIO()):
        assert main(["resume", "shop", "--reason", "the shop has opened by now", "--wait"]) == 0


PLAYS: tuple[Callable[[World], None], ...] = (
    promoted, red, aborted, held, smoke_failed, taken_back, braked, resumed
)  # fmt: skip


FAILING = ("red", "braked")


@pytest.fixture(scope="module", params=PLAYS, ids=lambda play: play.__name__)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    page = tmp_path_factory.mktemp("report") / "release.html"
    with opened() as world, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_REGION", "us-east-1")
        listen(world)
        request.param(world)
        world.pass_minutes(6)  # CloudWatch and CloudTrail are late
        explain("--html", str(page))
        (record,) = [item for item in world.ledger("record") if item["pk"].startswith("release#")]
        return Told(
            play=request.param.__name__,
            story=json.loads(explain("--json")),
            text=explain(),
            markdown=explain("--markdown"),
            page=page.read_text(encoding="utf-8"),
            live=list(live(world)),
            standby=record["plan"]["standby"]["value"],
        )


def explain(*options: str) -> str:
    with redirect_stdout(io.StringIO()) as out:
        assert main(["explain", "shop", *options]) == 0
    return out.getvalue()


def live(world: World) -> Iterator[tuple[str, str]]:
    """Each phase and its reason, as the events had it, in their order."""
    for detail in heard(world):
        yield detail["what"].removeprefix("shop 2.0.0 "), detail["why"]


ENDS = {
    "promoted": (
        "Promoted",
        "shop 2.0.0 is promoted",
        "It carried all traffic, and was judged good at each step.",
    ),
    "red": ("RolledBack", "shop 2.0.0 is rolled back", "GreenFailed: alarm viridian-shop-"),
    "aborted": ("RolledBack", "shop 2.0.0 is rolled back", "AbortedByHand: checkout looks slow."),
    "held": ("Held", "shop 2.0.0 is held: a person must decide", "Inconclusive: "),
    "smoke_failed": ("RolledBack", "shop 2.0.0 is rolled back", "SmokeTestsFailed: "),
    "taken_back": (
        "RolledBack",
        "shop 2.0.0 is rolled back",
        "A person ordered it: customers see old prices.",
    ),
    "braked": (
        "RolledBack",
        "shop 2.0.0 is rolled back",
        "A person ordered it: customers have waited long enough. What came first: GreenFailed: alarm viridian-shop-",
    ),
    "resumed": (
        "Promoted",
        "shop 2.0.0 is promoted",
        "It carried all traffic, and was judged good at each step.",
    ),
}


def test_every_form_says_first_where_it_has_come_to_then_why_and_what_to_do(told: Told) -> None:
    status, what, why = ENDS[told.play]
    assert (told.story["status"], told.story["what"]) == (status, what)
    assert told.story["why"].startswith(why)
    assert told.text.startswith(f"{what}.\n")
    assert told.markdown.split("\n")[0].endswith(f"{what}.")
    assert f"<h2>{what} " in told.page
    runbook = f"docs/runbooks.md#{status.lower()}"
    for form, shown in ((told.text, str), (told.markdown, str), (told.page, html.escape)):
        for words in (told.story["why"], *told.story["next"].splitlines(), runbook):
            assert shown(words) in form


def test_what_happened_is_what_was_told_while_it_ran(told: Told) -> None:
    phases = [each for each in told.story["happened"] if not re.match("alarm|its execution", each["what"])]
    assert [each["what"] for each in phases] == [what for what, _ in told.live]
    whole = " ".join(why for _, why in told.live)
    assert all(each["why"] in whole for each in phases)
    said = [each["why"] for each in phases if each["why"]]
    assert len(said) == len(set(said)), "a reason is said once"


BACK = {
    "braked": [
        "gets 50% of the traffic",
        "has failed",
        "is held: a person must decide",
        "is being rolled back",
        "gives its traffic back",
        "has no traffic",
        "is rolled back",
    ],
    "resumed": [
        "gets 50% of the traffic",
        "is being rolled back",
        "gives its traffic back",
        "has no traffic",
        "is held: a person must decide",
        "goes on",
        "gets 50% of the traffic",
        "gets 100% of the traffic",
        "is promoted",
    ],
}
DECIDED = {
    "braked": ("had it taken back", "customers have waited long enough"),
    "resumed": ("resumed it", "the shop has opened by now"),
}


@pytest.mark.parametrize("told", [braked, resumed], indirect=True, ids=["braked", "resumed"])
def test_a_hold_stays_in_the_story_with_its_cause_how_long_it_was_and_who_ended_it(told: Told) -> None:
    phases = [each for each in told.story["happened"] if not each["what"].startswith("alarm")]
    names = [each["what"] for each in phases]
    assert names[-len(BACK[told.play]) :] == BACK[told.play]
    at = {each["what"]: datetime.fromisoformat(each["at"]) for each in reversed(phases)}
    again = at["is being rolled back"] if told.play == "braked" else at["goes on"]
    assert timedelta(minutes=20) <= again - at["is held: a person must decide"] < timedelta(minutes=22)
    did, why = DECIDED[told.play]
    (hand,) = [each for each in told.story["hands"] if each["why"]]
    assert (hand["who"], hand["why"]) == ("arn:aws:iam::123456789012:root", why)
    assert hand["did"].startswith(did)
    assert abs(datetime.fromisoformat(hand["at"]) - again) < timedelta(seconds=30)
    assert told.story["began"].startswith("2026-01-05T09:04:00")
    assert why in told.text


@pytest.mark.parametrize("told", [aborted], indirect=True, ids=["aborted"])
def test_who_stopped_an_execution_is_told_with_the_reason(told: Told) -> None:
    (hand,) = [each for each in told.story["hands"] if each["did"] == "stopped its execution"]
    assert (hand["who"], hand["why"]) == (
        "arn:aws:iam::123456789012:root",
        "AbortedByHand: checkout looks slow",
    )


def test_while_a_held_release_goes_back_its_story_says_what_it_goes_back_for(
    world: World, viridian: Command
) -> None:
    release = held_at_half(world)
    held_at = release.record["ended_at"]
    world.start_rollback(release, reason="customers have waited long enough").until("Converge")
    ran = viridian("explain", "shop", "--json")
    told = ran.json
    assert (told["status"], told["what"], told["ended"]) == ("RollingBack", "shop 2.0.0 has no traffic", None)
    assert "customers have waited long enough" in told["why"]
    assert "GreenFailed: alarm viridian-shop-" in told["why"]
    held = [each for each in told["happened"] if each["what"] == "is held: a person must decide"]
    assert [each["at"][:19] for each in held] == [held_at[:19]]
    text = viridian("explain", "shop").out
    assert "isn't over" in text
    assert "No cause is known" not in text


def test_every_form_has_what_happened_who_began_it_and_what_it_costs(told: Told) -> None:
    for form in (told.text, told.markdown, told.page):
        assert "09:04:00" in form
        assert "arn:aws:iam::123456789012:root" in "".join(form.split())
        assert "both for 1 h 8 min" in form
    assert told.story["lacks"] == []


def test_the_weights_and_the_requests_of_both_sides_are_drawn_over_time(told: Told) -> None:
    given = [weights for _, weights in told.story["course"]["weights"]]
    half, blue, green = {"1.0.0": 50, "2.0.0": 50}, {"1.0.0": 100}, {"2.0.0": 100}
    expected = {
        "promoted": [half, green], "smoke_failed": [], "taken_back": [half, green, blue],
        "resumed": [half, blue, half, green],
    }  # fmt: skip
    assert given == expected.get(told.play, [half, blue])
    sides = {side["version"]: side for side in told.story["sides"]}
    assert (sides["2.0.0"]["requests"] > 100) == (told.play not in ("held", "smoke_failed"))
    assert (sides["2.0.0"]["errors"] > 0) == (told.play in FAILING)
    assert max(each["healthy"].get("1.0.0", 0) for each in told.story["course"]["slices"]) == 3


def test_the_evidence_is_that_of_the_failure(told: Told) -> None:
    pieces = {piece["of"]: piece["text"] for piece in told.story["evidence"]}
    alarms = {of: text for of, text in pieces.items() if re.match("alarm viridian-shop-.*-errors at ", of)}
    assert bool(alarms) == (told.play in FAILING)
    assert all("1 datapoint [26.49" in text for text in alarms.values())
    removed = told.play not in ("promoted", "held", "resumed")
    assert ("green's scaling activities, the last first" in pieces) == removed


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(told: Told) -> None:
    link = f'<a href="{html.escape(told.story["link"])}">'
    assert not re.search(r"(src|href)=|url\(|@import|<script|https?:|\son\w+=", told.page.replace(link, ""))
    assert told.page.count(link) == 1
    (plot,) = re.findall(r"<svg.*?</svg>", told.page)
    ElementTree.fromstring(plot)
    assert "prefers-color-scheme: dark" in told.page
    assert "@media print" in told.page


def test_the_markdown_fits_into_a_comment_and_its_quotes_stay_quotes(told: Told) -> None:
    assert len(told.markdown) < 65_000
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", told.markdown, flags=re.S | re.M)
    assert "```" not in outside
    assert "<script" not in re.sub(r"`[^`\n]*`", "", outside)
    for rows in re.findall(r"(?:^\|.*\n)+", outside, re.M):
        assert len({row.count("|") for row in rows.splitlines()}) == 1


def test_what_green_answered_is_told_as_it_is(told: Told) -> None:
    assert (HOSTILE in told.text) == (HOSTILE in told.markdown) == (told.play == "smoke_failed")
    assert (html.escape(HOSTILE) in told.page) == (told.play == "smoke_failed")


def test_no_form_shows_the_way_to_green(told: Told) -> None:
    for form in (json.dumps(told.story), told.text, told.markdown, told.page):
        assert told.standby not in form


@pytest.mark.parametrize("told", [red], indirect=True, ids=["red"])
def test_the_example_in_docs_is_such_a_report(told: Told) -> None:
    page = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```\n\$ viridian explain shop\n(.*?)\n```", page, re.S)
    assert masked(example) == masked(told.text)


def masked(text: str) -> list[str]:
    """What is the same each time: ids are not."""
    ids = re.sub(r"(?<=-)[0-9a-f]{6,17}\b", "*", text)
    return [line.rstrip() for line in ids.splitlines()]


def test_what_aws_has_no_more_is_named_and_the_rest_is_told(world: World, viridian: Command) -> None:
    promoted(world)
    world.faults.denies("GetExecutionHistory", PERSON)
    world.faults.denies("GetMetricData", PERSON)
    ran = viridian("explain", "shop", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split(" (")[0] for line in ran.json["lacks"]] == [
        "the executions' histories",
        "CloudWatch's minutes",
    ]
    assert (ran.json["what"], ran.json["sides"]) == ("shop 2.0.0 is promoted", [])
    assert "Not to be had" in viridian("explain", "shop").out


def test_a_release_that_runs_is_told_so_far(world: World, viridian: Command) -> None:
    world.half_way()
    ran = viridian("explain", "shop", "2.0.0")
    assert ran.out.startswith("shop 2.0.0 gets 50% of the traffic.\n")
    assert "isn't over" in ran.out
    assert "runbooks" not in ran.out


def test_nothing_is_told_of_a_service_without_a_release(world: World, viridian: Command) -> None:
    ran = viridian("explain", "shop")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("service: shop. It has no release yet")


def test_a_page_that_cannot_be_written_is_refused(world: World, viridian: Command, tmp_path: Path) -> None:
    world.half_way()
    ran = viridian("explain", "shop", "--html", str(tmp_path))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("html: ")
