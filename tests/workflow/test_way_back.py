"""The way back to blue: ordered by a person, through what others wrote, and with fleets that are ill."""

from tests.workflow.world import MINUTE, Release, World


def at_half(world: World) -> Release:
    """A release whose green carries half, observed once."""
    return world.half_way()


def errors_of(world: World, function: str) -> list[str | None]:
    """How each invocation of a function ended, in order; None is a good end."""
    return [run["error"] for run in world.cloud.lambda_invocations if run["function"] == function]


# --- ordered by a person ----------------------------------------------------------------------------------


def test_a_running_release_is_rolled_back_by_order_and_ends_rolled_back_itself(world: World) -> None:
    release = at_half(world)
    rollback = world.rollback(release, reason="the shop's owner asks for it")
    assert rollback.execution.status == "SUCCEEDED"
    assert rollback.states[-1] == "RolledBack"
    release.wait()
    assert (release.execution.status, release.end) == ("FAILED", "RolledBack")
    assert "the shop's owner asks for it" in release.cause
    assert release.record["failure"] == "RollbackOrdered: the shop's owner asks for it"
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []
    assert world.holder() is None
    assert world.group().minimum == 2


def test_once_taken_over_the_running_release_writes_nothing_any_more(world: World) -> None:
    release = at_half(world)
    took_over = world.cloud.clock.now()
    rollback = world.rollback(release)
    release.wait()
    assert {call["epoch"] for call in release.mutations()} == {1}
    assert max(call["at"] for call in release.mutations()) <= took_over
    assert {call["epoch"] for call in rollback.mutations()} == {2}
    assert errors_of(world, "JudgeGreenFunction") == [None, "Fenced"]
    assert {int(entry["epoch"]) for entry in release.journal} == {1, 2}


def test_a_writer_that_comes_too_late_is_fenced_off(world: World) -> None:
    """Step Functions has given ShiftTraffic up; it goes on all the same, after blue was restored."""
    world.faults.hangs("ShiftTrafficFunction", 15 * MINUTE, times=1)
    release = world.release()
    assert release.end == "RolledBack"
    assert release.cause.startswith("States.Timeout")
    assert errors_of(world, "ShiftTrafficFunction") == []
    world.pass_minutes(20)
    assert errors_of(world, "ShiftTrafficFunction") == ["Fenced"]
    assert release.wrote_weights() == []
    assert world.weights() == {"shop-1": 100}


def test_a_writer_that_was_overtaken_between_its_look_and_its_write_does_not_write(world: World) -> None:
    """ShiftTraffic has read everything and found it good; then blue is restored; then it would write."""
    release = at_half(world)
    world.faults.stalls("DescribeTargetHealth", 10, "ShiftTrafficFunction")
    release.until("ShiftTraffic", 2)
    rollback = world.start_rollback(release)
    world.cloud.clock.sleep(9)
    assert world.weights() == {"shop-1": 100}
    assert release.states[-1] == "ShiftTraffic"
    world.cloud.clock.sleep(5)
    assert errors_of(world, "ShiftTrafficFunction") == [None, "Fenced"]
    assert world.weights() == {"shop-1": 100}
    assert rollback.wait().states[-1] == "RolledBack"
    assert release.wait().end == "RolledBack"
    assert release.wrote_weights() == [{"shop-1": 50, release.green: 50}]


def test_a_release_whose_execution_was_aborted_is_rolled_back_by_order(world: World) -> None:
    release = at_half(world)
    world.cloud.client("stepfunctions").stop_execution(executionArn=release.arn)
    assert release.execution.status == "ABORTED"
    rollback = world.rollback(release)
    assert rollback.states[-1] == "RolledBack"
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []
    assert world.holder() is None


def test_a_release_that_has_made_nothing_yet_is_rolled_back_by_order(world: World) -> None:
    release = world.start().until("WaitForImage")
    rollback = world.rollback(release)
    assert rollback.states[-1] == "RolledBack"
    assert release.wait().end == "RolledBack"
    assert release.wrote_weights() == rollback.wrote_weights() == []
    assert world.leftovers(release) == []
    assert world.holder() is None


def test_a_release_that_was_rolled_back_is_left_as_it_is(world: World) -> None:
    release = world.release(smoke_tests=[{"path": "/", "contains": "nothing of the kind"}])
    again = world.rollback(release)
    assert again.states[-1] == "RolledBack"
    assert again.mutations() == []


def test_a_release_that_never_was_is_refused(world: World) -> None:
    order = {"service": "shop", "release": "9.9.9-000000"}
    rollback = Release(world, world.cloud.start(world.outputs["RollbackStateMachineArn"], order)).wait()
    assert (rollback.execution.status, rollback.end) == ("FAILED", "Refused")
    assert "9.9.9-000000" in rollback.cause
    assert rollback.mutations() == []


def test_an_order_without_a_release_is_refused(world: World) -> None:
    rollback = Release(world, world.cloud.start(world.outputs["RollbackStateMachineArn"], {})).wait()
    assert (rollback.execution.status, rollback.end) == ("FAILED", "Refused")
    assert rollback.mutations() == []


def test_two_orders_for_one_release_roll_it_back_once(world: World) -> None:
    release = at_half(world)
    first, second = world.start_rollback(release), world.start_rollback(release)
    first.wait()
    second.wait()
    release.wait()
    assert first.states[-1] == second.states[-1] == "RolledBack"
    assert release.end == "RolledBack"
    deleted = [call for call in world.mutations() if call["call"] == "DeleteAutoScalingGroup"]
    assert len(deleted) == 1


# --- weights that somebody else wrote ---------------------------------------------------------------------


def test_weights_that_a_person_wrote_are_left_and_the_release_is_held(world: World) -> None:
    release = at_half(world)
    world.set_weights(**{"shop_1": 80, release.green.replace("-", "_"): 20})
    release.wait()
    assert (release.execution.status, release.end) == ("FAILED", "Held")
    assert release.cause.startswith("Drifted: the rule shows ")
    assert f"{release.green} 20" in release.cause
    assert "shop-1 80" in release.cause
    assert world.weights() == {"shop-1": 80, release.green: 20}
    assert world.holder() == release.id
    assert world.group(release.group).in_service == 3
    assert [call["call"] for call in release.mutations()][-1] == "Publish"


def test_foreign_weights_are_written_over_by_a_rollback_that_may(world: World) -> None:
    release = at_half(world)
    world.set_weights(**{"shop_1": 80, release.green.replace("-", "_"): 20})
    release.wait()
    again = world.rollback(release)
    assert again.end == "Held"
    assert world.weights() == {"shop-1": 80, release.green: 20}
    rollback = world.rollback(release, overwrite=True)
    assert rollback.states[-1] == "RolledBack"
    assert world.weights() == {"shop-1": 100}
    assert world.leftovers(release) == []
    assert world.holder() is None


def test_foreign_weights_on_a_dead_fleet_are_written_over_at_once(world: World) -> None:
    release = at_half(world)
    world.set_weights(**{"shop_1": 10, release.green.replace("-", "_"): 90})
    world.fall_ill(*world.instances(release.group))
    release.wait()
    assert release.end == "RolledBack"
    assert release.cause.startswith("Drifted: ")
    assert world.weights() == {"shop-1": 100}


def test_a_group_that_a_person_added_to_the_rule_stops_the_release(world: World) -> None:
    elb = world.cloud.client("elbv2")
    elb.create_target_group(Name="maintenance", Protocol="HTTP", Port=80, VpcId=world.shop.vpc_id)
    release = at_half(world)
    world.set_weights(**{"shop_1": 50, release.green.replace("-", "_"): 40, "maintenance": 10})
    release.wait()
    assert release.end == "Held"
    assert "maintenance 10" in release.cause


def test_a_person_who_puts_everything_back_on_blue_ends_the_release(world: World) -> None:
    release = at_half(world)
    world.set_weights(shop_1=100)
    release.wait()
    assert release.end == "RolledBack"
    assert release.cause.startswith("Drifted: ")
    assert release.wrote_weights() == [{"shop-1": 50, release.green: 50}]
    assert world.leftovers(release) == []
    assert world.holder() is None


def test_a_route_that_somebody_deletes_needs_a_person_and_nothing_is_taken_from_green(world: World) -> None:
    release = at_half(world)
    world.cloud.client("elbv2").delete_rule(RuleArn=world.shop.rule_arn)
    release.wait()
    assert release.end == "RollbackIncomplete"
    assert release.cause.startswith("Refusal: route: ")
    assert str(world.shop.rule_arn) in release.cause
    assert world.group(release.group).in_service == 3
    assert world.group().in_service == 3
    assert world.holder() == release.id


def test_a_green_that_lost_its_tags_is_not_deleted_but_blue_serves(world: World) -> None:
    """An infrastructure-as-code run took the tags off: nothing without them is ever deleted (P4)."""
    release = world.start(fault="third", deadlines={"rollback_minutes": 5}).until("JudgeGreen")
    on = {"ResourceId": release.group, "ResourceType": "auto-scaling-group"}
    world.cloud.client("autoscaling").delete_tags(Tags=[{**on, "Key": "viridian:release"}])
    release.wait()
    assert release.end == "RollbackIncomplete"
    assert release.cause.startswith("GreenFailed: ")
    assert f"Auto Scaling group {release.group}" in release.cause
    assert world.weights() == {"shop-1": 100}
    assert world.group(release.group).in_service == 3


# --- fleets that are ill ----------------------------------------------------------------------------------

MOSTLY = [{"weight": 90, "observe_minutes": 4}, {"weight": 100, "observe_minutes": 4}]


def fall_ill(world: World, several: int) -> None:
    """So many of blue's three fall ill, and the load balancer has noticed."""
    world.fall_ill(*world.instances()[:several])
    assert world.cloud.until(lambda: world.healthy("shop-1") == 3 - several, MINUTE)


def test_a_blue_that_is_short_gets_what_it_can_carry_then_the_rest_as_it_comes_back(world: World) -> None:
    release = world.start(fault="third", steps=MOSTLY).until("Observe")
    fall_ill(world, 2)
    release.wait()
    assert release.end == "RolledBack"
    steps = [weights.get(release.green, 0) for weights in release.wrote_weights()]
    assert steps[:2] == [90, 67], "one of three carries a third"
    assert set(world.paged()) == {f"viridian: shop {release.id} is being rolled back"}
    assert "blue carries 1 of 3: green keeps 67%" in world.pages()[0].message
    assert steps == sorted(steps, reverse=True), "a green that failed gets no more"
    assert steps[-1] == 0
    assert world.weights() == {"shop-1": 100}
    assert world.healthy("shop-1") >= 3
    assert world.group().minimum == 2


def test_a_blue_that_lost_capacity_is_raised_to_the_need_before_the_release_ends(world: World) -> None:
    release = world.start(fault="third", steps=MOSTLY).until("JudgeGreen")
    world.cloud.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="shop-1", MinSize=1, DesiredCapacity=1
    )
    release.wait()
    assert release.end == "RolledBack"
    assert world.healthy("shop-1") >= 3
    assert {"MinSize": 3, "DesiredCapacity": 3} in [
        {key: call["request"].get(key) for key in ("MinSize", "DesiredCapacity")}
        for call in release.mutations()
        if call["call"] == "UpdateAutoScalingGroup" and call["request"]["AutoScalingGroupName"] == "shop-1"
    ]


def test_a_dead_blue_leaves_the_traffic_to_green_until_it_is_back(world: World) -> None:
    release = world.start(fault="third", steps=MOSTLY).until("Observe")
    fall_ill(world, 3)
    release.wait()
    assert release.end == "RolledBack"
    assert {release.green: 100} in release.wrote_weights()
    assert release.wrote_weights()[-1] == {"shop-1": 100}
    assert world.healthy("shop-1") >= 3


def test_where_neither_side_is_alive_nothing_is_moved(world: World) -> None:
    release = world.start().until("JudgeGreen")
    world.fall_ill(*world.instances(), *world.instances(release.group))
    release.wait()
    assert (release.execution.status, release.end) == ("FAILED", "Held")
    assert "neither side can carry anything" in release.cause
    assert world.weights() == {"shop-1": 50, release.green: 50}
    assert release.wrote_weights() == [{"shop-1": 50, release.green: 50}]
    assert world.holder() == release.id


def test_green_gets_no_traffic_that_would_leave_blue_more_than_it_can_carry(world: World) -> None:
    steps = [{"weight": 10, "observe_minutes": 4}, {"weight": 100, "observe_minutes": 4}]
    world.faults.hangs("RunSmokeTestsFunction", 50)
    release = world.start(steps=steps).until("RunSmokeTests")
    world.lose(*world.instances()[:2])
    release.wait()
    assert release.end == "RolledBack"
    assert release.cause.startswith("BlueUnfit: 1 of the 3 that 90% needs healthy in shop-1")
    assert release.wrote_weights() == []
    assert world.healthy("shop-1") == 3


# --- floors -----------------------------------------------------------------------------------------------


def test_a_floor_that_a_person_lowers_is_held_again(world: World) -> None:
    release = at_half(world)
    world.cloud.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="shop-1", MinSize=1)
    release.until("HoldFloors")
    world.cloud.until(lambda: world.group().minimum == 3, MINUTE)
    assert world.group().minimum == 3
    assert release.wait().end == "Promoted"
    assert world.group().in_service == 3


def test_a_floor_of_greens_that_a_person_lowers_is_held_again(world: World) -> None:
    release = at_half(world)
    world.cloud.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=release.group, MinSize=0)
    release.until("HoldFloors")
    world.cloud.until(lambda: world.group(release.group).minimum == 3, MINUTE)
    assert world.group(release.group).minimum == 3
    assert release.wait().end == "Promoted"


def test_the_need_follows_a_blue_that_grows_before_green_has_traffic(world: World) -> None:
    release = world.start().until("CreateGreen").until("CheckGreen")
    world.cloud.client("autoscaling").set_desired_capacity(AutoScalingGroupName="shop-1", DesiredCapacity=5)
    release.until("ShiftTraffic")
    assert "HoldFloorsFirst" in release.states
    assert release.record["need"] == 5
    assert world.group().minimum == 5
    assert world.group(release.group).in_service == 5
    assert release.wait().end == "Promoted"
