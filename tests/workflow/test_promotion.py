"""A good release, from start to end, and what stands when it is over."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from local import seed
from tests.workflow.world import ONE_STEP, Group, Release, World, opened


@dataclass
class Story:
    """A world in which one release was promoted, and what was to be seen every five seconds meanwhile."""

    world: World
    release: Release
    blue: list[Group] = field(default_factory=list)
    green: list[Group] = field(default_factory=list)
    weights: list[dict[str, int]] = field(default_factory=list)


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with opened() as world:
        told = Story(world, world.start())
        told.release.until("CreateGreen")
        seed.registered(world.cloud, "shop", {**world.shop.profile, "steps": ONE_STEP, "settle_seconds": 0})

        def look() -> None:
            if told.release.running:
                told.blue.append(world.group())
                told.green += [size] if (size := world.sizes(told.release.group)) else []
                told.weights.append(world.weights())

        world.each_five_seconds(look)
        told.release.wait()
        yield told


def test_a_good_release_ends_promoted(story: Story) -> None:
    assert (story.release.execution.status, story.release.end) == ("SUCCEEDED", "Promoted")
    assert story.release.record["status"] == "Promoted"
    assert story.release.record["retire_at"]


def test_its_weights_went_by_the_plan_and_nowhere_else(story: Story) -> None:
    green = story.release.green
    assert story.release.wrote_weights() == [{"shop-1": 50, green: 50}, {green: 100}]
    assert story.weights[0] == {"shop-1": 100}
    assert story.world.weights() == {green: 100}


def test_every_client_is_answered_by_the_new_version_and_none_was_lost(story: Story) -> None:
    before = story.world.cloud.plane.by_version()["1.0.0"].requests
    story.world.pass_minutes(1)
    served = story.world.cloud.plane.by_version()
    assert served["1.0.0"].requests == before
    assert served["2.0.0"].requests > 0
    assert served["2.0.0"].errors == served["1.0.0"].errors == 0
    assert story.world.cloud.plane.no_target_5xx() == 0


def test_its_states_are_entered_in_the_order_of_the_plot(story: Story) -> None:
    first = list(dict.fromkeys(story.release.states))
    plot = ["PlanRelease", "AcquireLock", "BakeImage", "CheckImage", "CreateGreen", "CheckGreen"]
    plot += ["RunSmokeTests", "ShiftTraffic", "JudgeGreen", "TakeNextStep", "Promote", "Promoted"]
    assert [state for state in first if state in plot] == plot
    assert "RestoreBlue" not in first


def test_neither_fleet_ever_stood_below_the_need(story: Story) -> None:
    need = story.release.record["need"]
    assert need == 3
    assert {size.minimum for size in story.blue} == {need}
    assert min(size.in_service for size in story.blue) >= need
    assert {size.minimum for size in story.green} == {need}
    serving = [
        size.in_service
        for size, weights in zip(story.green, story.weights[-len(story.green) :], strict=True)
        if story.release.green in weights
    ]
    assert min(serving) >= need


def test_the_route_is_free_and_blue_stands_ready(story: Story) -> None:
    assert story.world.holder() is None
    assert story.world.group().in_service == 3
    assert story.world.healthy("shop-1") == 3
    assert story.world.standby() == {story.release.green: 0, "shop-1": 100}


def test_green_has_the_sizes_that_blue_had(story: Story) -> None:
    green = story.world.group(story.release.group)
    assert (green.minimum, green.maximum) == (2, 9)


def test_greens_own_alarms_are_gone_and_the_guard_is_not(story: Story) -> None:
    assert story.world.alarms() == ["shop-errors"]
    assert story.world.orphans() == []


def test_the_image_says_what_it_is(story: Story) -> None:
    tags = story.world.image(story.release).get_tags()
    told = {tag["key"]: tag["value"] for tag in tags}
    assert told["viridian:version"] == "2.0.0"
    assert told["viridian:version-major"] == "2"
    assert told["viridian:release"] == story.release.id


def test_green_launches_a_numbered_version_of_blues_template(story: Story) -> None:
    found = story.world._group(story.release.group)
    assert found
    assert found["LaunchTemplate"]["LaunchTemplateId"] == story.world.shop.launch_template_id
    assert found["LaunchTemplate"]["Version"] == "2"


def test_the_journal_holds_every_change_that_aws_saw(story: Story) -> None:
    seen = [call["call"] for call in story.release.mutations()]
    journal = sorted(story.release.journal, key=lambda entry: str(entry["at"]))
    assert sorted(entry["call"] for entry in journal) == sorted(seen)
    assert {entry["outcome"] for entry in journal} == {"done"}
    assert {int(entry["epoch"]) for entry in journal} == {1}


def test_every_change_was_made_under_the_epoch_that_holds_the_route(story: Story) -> None:
    assert {call["epoch"] for call in story.release.mutations()} == {1}


def test_zones_are_balanced_unless_somebody_says_otherwise(story: Story) -> None:
    assert story.release.plan["cross_zone"] is True


def test_a_profile_that_is_registered_meanwhile_is_for_the_next_release(story: Story) -> None:
    assert story.release.plan["profile_version"] == 1
    assert story.release.plan["profile"]["settle_seconds"] == 120
    assert len(story.release.wrote_weights()) == 2


def test_target_tracking_was_at_work_all_along(story: Story) -> None:
    """Without its floor, green is scaled in within minutes: 20 requests a second are too few for three."""
    story.world.pass_minutes(10)
    assert story.world.group(story.release.group).in_service == 2
