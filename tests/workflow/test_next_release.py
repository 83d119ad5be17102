"""One release after another: green becomes blue, the standby rule changes hands, and going back still works."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.workflow.world import Release, World, opened


@dataclass
class Story:
    """2.0.0 is promoted, 3.0.0 after it, 4.0.0 is bad."""

    world: World
    second: Release
    third: Release
    fourth: Release
    standby: list[dict[str, int] | None]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with opened() as world:
        standby = []
        second = world.release("2.0.0")
        standby.append(world.standby())
        third = world.start("3.0.0").until("ShiftTraffic")
        standby.append(world.standby())
        third.wait()
        standby.append(world.standby())
        fourth = world.release("4.0.0", fault="third")
        standby.append(world.standby())
        yield Story(world, second, third, fourth, standby)


def test_green_is_the_next_releases_blue(story: Story) -> None:
    assert (story.second.end, story.third.end) == ("Promoted", "Promoted")
    assert story.third.plan["blue"]["group"] == story.second.group
    assert story.third.wrote_weights()[-1] == {story.third.green: 100}


def test_the_standby_rule_is_handed_over(story: Story) -> None:
    second, third = story.second.green, story.third.green
    assert story.standby[0] == {"shop-1": 100, second: 0}
    assert story.standby[1] == {second: 0, third: 100}
    assert story.standby[2] == {second: 100, third: 0}
    made = [call["call"] for call in story.third.mutations()]
    assert "CreateRule" not in made


def test_a_bad_release_goes_back_to_the_last_good_one(story: Story) -> None:
    assert story.fourth.end == "RolledBack"
    assert story.world.weights() == {story.third.green: 100}
    assert story.world.healthy(story.third.green) >= 2
    assert story.world.leftovers(story.fourth) == []
    assert story.world.holder() is None


def test_the_blue_that_was_kept_is_still_one_write_away_after_a_rollback(story: Story) -> None:
    """It is kept until its time: in use behind the standby rule, so that it is health-checked (P2)."""
    assert story.standby[3] == {story.second.green: 100, story.third.green: 0}
    assert story.world.healthy(story.second.green) >= 2


def test_each_release_has_an_epoch_of_its_own(story: Story) -> None:
    epochs = [int(release.record["epoch"]) for release in (story.second, story.third, story.fourth)]
    assert epochs == sorted(set(epochs))


def test_the_version_that_was_rolled_back_may_be_released_again(story: Story) -> None:
    again = story.world.start("4.0.0").until("CreateGreen")
    assert again.id != story.fourth.id
    assert again.id.startswith("4.0.0-")
    assert story.world.rollback(again).states[-1] == "RolledBack"


def test_nothing_is_left_of_it_all_but_what_is_kept(story: Story) -> None:
    assert story.world.orphans() == []
