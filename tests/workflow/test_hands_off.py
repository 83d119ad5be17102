"""People take their hands to a route: a release stays where it is, tells them, and waits until they let go."""

import pytest

from tests.workflow.world import World

ROUTES = pytest.mark.parametrize("route", [None, "*"], ids=["this route", "every route"])
WHY = "we are moving the database"


def changes(world: World, since: float) -> list[str]:
    """What functions changed in AWS since then; a page, or the start of a machine, is no change."""
    told = ("Publish", "StartExecution")
    return [call["call"] for call in world.mutations() if call["at"] > since and call["call"] not in told]


@ROUTES
def test_a_release_is_held_where_it_is_and_goes_back_once_it_may(world: World, route: str | None) -> None:
    release = world.half_way()
    world.hands_off(WHY, route)
    since = world.cloud.clock.now()
    release.wait()
    assert (release.execution.status, release.end) == ("FAILED", "Held"), release.cause
    assert WHY in release.cause
    assert world.weights() == {"shop-1": 50, release.green: 50}
    assert changes(world, since) == []
    assert world.paged() == [f"viridian: shop {release.id} has ended Held"]
    assert WHY in world.pages()[0].message
    assert world.holder() == release.id

    again = world.rollback(release)
    assert again.end == "Held"
    assert WHY in again.cause
    assert world.weights() == {"shop-1": 50, release.green: 50}
    assert changes(world, since) == []

    world.hands_off(None, route)
    assert world.rollback(release).end == "RolledBack"
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []
    assert world.holder() is None
    assert world.group().minimum == 2


@ROUTES
def test_a_plan_is_refused_and_is_not_once_they_let_go(world: World, route: str | None) -> None:
    world.hands_off(WHY, route)
    since = world.cloud.clock.now()
    request = {"service": "shop", "version": "2.0.0", "source": world.ami()}
    refused = world.submit(request).wait()
    assert refused.end == "Refused"
    assert WHY in refused.cause
    assert changes(world, since) == []
    assert world.holder() is None
    world.hands_off(None, route)
    assert world.submit({**request, "dry_run": True}).wait().end == "Planned"


@ROUTES
@pytest.mark.parametrize("rescuer", ["BrakeFunction", "GuardFunction", "SweepFunction"])
def test_nobody_that_rescues_writes_either_and_a_person_is_told_once(
    world: World, rescuer: str, route: str | None
) -> None:
    release = world.half_way()
    if rescuer == "SweepFunction":
        world.drop_events()
    world.hands_off(WHY, route)
    since = world.cloud.clock.now()
    if rescuer == "BrakeFunction":
        world.redden("shop-errors", "because of a test")
    else:
        world.stop(release)
    assert world.cloud.until(lambda: release.record["status"] == "Held", 300)
    world.pass_minutes(4)
    assert changes(world, since) == []
    assert world.weights() == {"shop-1": 50, release.green: 50}
    assert world.paged().count(f"viridian: shop {release.id} has ended Held") == 1
    assert WHY in world.pages()[0].message
    assert rescuer in [call["principal"] for call in world.mutations() if call["call"] == "Publish"]
    assert world.rollbacks() == []

    world.hands_off(None, route)
    assert world.rollback(release).end == "RolledBack"
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []
