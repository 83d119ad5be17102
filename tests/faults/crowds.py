"""Scenarios of more than one release: at once, the same again, one after a late event, two services on one route."""

import json
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from local import seed
from tests.faults.actors import crowd, half_way, over
from tests.faults.interpreter import STOPPED
from tests.faults.place import MINUTE, Place
from tests.faults.scenarios import LONGEST, SCENARIOS, ami
from tests.workflow.world import Release

MOST_TASKS = 2
SECONDS = 5.0
TASKS = ("PlanRelease", "AcquireLock")


def stopped(world: Place) -> Release:
    """A person stops a good release at its first step; the ledger knows how it ended."""
    started = half_way(world)
    world.cloud.client("stepfunctions").stop_execution(
        executionArn=started.arn, error=STOPPED, cause="by hand"
    )
    settled(world, started)
    return started


def settled(world: Place, started: Release) -> None:
    world.cloud.until(lambda: over(world, started.arn), LONGEST)


def next_after_stop(world: Place) -> Release:
    """The release after one that was stopped."""
    stopped(world)
    return world.start("3.0.0", source=ami(world, "3.0.0"))


def next_after_any(world: Place) -> Release:
    """The release after a good one, whatever became of that."""
    settled(world, world.start(source=ami(world)))
    return world.start("3.0.0", source=ami(world, "3.0.0"))


def next_after_bad(world: Place) -> Release:
    """The release after one that its own alarm took back."""
    settled(world, world.start(source=ami(world, fault="third")))
    return world.start("3.0.0", source=ami(world, "3.0.0"))


def next_after_brake(world: Place) -> Release:
    """The release after one that a guard took back; the guard has been OK again for a while."""
    settled(world, SCENARIOS["braked"](world))
    guard = world.cloud.client("cloudwatch")
    world.cloud.until(lambda: _state(guard, world.shop.guard_alarm) == "OK", LONGEST)
    world.pass_minutes(2)
    return world.start("3.0.0", source=ami(world, "3.0.0"))


def _state(client: Any, alarm: str) -> str:
    return str(client.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["StateValue"])


# --- at once -------------------------------------------------------------------------------------------------


def at_once(world: Place, many: int) -> Release:
    """So many starts at once: one runs, the others are refused at once, having changed nothing."""
    began = world.cloud.clock.now()
    started = crowd(world, many)
    world.cloud.until(lambda: sum(world.running(each) for each in started) <= 1, 5 * MINUTE)
    others = [each for each in started if not world.record_of(each)]
    if len(others) != many - 1:
        world.checks.add("F80", "viridian", f"{many - len(others)} of {many} releases took the route")
    for each in others:
        _refused(world, each, began)
    return next(each for each in started if each not in others)


def _refused(world: Place, release: Release, began: float) -> None:
    run = world.cloud._execution(release.arn)
    tasks = [state for state in world.states(release.arn) if state in TASKS]
    changed = _changed(world, release)
    took = run.stop_date.timestamp() - began if run.stop_date else float("inf")
    for wrong, what in (
        (run.error != "Refused", f"ended {run.status} {run.error}"),
        (len(tasks) > MOST_TASKS or "RestoreBlue" in world.states(release.arn), f"went through {tasks}"),
        (bool(changed), f"changed something: {changed}"),
        (took > SECONDS, f"took {took:.0f} s to be refused"),
    ):
        if wrong:
            world.checks.add("F80", "viridian", f"a release that came second {what}")


def _changed(world: Place, release: Release) -> list[str]:
    return [
        f"{each['principal']} {each['call']}"
        for each in world.cloud.calls.of(release.arn)
        if each["mutating"] and each["error"] is None and each["principal"].endswith("Function")
    ]


def two_services(world: Place) -> Release:
    """Two services are registered with one rule, and released at once: one runs, the other is refused."""
    seed.registered(world.cloud, "shop-two", {**world.shop.profile})
    source = ami(world)
    first = world.start(source=source)
    second = world.submit({"service": "shop-two", "version": "2.0.0", "source": source})
    world.cloud.until(lambda: not world.running(second) or not world.running(first), LONGEST)
    winner, loser = (first, second) if world.record_of(first) else (second, first)
    if world.record_of(loser) or world.cloud._execution(loser.arn).error != "Refused":
        world.checks.add("F83", "viridian", "both services of one rule were released at once")
    return winner


# --- the same again ------------------------------------------------------------------------------------------


def again(world: Place, when: str) -> Release:
    """The same release is asked for again, under its execution's name: while it runs, or once it is over."""
    started = half_way(world)
    if when == "rolled back":
        world.start_rollback(started, reason="the person at the wheel said so")
    if when != "running":
        settled(world, started)
    before = dict(world.record_of(started))
    run = world.cloud._execution(started.arn)
    try:
        arn = world.cloud.start(run.state_machine.arn, run.input_data, run.name)
        if when != "running" or arn != started.arn:
            world.checks.add("F81", "viridian", f"the same release ran twice: {arn}")
    except ClientError as refused:
        if when == "running" or "ExecutionAlreadyExists" not in str(refused):
            world.checks.add("F81", "viridian", f"the same release again, {when}: {refused}")
    if world.record_of(started) != before:
        world.checks.add("F81", "viridian", f"asking again changed the record of a release that is {when}")
    return started


def joined(world: Place) -> Release:
    """The same request twice at once, under one key: one releases, the other ends as it does, having changed nothing."""
    document = {"service": "shop", "version": "2.0.0", "source": ami(world), "key": "pipeline/1842"}
    both = [world.submit(document), world.submit(document)]
    world.cloud.until(lambda: not any(world.running(each) for each in both), LONGEST)
    first, second = sorted(both, key=lambda each: not world.record_of(each))
    end, other = (world.cloud._execution(each.arn).error for each in (first, second))
    for wrong, what in (
        (bool(world.record_of(second)), "took the route as well"),
        (bool(changed := _changed(world, second)), f"changed something: {changed}"),
        (other not in (end, "Refused"), f"ended {other}, and not {end}"),
    ):
        if wrong:
            world.checks.add("F81", "viridian", f"an execution that came second under the same key {what}")
    return first


def while_held(world: Place) -> Release:
    """A release asks for a route that a Held one keeps: refused, with the holder's name."""
    held = world.start(source=ami(world, fault="third"), rollback="hold")
    settled(world, held)
    asked = world.start("3.0.0", source=ami(world, "3.0.0"))
    world.cloud.until(lambda: not world.running(asked), LONGEST)
    run = world.cloud._execution(asked.arn)
    if run.error != "Refused" or held.id not in str(run.cause):
        world.checks.add("F82", "viridian", f"a release beside a Held one ended {run.error}: {run.cause}")
    return held


# --- documents that are too much -----------------------------------------------------------------------------

LIMIT = 262_144


def too_much(world: Place, what: str) -> Release:
    """A request that is far too long, or far too deep: refused, with nothing changed."""
    document: Any = {"service": "shop", "version": "2.0.0", "source": ami(world)}
    if what == "long":
        document["note"] = "x" * (LIMIT - len(json.dumps(document)) - 200)
    elif what == "long reason":
        document["waive"] = {"alarms": ["a"], "reason": "y" * (LIMIT - len(json.dumps(document)) - 200)}
    else:
        deep: Any = "bottom"
        for _ in range(int(what)):
            deep = {"d": deep} if _ % 2 else [deep]
        document["steps"] = deep
    refused = world.submit(document)
    world.cloud.until(lambda: not world.running(refused), LONGEST)
    _refused(world, refused, world.cloud.clock.now())
    return refused


def _add() -> None:
    SCENARIOS["next"] = next_after_stop
    SCENARIOS["after"] = next_after_any
    SCENARIOS["next-bad"] = next_after_bad
    SCENARIOS["next-braked"] = next_after_brake
    for many in (2, 5, 20):
        SCENARIOS[f"crowd-{many}"] = partial(at_once, many=many)
    for when in ("running", "promoted", "rolled back"):
        SCENARIOS[f"again, {when}"] = partial(again, when=when)
    SCENARIOS["joined"] = joined
    SCENARIOS["while held"] = while_held
    SCENARIOS["two services"] = two_services
    for what in ("long", "long reason", "30", "300"):
        SCENARIOS[f"too {what}"] = partial(too_much, what=what)


_add()
