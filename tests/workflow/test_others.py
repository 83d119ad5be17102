"""A fleet that others are replacing meanwhile: no release begins on it, and one that runs goes back."""

from collections.abc import Callable

import pytest
from moto.autoscaling.models import autoscaling_backends

from local.control.session import ACCOUNT, REGION
from tests.faults.people import owned_by_a_stack
from tests.workflow.world import Release, World


def refresh(world: World, group: str) -> None:
    world.cloud.client("autoscaling").start_instance_refresh(AutoScalingGroupName=group)


@pytest.fixture
def change(world: World) -> Callable[[str], None]:
    """Sets the status of the stack that blue's group is of."""
    return owned_by_a_stack(autoscaling_backends[ACCOUNT][REGION].autoscaling_groups["shop-1"], world.cloud)


def refused(release: Release) -> str:
    assert release.wait().end == "Refused"
    assert release.mutations() == []
    return str(release.cause)


def went_back(world: World, release: Release) -> str:
    assert release.wait().end == "RolledBack"
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []
    assert world.nobody_lost_anything()
    return str(release.cause)


def test_a_release_waits_for_an_instance_refresh_of_blue_to_be_over(world: World) -> None:
    before = set(world.instances())
    refresh(world, "shop-1")
    world.pass_minutes(0.5)
    assert refused(world.start()).startswith("Refusal: route: an instance refresh of shop-1 is InProgress")
    world.pass_minutes(30)
    assert not before & set(world.instances())
    assert world.release("2.0.1").end == "Promoted"


def test_a_release_waits_for_the_stack_that_owns_blue(world: World, change: Callable[[str], None]) -> None:
    change("UPDATE_IN_PROGRESS")
    words = "Refusal: route: stack shop-prod, which owns shop-1, is UPDATE_IN_PROGRESS"
    assert refused(world.start()).startswith(words)
    change("UPDATE_COMPLETE")
    assert world.release("2.0.1").end == "Promoted"


@pytest.mark.parametrize("side", ["blue", "green"])
def test_green_gets_no_more_traffic_while_a_side_is_refreshed(world: World, side: str) -> None:
    release = world.half_way()
    group = "shop-1" if side == "blue" else release.group
    refresh(world, group)
    went_back(world, release)
    assert world.group().in_service == 3


def test_green_gets_no_more_traffic_while_the_stack_that_owns_blue_changes(
    world: World, change: Callable[[str], None]
) -> None:
    release = world.half_way()
    change("UPDATE_ROLLBACK_IN_PROGRESS")
    cause = went_back(world, release)
    assert "stack shop-prod, which owns shop-1, is UPDATE_ROLLBACK_IN_PROGRESS" in cause
