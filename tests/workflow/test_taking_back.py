"""A promoted release is taken back: at once while blue stands on its floor, capacity first once it stands at zero."""

from itertools import pairwise
from typing import Any

import pytest
from moto.autoscaling.models import autoscaling_backends

from local.control.session import ACCOUNT, REGION
from tests.workflow.test_retirement import retirements
from tests.workflow.world import Release, World

DAYS = 7


def promoted(world: World, version: str = "2.0.0", retain_days: int = DAYS, **asked: Any) -> Release:
    release = world.release(version, keep_minutes=5, retain_days=retain_days, **asked)
    assert release.end == "Promoted", release.cause
    return release


def emptied(world: World, release: Release) -> Release:
    world.cloud.until(lambda: bool(release.record.get("emptied_at")), 3600)
    assert release.record["status"] == "Promoted"
    return release


def took_back(world: World, release: Release) -> Release:
    rollback = world.rollback(release, reason="customers see old prices")
    assert rollback.states[-1] == "RolledBack", rollback.cause
    return rollback


def test_a_blue_on_its_floor_has_its_traffic_back_in_one_write(world: World) -> None:
    release = promoted(world)
    began = world.cloud.clock.now()
    rollback = took_back(world, release)
    first = rollback.mutations()[0]
    assert (first["call"], world.named(first["after"])) == ("ModifyRule", {"shop-1": 100})
    assert first["at"] - began < 5
    assert world.weights() == {"shop-1": 100}
    assert release.record["status"] == "RolledBack"
    assert "RollbackOrdered: customers see old prices" in release.record["failure"]
    assert world.nobody_lost_anything()


def test_nothing_is_left_of_a_release_that_was_taken_back(world: World) -> None:
    release = promoted(world)
    took_back(world, release)
    assert world.leftovers(release) == []
    assert world.orphans() == []
    assert world.holder() is None
    assert (world.group().minimum, world.group().desired) == (2, 3)
    assert "evidence" in release.record
    assert "promoted_at" not in release.record  # its past has it
    world.pass_minutes(30)
    assert retirements(world) == []


def test_blue_gets_its_own_minimum_back_though_green_has_shrunk_below_blues_floor(world: World) -> None:
    release = promoted(world)
    assert world.group().minimum == 3
    world.cloud.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=release.group, MinSize=2, DesiredCapacity=2
    )
    took_back(world, release)
    assert world.group().minimum == release.plan["blue"]["minimum"] == 2


def test_blue_stands_at_zero_once_it_was_kept_and_the_route_is_free(world: World) -> None:
    release = emptied(world, promoted(world))
    assert (world.group().minimum, world.group().desired) == (0, 0)
    assert [run.states[-1] for run in retirements(world)] == ["Emptied"]
    assert "shop-1 stands at zero until 20" in release.record["outcome"]
    assert world.holder() is None
    assert world.standby() is None


def test_a_blue_at_zero_gets_its_capacity_then_its_health_then_the_traffic(world: World) -> None:
    release = emptied(world, promoted(world))
    rollback = took_back(world, release)
    first = rollback.mutations()[:4]
    calls = ["CreateRule", "ResumeProcesses", "UpdateAutoScalingGroup", "ModifyRule"]
    assert [call["call"] for call in first] == calls
    assert world.named(first[3]["after"]) == {"shop-1": 100}
    assert world.weights() == {"shop-1": 100}
    assert world.healthy("shop-1") >= 2
    assert world.leftovers(release) == []
    assert world.standby() is None
    assert world.group().minimum == 2
    assert world.nobody_lost_anything()


def test_what_a_retirement_suspended_is_resumed_and_nothing_else(world: World) -> None:
    owners = {"AutoScalingGroupName": "shop-1", "ScalingProcesses": ["AZRebalance"]}
    world.cloud.client("autoscaling").suspend_processes(**owners)
    release = emptied(world, promoted(world))
    assert release.record["launches_suspended"]
    world.cloud.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="shop-1", MinSize=3)
    took_back(world, release)
    assert world.suspended() == ["AZRebalance"]
    assert not release.record["launches_suspended"]
    assert world.nobody_lost_anything()


def test_a_retirement_that_had_only_begun_leaves_nothing_suspended(world: World) -> None:
    """It dies between the suspension and the scaling in; blue still stands whole when its traffic comes back."""
    world.faults.answers(
        "UpdateAutoScalingGroup", "AccessDenied", status=403, functions=("RetireBlueFunction",)
    )
    release = promoted(world)
    world.cloud.until(lambda: bool(world.suspended()), 3600)
    took_back(world, release)
    assert world.suspended() == []
    assert world.group().in_service == 3


def test_blue_comes_back_as_large_as_what_serves_now(world: World) -> None:
    release = emptied(world, promoted(world))
    world.cloud.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=release.group, MinSize=5)
    world.cloud.until(lambda: world.healthy(release.green) == 5, 600)
    took_back(world, release)
    assert world.group().in_service == 5


def test_traffic_comes_back_in_steps_if_asked(world: World) -> None:
    release = emptied(world, promoted(world))
    steps = [{"weight": weight, "observe_minutes": 4} for weight in (25, 60, 100)]
    rollback = world.rollback(release, steps=steps)
    assert rollback.states[-1] == "RolledBack", rollback.cause
    writes = [call for call in rollback.mutations() if call["call"] == "ModifyRule"]
    shares = [world.named(call["after"]).get("shop-1") for call in writes]
    assert shares == [25, 60, 100]
    assert all(after["at"] - before["at"] >= 240 for before, after in pairwise(writes))
    assert world.nobody_lost_anything()


def test_a_later_order_without_steps_gives_blue_everything_at_once(world: World) -> None:
    release = promoted(world)
    patient = world.start_rollback(release, steps=[{"weight": w, "observe_minutes": 30} for w in (10, 100)])
    world.cloud.until(lambda: world.weights() == {"shop-1": 10, release.green: 90}, 3600)
    began = world.cloud.clock.now()
    hasty = world.start_rollback(release, reason="it does get worse")
    world.cloud.until(lambda: world.weights() == {"shop-1": 100}, 3600)
    assert world.cloud.clock.now() - began < 5
    assert [each.wait().states[-1] for each in (hasty, patient)] == ["RolledBack", "RolledBack"]
    assert world.nobody_lost_anything()


def test_a_retirement_that_is_under_way_is_overtaken(world: World) -> None:
    release = promoted(world)
    world.cloud.until(lambda: world.group().desired == 0, 3600)
    assert retirements(world)[0].running
    took_back(world, release)
    assert retirements(world)[0].wait().end == "RetirementIncomplete"
    assert f"{release.id} of shop is RollingBack" in retirements(world)[0].cause
    assert world.weights() == {"shop-1": 100}
    assert world.group().in_service >= 2


def test_a_green_that_has_nobody_left_is_no_reason_to_wait_for_all_of_blue(world: World) -> None:
    release = emptied(world, promoted(world))
    world.fall_ill(*world.instances(release.group))
    rollback = took_back(world, release)
    assert world.weights() == {"shop-1": 100}
    assert rollback.states[-1] == "RolledBack"


def test_a_blue_that_never_comes_up_leaves_the_traffic_where_it_is(world: World) -> None:
    release = emptied(world, promoted(world, deadlines={"rollback_minutes": 5}))
    world.fill_zones()
    rollback = world.rollback(release)
    assert rollback.end == "Held"
    assert "all traffic is on green" in rollback.cause
    assert world.weights() == {release.green: 100}
    assert world.nobody_lost_anything()
    refused = world.submit({"service": "shop", "resume": release.id, "reason": "let it go on now"}).wait()
    assert refused.end == "Refused"
    assert "is being taken back" in refused.cause
    resolved = world.rollback(release, resolve=True)
    assert resolved.states[-1] == "Promoted"
    assert release.record["status"] == "Promoted"


@pytest.mark.parametrize("order", [{}, {"overwrite": True}])
def test_a_release_that_does_not_serve_is_not_taken_back(world: World, order: dict[str, Any]) -> None:
    second = promoted(world)
    third = promoted(world, "3.0.0")
    rollback = world.rollback(second, **order)
    assert rollback.end == "Refused"
    assert "Take back the release that serves" in rollback.cause
    assert rollback.mutations() == []
    took_back(world, third)
    assert world.weights() == {second.green: 100}
    took_back(world, second)
    assert world.weights() == {"shop-1": 100}
    assert world.orphans() == []


def test_while_the_next_release_runs_the_one_before_is_not_taken_back(world: World) -> None:
    second = promoted(world)
    third = world.start("3.0.0").until("CreateGreen")
    rollback = world.rollback(second)
    assert rollback.end == "Refused"
    assert f"the route is held by release {third.id}" in rollback.cause
    assert third.wait().end == "Promoted"


def test_a_retired_blue_has_no_way_back_and_the_way_forward_is_named(world: World) -> None:
    release = promoted(world, retain_days=0)
    world.cloud.until(lambda: release.record["status"] == "Retired", 3600)
    rollback = world.rollback(release)
    assert rollback.end == "Refused"
    assert 'Go forward: release 1.0.0 with "source": {"type": "ami", "image_id": "ami-' in rollback.cause
    assert rollback.mutations() == []


def test_a_blue_that_was_kept_is_removed_when_its_days_are_over_if_a_release_made_it(world: World) -> None:
    second = promoted(world)
    third = emptied(world, promoted(world, "3.0.0"))
    assert world.has_group(second.group)
    world.bring_forward(third, 60)
    world.cloud.until(lambda: third.record["status"] == "Retired", 3600)
    assert not world.has_group(second.group)
    assert not world.has_target_group(second.green)
    assert world.has_group("shop-1")
    assert world.orphans() == []


def test_a_rollback_that_is_aborted_halfway_is_brought_to_its_end(world: World) -> None:
    release = emptied(world, promoted(world))
    rollback = world.start_rollback(release).until("Converge")
    world.stop(rollback)
    world.cloud.until(lambda: release.record["status"] == "RolledBack", 3600)
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []


def test_a_blue_of_a_cloudformation_stack_stays_at_zero_and_the_outcome_names_the_stack(world: World) -> None:
    group = autoscaling_backends[ACCOUNT][REGION].autoscaling_groups["shop-1"]
    tag: Any = {"key": "aws:cloudformation:stack-name", "value": "shop-prod", "propagate_at_launch": True}
    group.tags.append(tag)
    release = promoted(world, retain_days=0)
    world.cloud.until(lambda: release.record["status"] == "Retired", 3600)
    words = "shop-1 stays, at zero: it is aws:cloudformation:stack-name=shop-prod, not made by a release. "
    assert release.record["outcome"] == f"{words}Resume Launch to use it again"
    assert world.has_group("shop-1")
    assert world.group().desired == 0


def test_a_second_release_gives_the_standby_rule_back_without_the_blue_that_was_emptied_meanwhile(
    world: World,
) -> None:
    first = promoted(world)
    second = promoted(world, "3.0.0")
    emptied(world, first)
    took_back(world, second)
    assert world.weights() == {first.green: 100}
    assert world.standby() is None
    assert world.orphans() == []
