"""Every Task fails, or never answers: each way into the Catch leads back to blue, with the first error told."""

import pytest

from tests.workflow.world import ONE_STEP, World

TASKS = (
    "BakeImage",
    "CheckImage",
    "CreateGreen",
    "CheckGreen",
    "RunSmokeTests",
    "ShiftTraffic",
    "JudgeGreen",
    "Promote",
)


# Green takes everything in one step: what fails here fails at any step.
pytestmark = pytest.mark.profile(steps=ONE_STEP)


def ensure_as_before(world: World) -> None:
    """Blue serves alone at its own sizes, and the route is free."""
    assert world.weights() == {"shop-1": 100}
    assert world.group().minimum == 2
    assert world.healthy("shop-1") >= 3
    assert world.standby() is None
    assert world.holder() is None
    assert world.orphans() == []


@pytest.mark.parametrize("task", TASKS)
def test_a_task_that_fails_rolls_the_release_back(world: World, task: str) -> None:
    world.faults.raises(f"{task}Function", "Unheard", f"what {task} never did before")
    release = world.release()
    assert release.end == "RolledBack", release.cause
    assert release.cause.startswith(f"Unheard: what {task} never did before")
    assert release.states.count("RestoreBlue") == 1
    ensure_as_before(world)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_that_never_answers_rolls_the_release_back(world: World, task: str) -> None:
    world.faults.hangs(f"{task}Function", 1000)
    release = world.release()
    assert release.end == "RolledBack", release.cause
    assert release.cause.startswith("States.Timeout")
    ensure_as_before(world)


def test_holding_floors_that_fails_rolls_the_release_back(world: World) -> None:
    release = world.start().until("JudgeGreen")
    world.faults.raises("HoldFloorsFunction", "Unheard", "no floor to be held")
    world.cloud.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="shop-1", MinSize=1)
    assert release.wait().end == "RolledBack"
    assert release.cause.startswith("Unheard: no floor to be held")
    ensure_as_before(world)


@pytest.mark.parametrize("task", ["PlanRelease", "AcquireLock"])
def test_a_task_that_fails_before_the_route_is_taken_refuses_the_release(world: World, task: str) -> None:
    world.faults.raises(f"{task}Function", "Unheard", f"what {task} never did before")
    release = world.release()
    assert release.end == "Refused"
    assert release.cause.startswith(f"Unheard: what {task} never did before")
    assert world.calls(release.arn) == []
    assert world.holder() is None


@pytest.mark.parametrize("task", ["PlanRelease", "AcquireLock"])
def test_a_task_that_never_answers_before_the_route_is_taken_refuses_the_release(
    world: World, task: str
) -> None:
    world.faults.hangs(f"{task}Function", 1000)
    release = world.release()
    assert release.end == "Refused"
    assert release.cause.startswith("States.Timeout")
    assert world.calls(release.arn) == []


def test_a_lock_taken_by_a_task_that_then_never_answered_does_not_leak(world: World) -> None:
    """The function took the route, its answer never came."""
    world.faults.answers("GetItem", "Silence", lost=True, functions=("AcquireLockFunction",), times=1_000_000)
    release = world.release()
    assert release.end in ("RolledBack", "Refused")
    assert world.holder() is None
    assert release.record == {} or release.record["status"] == "RolledBack"
    ensure_as_before(world)


@pytest.mark.parametrize("task", ["AcquireLock", "ShiftTraffic", "JudgeGreen"])
def test_an_answer_that_step_functions_cannot_use_is_caught_like_any_other_error(
    world: World, task: str
) -> None:
    world.faults.mumbles(f"{task}Function")
    release = world.release()
    assert release.end == "RolledBack", (release.end, release.cause)
    assert release.cause.startswith("States.QueryEvaluationError")
    ensure_as_before(world)


def test_a_function_that_runs_out_of_its_own_time_rolls_the_release_back(world: World) -> None:
    world.faults.raises("CheckGreenFunction", "Lambda.Unknown", "Task timed out after 60.00 seconds")
    release = world.release()
    assert release.end == "RolledBack"
    assert release.cause.startswith("Lambda.Unknown: Task timed out")
    ensure_as_before(world)


def test_a_way_back_that_stumbles_gets_up_again(world: World) -> None:
    world.drop_events("BrakeFunction")
    for task in ("RestoreBlue", "Converge"):
        world.faults.raises(f"{task}Function", "Unheard", "not the first time", times=3)
    release = world.release(fault="third")
    assert release.end == "RolledBack"
    assert release.cause.startswith("GreenFailed: ")
    ensure_as_before(world)


def test_a_way_back_that_can_take_no_step_says_what_is_in_its_way(world: World) -> None:
    world.drop_events("BrakeFunction")
    world.faults.raises("RestoreBlueFunction", "Unheard", "no way in")
    world.faults.raises("ConvergeFunction", "Unheard", "no way on")
    release = world.release(fault="third")
    assert release.end == "RollbackIncomplete"
    assert release.cause.startswith("GreenFailed: alarm ")
    assert "no way on" in release.cause
    assert world.holder() == release.id
    assert release.record["status"] == "RollbackIncomplete"
    assert world.paged() == [f"viridian: shop {release.id} has ended RollbackIncomplete"]
    assert "no way on" in world.pages()[0].message
    assert [call["execution"] for call in release.mutations() if call["call"] == "Publish"] == [release.arn]

    world.faults.heals()
    rollback = world.rollback(release)
    assert rollback.states[-1] == "RolledBack"
    ensure_as_before(world)


def test_a_busy_task_is_tried_again(world: World) -> None:
    for task in TASKS:
        world.faults.raises(f"{task}Function", "Busy", "come back later", times=2)
    assert world.release().end == "Promoted"
