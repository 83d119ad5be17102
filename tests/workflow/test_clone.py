"""A service whose blue has everything set, through the whole workflow: carried over, taken back, retired."""

from datetime import UTC, datetime

from tests.everything import furnish
from tests.workflow.test_retirement import retirements
from tests.workflow.world import Release, World


def furnish_blue(world: World) -> None:
    furnish(world.cloud, world.shop, datetime.fromtimestamp(world.cloud.clock.now(), UTC))


def hanging(world: World, group: str) -> dict[str, list[str]]:
    """The names of what hangs on a group."""
    asg, name = world.cloud.client("autoscaling"), {"AutoScalingGroupName": group}
    policies = asg.describe_policies(**name)["ScalingPolicies"]
    actions = asg.describe_scheduled_actions(**name)["ScheduledUpdateGroupActions"]
    told = asg.describe_notification_configurations(AutoScalingGroupNames=[group])
    return {
        "policies": sorted(policy["PolicyName"] for policy in policies),
        "actions": sorted(action["ScheduledActionName"] for action in actions),
        "told": sorted(each["NotificationType"] for each in told["NotificationConfigurations"]),
        "pool": [group] if asg.describe_warm_pool(**name).get("WarmPoolConfiguration") else [],
    }


def retired(world: World, release: Release) -> Release:
    assert release.end == "Promoted", release.cause
    world.cloud.until(lambda: release.record["status"] == "Retired", 3600)
    assert release.record["status"] == "Retired", release.record
    return release


def test_what_hangs_on_blue_is_handed_on_from_release_to_release(world: World) -> None:
    furnish_blue(world)
    first = retired(world, world.release("2.0.0", keep_minutes=5, retain_days=0))
    lent = hanging(world, "shop-1")
    assert hanging(world, first.group) == {**lent, "pool": [first.group]}
    second = retired(world, world.release("3.0.0", keep_minutes=5, retain_days=0))
    assert hanging(world, second.group) == {**lent, "pool": [second.group]}
    assert not world.has_group(first.group), "protected instances, a warm pool and all"
    assert [run.states[-1] for run in retirements(world)] == ["Retired", "Retired"]
    driving = [f"viridian-shop-{second.id}-scaling-out-{number}" for number in (1, 2)]
    assert world.alarms() == ["busy", "crowded", "shop-errors", *driving]
    assert world.orphans() == []


def test_a_release_taken_back_after_its_promotion_waits_for_its_warm_pool_to_go(world: World) -> None:
    furnish_blue(world)
    release = world.release("2.0.0", keep_minutes=5, retain_days=0)
    assert release.end == "Promoted", release.cause
    rollback = world.rollback(release, reason="customers see old prices")
    assert rollback.states[-1] == "RolledBack", rollback.cause
    assert world.leftovers(release) == []


def test_a_release_taken_back_leaves_nothing_of_it(world: World) -> None:
    furnish_blue(world)
    before = hanging(world, "shop-1")
    release = world.release(fault="third")
    assert release.end == "RolledBack", release.cause
    assert world.leftovers(release) == []
    assert world.alarms() == ["busy", "crowded", "shop-errors"]
    assert hanging(world, "shop-1") == before
    assert world.weights() == {"shop-1": 100}
