"""A person has brought a Held release to its end by hand, and says so: the rollback machine sees to the rest."""

from tests.workflow.world import Release, World


def drifted(world: World) -> Release:
    """Held, since a person wrote the rule at half."""
    release = world.half_way(keep_minutes=5, retain_days=0)
    write(world, release, 80)
    release.wait()
    assert release.end == "Held", release.cause
    return release


def write(world: World, release: Release, blue: int) -> None:
    pairs = {"shop_1": blue, release.green.replace("-", "_"): 100 - blue}
    world.set_weights(**{name: weight for name, weight in pairs.items() if weight})


def resolve(world: World, release: Release) -> Release:
    return world.rollback(release, resolve=True, reason="we looked at it, and it is as it should be")


def test_a_green_that_a_person_gave_everything_is_promoted_as_any_other(world: World) -> None:
    release = drifted(world)
    write(world, release, 0)
    resolved = resolve(world, release)
    assert (resolved.execution.status, resolved.end) == ("SUCCEEDED", "Promoted"), resolved.cause
    assert resolved.wrote_weights() == []
    assert world.weights() == {release.green: 100}
    green, blue = world.group(release.group), world.group()
    assert (green.minimum, green.maximum, green.in_service) == (2, 9, 3)
    assert blue.in_service == 3
    assert world.standby() == {release.green: 0, "shop-1": 100}
    assert world.alarms() == ["shop-errors"]
    record = release.record
    assert (record["status"], bool(record["retire_at"])) == ("Promoted", True)
    assert world.holder() is None
    assert world.orphans() == []

    assert world.cloud.until(lambda: release.record["status"] == "Retired", 3600), release.record
    assert world.instances() == []
    assert world.weights() == {release.green: 100}
    assert world.standby() is None


def test_a_blue_that_a_person_gave_everything_ends_the_release_and_nothing_is_left(world: World) -> None:
    release = drifted(world)
    write(world, release, 100)
    resolved = resolve(world, release)
    assert (resolved.execution.status, resolved.end) == ("SUCCEEDED", "RolledBack"), resolved.cause
    assert resolved.wrote_weights() == []
    assert release.record["status"] == "RolledBack"
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []
    assert world.standby() is None
    assert world.alarms() == ["shop-errors"]
    assert world.holder() is None
    assert (world.group().minimum, world.healthy("shop-1")) == (2, 3)


def test_a_rule_that_is_mixed_is_left_as_it_is_and_the_person_told_what_to_do(world: World) -> None:
    release = drifted(world)
    resolved = resolve(world, release)
    assert (resolved.execution.status, resolved.end) == ("FAILED", "Held")
    assert "give all weight to one side first: the rule shows " in resolved.cause
    assert f"{release.green} 20" in resolved.cause
    assert [call["call"] for call in resolved.mutations()] == ["Publish"]
    assert world.weights() == {"shop-1": 80, release.green: 20}
    assert world.holder() == release.id
    assert world.paged() == [f"viridian: shop {release.id} has ended Held"] * 2
