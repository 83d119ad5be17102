"""Blue retires when its recorded time has come: nobody starts it, the sweeper does."""

from tests.workflow.world import Release, World

KEEP = 5


def promoted(world: World, version: str = "2.0.0") -> Release:
    release = world.release(version, keep_minutes=KEEP, retain_days=0)
    assert release.end == "Promoted", release.cause
    return release


def retired(world: World, release: Release) -> Release:
    world.cloud.until(lambda: release.record["status"] == "Retired", 3600)
    assert release.record["status"] == "Retired", release.record
    return release


def machine(world: World) -> str:
    found = world.cloud.client("stepfunctions").list_state_machines()["stateMachines"]
    return next(str(each["stateMachineArn"]) for each in found if "Retire" in each["name"])


def retirements(world: World) -> list[Release]:
    """Every execution of the retirement machine, oldest first."""
    found = world.cloud.client("stepfunctions").list_executions(stateMachineArn=machine(world))["executions"]
    return [Release(world, run["executionArn"]) for run in sorted(found, key=lambda run: run["startDate"])]


def test_blue_is_kept_until_its_time_whoever_asks(world: World) -> None:
    release = promoted(world)
    run = Release(world, world.cloud.start(machine(world), {"service": "shop", "release": release.id})).wait()
    assert run.end == "RetirementIncomplete"
    assert "is kept until" in run.cause
    assert run.mutations() == []
    world.pass_minutes(KEEP - 1)
    assert len(retirements(world)) == 1
    assert world.group().in_service == 3
    assert world.healthy("shop-1") == 3


def test_a_group_that_was_lent_drains_and_stays_at_zero(world: World) -> None:
    release = retired(world, promoted(world))
    blue = world.group()
    assert (blue.minimum, blue.desired, blue.maximum) == (0, 0, 9)
    assert world.instances() == []
    assert world.has_target_group("shop-1")
    assert world.standby() is None
    assert world.weights() == {release.green: 100}
    assert world.holder() is None
    assert world.orphans() == []
    assert [run.states[-1] for run in retirements(world)] == ["Retired"]
    served = world.cloud.plane.counts()
    assert sum(counts.elb_5xx + counts.target_5xx for counts in served.values()) == 0
    first = retirements(world)[0].mutations()
    assert [call["call"] for call in first] == ["DeleteRule", "SuspendProcesses", "UpdateAutoScalingGroup"]


def test_a_group_at_zero_starts_nothing_whatever_its_schedule_says(world: World) -> None:
    retired(world, promoted(world))
    # What a scheduled action does: it writes the sizes (aws-facts A16).
    world.cloud.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="shop-1", MinSize=2, DesiredCapacity=4
    )
    world.pass_minutes(10)
    assert world.instances() == []


def test_a_retirement_waits_while_another_release_holds_the_route(world: World) -> None:
    """Then both blues retire, each in its time: the lent one to zero, the one that a release made for good."""
    second = promoted(world)
    third = world.start("3.0.0", keep_minutes=KEEP, retain_days=0)
    world.cloud.until(lambda: len(retirements(world)) > 0, 3600)
    assert third.running
    world.pass_minutes(2)
    assert third.running
    assert world.group().in_service == 3
    third.wait()
    ended = world.cloud.clock.now()
    assert third.end == "Promoted"
    retired(world, second)
    writes = [call for run in retirements(world) for call in run.mutations()]
    assert writes
    assert min(call["at"] for call in writes) >= ended
    assert [run.states[-1] for run in retirements(world)] == ["Retired"]
    assert world.group().desired == 0
    assert world.standby() == {second.green: 100, third.green: 0}

    retired(world, third)
    assert not world.has_group(second.group)
    assert not world.has_target_group(second.green)
    assert world.has_group("shop-1")
    assert world.standby() is None
    assert world.weights() == {third.green: 100}
    assert world.orphans() == []


def test_blue_stays_while_what_serves_is_not_whole(world: World) -> None:
    release = promoted(world)
    world.pass_minutes(KEEP - 0.5)
    world.fall_ill(*world.instances(release.group))
    world.cloud.until(lambda: len(retirements(world)) > 0, 3600)
    world.pass_minutes(0.5)
    assert world.healthy(release.green) < 2
    assert world.group().in_service == 3
    assert retirements(world)[0].mutations() == []
    assert world.standby() is not None
    retired(world, release)
    assert world.healthy(release.green) >= 2
    assert world.group().desired == 0


def test_a_blue_that_serves_again_is_kept_and_somebody_is_told(world: World) -> None:
    release = promoted(world)
    world.set_weights(shop_1=100)
    world.cloud.until(lambda: len(retirements(world)) > 0, 3600)
    run = retirements(world)[0].wait()
    assert run.end == "Held"
    assert "blue serves again" in run.cause
    assert [call["call"] for call in run.mutations()] == ["Publish"]
    assert world.group().in_service == 3
    assert world.holder() is None
    world.pass_minutes(30)
    assert len(retirements(world)) == 1
    assert release.record["status"] == "Promoted"
    assert world.group().in_service == 3


def test_a_retirement_that_fails_is_started_again(world: World) -> None:
    world.faults.answers("UpdateAutoScalingGroup", "ValidationError", functions=("RetireBlueFunction",))
    retired(world, promoted(world))
    assert [run.end for run in retirements(world)] == ["RetirementIncomplete", "Retired"]
    assert "UpdateAutoScalingGroup" in retirements(world)[0].cause
    assert world.group().desired == 0
    assert world.holder() is None


def test_a_retirement_that_is_not_permitted_leaves_blue_and_the_route_and_does_not_come_again_at_once(
    world: World,
) -> None:
    world.faults.answers(
        "UpdateAutoScalingGroup", "AccessDenied", status=403, functions=("RetireBlueFunction",)
    )
    release = promoted(world)
    world.cloud.until(lambda: len(retirements(world)) > 0, 3600)
    run = retirements(world)[0].wait()
    assert run.end == "Held"
    assert run.cause.startswith("UpdateAutoScalingGroup: ")
    assert "Publish" in [call["call"] for call in run.mutations()], "somebody is told"
    assert world.holder() is None
    assert world.group().in_service == 3
    world.pass_minutes(30)
    assert len(retirements(world)) == 1
    assert release.record["status"] == "Promoted"
