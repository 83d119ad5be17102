"""People give orders to a release that runs: it is paused, resumed or promoted, and goes back all the same if it must."""

import json
import re
import shlex
from typing import Any

import pytest

from local import seed
from local.control.urls import Answer
from tests.person import Person
from tests.stack import ROOT
from tests.workflow.world import MINUTE, Release, World

PAGE = (ROOT / "docs" / "orders.md").read_text(encoding="utf-8")
STEPS = [{"weight": weight, "observe_minutes": 4} for weight in (25, 50, 100)]
LONG = [{"weight": weight, "observe_minutes": 60} for weight in (25, 50, 75, 100)]
WHY = "the checkout looks slow to me"
pytestmark = pytest.mark.profile(steps=STEPS)


@pytest.fixture
def mara(world: World) -> Person:
    return Person.named(world.cloud, "mara")


def give(release: Release, who: Person, order: str, **more: Any) -> Answer:
    """A person gives a release an order, as the page says."""
    asked = {"service": "shop", "release": release.id, "order": order, "reason": WHY, **more}
    return who.post(release.world.outputs["OrdersUrl"], asked)


def shares(release: Release) -> list[int]:
    """What green was given, write by write."""
    return [weights.get(release.green, 0) for weights in release.wrote_weights()]


def stays_red(world: World) -> None:
    """The guard is red from now on, and no event tells the brake of it."""
    world.drop_events()
    world.each_five_seconds(lambda: world.redden(world.shop.guard_alarm, "checkout is slow"))


def verdicts(release: Release) -> list[str]:
    """The reason of each verdict, from the history."""
    exits = [each.get("stateExitedEventDetails", {}) for each in release.execution.history]
    return [str(json.loads(each["output"])["reason"]) for each in exits if each.get("name") == "JudgeGreen"]


def test_a_paused_release_keeps_its_share_until_the_pause_runs_out(world: World, mara: Person) -> None:
    release = world.half_way()
    told = json.loads(give(release, mara, "pause", minutes=30).body)
    assert (told["by"], told["green_percent"]) == (mara.arn, 25)
    world.pass_minutes(29)
    assert shares(release) == [25]
    assert verdicts(release)[-1].startswith(f"paused by {mara.arn} until {told['until']}: {WHY}; ")
    begun = world.cloud.clock.now()
    assert release.wait().end == "Promoted", release.cause
    assert shares(release) == [25, 50, 100]
    assert world.cloud.clock.now() - begun < 15 * MINUTE, "the paused step has been observed"
    assert release.record["ran_out"]
    assert world.nobody_lost_anything()


def test_a_resumed_release_goes_on_at_once(world: World, mara: Person) -> None:
    release = world.half_way()
    assert give(release, mara, "pause").status == 200
    world.pass_minutes(10)
    assert shares(release) == [25]
    assert give(release, Person.named(world.cloud, "joe"), "resume").status == 200
    world.pass_minutes(2)
    assert shares(release) == [25, 50]
    assert release.wait().end == "Promoted", release.cause
    calls = [entry["call"] for entry in release.journal if entry["call"].startswith("Order:")]
    assert calls == ["Order:pause", "Order:resume"]


def test_an_alarm_takes_a_paused_release_back(world: World, mara: Person) -> None:
    release = world.half_way()
    give(release, mara, "pause")
    world.pass_minutes(5)
    world.redden(world.shop.guard_alarm, "checkout is slow")
    assert release.wait().end == "RolledBack"
    assert release.cause.startswith("GreenFailed: alarm ")
    assert world.leftovers(release) == []


def test_the_judge_takes_a_paused_release_back_where_no_alarm_gets_through(
    world: World, mara: Person
) -> None:
    release = world.half_way()
    give(release, mara, "pause")
    stays_red(world)
    begun = world.cloud.clock.now()
    assert release.until("RestoreBlue").wait().end == "RolledBack"
    assert world.cloud.clock.now() - begun < 20 * MINUTE


def test_a_paused_release_whose_execution_is_stopped_is_brought_back(world: World, mara: Person) -> None:
    release = world.half_way()
    give(release, mara, "pause")
    world.pass_minutes(2)
    world.stop(release, cause="a person stopped it")
    world.cloud.until(lambda: release.record.get("status") == "RolledBack", 3600)
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []


def test_a_pause_holds_before_the_first_traffic_and_the_smoke_tests_are_asked_again(
    world: World, mara: Person
) -> None:
    release = world.start(source=world.ami()).until("CreateGreen")
    assert json.loads(give(release, mara, "pause", minutes=30).body)["green_percent"] == 0
    world.pass_minutes(28)
    assert shares(release) == []
    assert release.states.count("RunSmokeTests") == 1
    assert "JudgeGreen" in release.states
    assert release.wait().end == "Promoted", release.cause
    assert release.states.count("RunSmokeTests") == 2
    assert shares(release) == [25, 50, 100]


def test_a_promoted_release_gets_everything_after_one_more_verdict(world: World, mara: Person) -> None:
    release = world.half_way(steps=LONG)
    begun = world.cloud.clock.now()
    assert give(release, mara, "promote").status == 200
    assert release.wait().end == "Promoted", release.cause
    assert shares(release) == [25, 100]
    assert world.cloud.clock.now() - begun < 10 * MINUTE
    assert verdicts(release)[-1].startswith(f"observing skipped by {mara.arn}: {WHY}; ")
    assert world.nobody_lost_anything()


def test_a_paused_release_can_be_promoted(world: World, mara: Person) -> None:
    release = world.half_way(steps=LONG)
    assert give(release, mara, "pause").status == 200
    world.pass_minutes(5)
    assert give(release, mara, "promote").status == 200
    assert release.wait().end == "Promoted", release.cause
    assert shares(release) == [25, 100]


def test_no_order_promotes_a_green_whose_alarm_is_red(world: World, mara: Person) -> None:
    release = world.half_way(steps=LONG)
    stays_red(world)
    assert give(release, mara, "promote").status == 200
    assert release.wait().end == "RolledBack"
    assert release.cause.startswith("GreenFailed: alarm ")
    assert max(shares(release)) == 25


def test_promotion_still_needs_the_yes_that_the_profile_asks_for(world: World, mara: Person) -> None:
    asks = {"approval": {"before_promote": True, "minutes": 60}}
    seed.registered(world.cloud, "shop", {**world.shop.profile, **asks})
    release = world.half_way(steps=LONG)
    give(release, mara, "promote")
    release.until("AwaitApproval")
    world.pass_minutes(1)
    assert shares(release) == [25, 100]
    assert give(release, mara, "pause").status == 200
    found = re.search(r"-d '(\{.*?\})'", world.pages()[-1].message)
    assert found
    reply = {**json.loads(found[1]), "reason": WHY}
    assert mara.post(world.outputs["ApprovalsUrl"], reply).status == 200
    world.pass_minutes(5)
    assert release.running, "it is paused: the yes is kept, and nothing is promoted"
    assert give(release, mara, "promote").status == 200
    assert release.wait().end == "Promoted", release.cause
    assert [page.subject for page in world.pages() if "waits for a yes" in page.subject] == [
        f"viridian: shop {release.id} waits for a yes before its promotion"
    ]


def test_an_order_that_is_not_signed_or_not_meant_changes_nothing(world: World, mara: Person) -> None:
    release = world.half_way()
    url = world.outputs["OrdersUrl"]
    asked = {"service": "shop", "release": release.id, "order": "promote", "reason": WHY}
    assert world.cloud.functions.urls.ask("POST", url, {}, json.dumps(asked).encode()).status == 403
    assert mara.post(url, asked, method="GET").status == 400
    assert mara.post(url, {**asked, "release": "2.0.0-ffffff"}).status == 404
    assert mara.post(url, {**asked, "service": "other"}).status == 404
    assert give(release, mara, "resume").status == 409
    assert give(release, mara, "pause", minutes=721).status == 400
    world.hands_off("the auditors are here")
    assert give(release, mara, "pause").status == 409
    assert "last_order" not in release.record


def test_a_release_that_is_over_takes_no_order(world: World, mara: Person) -> None:
    release = world.release(source=world.ami())
    late = give(release, mara, "pause")
    assert (late.status, late.body) == (
        409,
        f"release: {release.id} is Promoted. Give orders to a release that runs.",
    )


def test_the_longest_pauses_leave_room_in_the_history(world: World, mara: Person) -> None:
    """9 events a minute, judged all along: 24 observed hours and 12 paused ones are fewer than the 25,000 there may be."""
    release = world.half_way()
    before = len(release.execution.history)
    give(release, mara, "pause", minutes=60)
    world.pass_minutes(50)
    each = (len(release.execution.history) - before) / 50
    assert each * 36 * 60 < 25_000 - 3_000


def test_the_examples_of_the_page_are_an_order_and_its_answer(world: World, mara: Person) -> None:
    page = shlex.split(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)[0].replace("\\\n", " "))
    assert page[:3] == ["curl", "--aws-sigv4", "aws:amz:us-east-1:lambda"]
    shown = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    release = world.half_way(steps=[{"weight": 50, "observe_minutes": 4}, STEPS[-1]])
    order = {**json.loads(page[page.index("-d") + 1]), "release": release.id}
    told = json.loads(mara.post(world.outputs["OrdersUrl"], order).body)
    moments = {name: told[name] for name in ("at", "until")}
    says = shown["says"].replace(shown["until"], told["until"])
    assert told == {**shown, **moments, "release": release.id, "says": says}
