"""Plays one run: a world, its faults, its scenario to a safe end, and everything looked at that must be true then."""

import math
import random
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any

from moto.moto_api._internal import mock_random

from local.control.calls import CLOUD, PERSON, made_by
from tests.faults import kinds, promises, sight
from tests.faults.place import Place, Prepared, prepared
from tests.faults.points import Outcome, Run
from tests.faults.scenarios import LONGEST, SCENARIOS
from tests.speed import forgive
from tests.workflow.world import Release

ENDED = ("Promoted", "Retired", "RolledBack", "Held", "RollbackIncomplete")
AFTERWARDS = 90.0  # for whoever still sleeps to wake up and do harm

Under = Callable[[], AbstractContextManager[object]]


def play(run: Run, under: Under = nullcontext, *, story: bool = False) -> Outcome:
    """What came of it. `under` is entered around the whole world: that is how a mutant is put in."""
    seeded(0)
    with under():
        try:
            with prepared(run) as ready:
                return within(ready, run, story=story)
        except Exception:
            return Outcome(run, "", broken=traceback.format_exc())


def within(ready: Prepared, run: Run, *, story: bool = False) -> Outcome:
    """The run in a world that was prepared for it."""
    began = time.process_time()
    seeded(run.seed)
    try:
        with ready.placed(run) as world:
            outcome = perform(world)
            if story or not outcome.good:
                outcome = replace(outcome, facts={**outcome.facts, "calls": story_of(world)})
    except Exception:
        outcome = Outcome(run, "", broken=traceback.format_exc())
    return replace(outcome, cpu_seconds=time.process_time() - began)


def seeded(number: int) -> None:
    """The same ids and chances each time."""
    random.seed(number)
    mock_random.seed(number)
    forgive()


def perform(world: Place) -> Outcome:
    """The run's scenario in a world that stands."""
    run = world.run
    for fault in run.faults:
        kinds.arm(world, fault)
    world.began = world.cloud.clock.now()
    world.injector.begin()
    world.checks.begin()
    world.loads.begin()
    with made_by(PERSON):
        release = SCENARIOS[run.scenario](world)
    in_time = world.cloud.until(lambda: is_over(world, release), LONGEST)
    ended_at = world.cloud.clock.now()
    world.cloud.clock.sleep(AFTERWARDS)
    return judged(world, release, ended_at, in_time)


def is_over(world: Place, release: Release) -> bool:
    """No execution of ours runs, and the ledger says how it ended (or that it never began)."""
    if world.owed or any(each.status == "RUNNING" for each in world.executions()):
        return False
    record = world.record_of(release)
    status = record.get("status")
    retires = _until(world, record.get("retire_at"))
    if status == "Promoted" and world.run.scenario in ("retired", "network") and retires < LONGEST:
        return False  # its blue is still to be retired, and not tomorrow
    return status is None or status in ENDED


def _until(world: Place, moment: str | None) -> float:
    """Cloud seconds from now; for ever if there is no such moment."""
    return datetime.fromisoformat(moment).timestamp() - world.cloud.clock.now() if moment else math.inf


def end_of(world: Place, release: Release) -> tuple[str, str]:
    """How the release ended by the ledger, or by its execution if it isn't there; and the cause."""
    execution = world.cloud._execution(release.arn)
    status = world.record_of(release).get("status")
    if status:
        return str(status), str(execution.cause or "")
    states = world.states(release.arn)
    return str(execution.error or (states[-1] if states else execution.status)), str(execution.cause or "")


def judged(world: Place, release: Release, ended_at: float, in_time: bool) -> Outcome:
    run = world.run
    end, cause = end_of(world, release)
    if not in_time:
        world.checks.add("end", "viridian", f"no safe end within {LONGEST:.0f} s: {end}")
    elif end not in run.ends:
        world.checks.add(
            "end", "viridian", f"ended {end} ({cause}), not one of {', '.join(sorted(run.ends))}"
        )
    world.checks.final(release)
    promises.keep(world, release)
    first = min(world.reached.values(), default=world.began)
    return Outcome(
        run=run,
        end=end,
        cause=cause,
        violations=tuple(world.checks.violations),
        missed=tuple(fault for fault in run.faults if fault not in world.reached),
        traffic=world.loads.count(),
        orphans=tuple(world.checks.orphans()),
        old_epoch_writes=world.checks.old_epoch_writes(),
        safe_seconds=ended_at - first,
        cloud_seconds=ended_at - world.began,
        calls=len(world.injector.points),
        facts={**world.facts, "lost": world.loads.told, **({} if run.faults else clean_facts(world))},
    )


def clean_facts(world: Place) -> dict[str, Any]:
    """What rows are made from: every point, and the states of every execution."""
    states = dict.fromkeys(name for each in world.executions() for name in world.states(each.exec_arn))
    return {"points": list(world.injector.points), "states": list(states)}


def story_of(world: Place) -> list[str]:
    """Every changing call since the scenario began, and every one that failed, a line each."""
    return [
        f"{entry['at'] - world.began:7.0f} s  {entry['principal']:22} {entry['call']:28}"
        f" {entry['error'] or ''} {_change(entry)}".rstrip()
        for entry in world.cloud.calls.entries
        if entry["at"] >= world.began
        and (entry["mutating"] or entry["error"])
        and entry["principal"] != CLOUD
    ]


def _change(entry: dict[str, Any]) -> str:
    if "before" not in entry:
        return ""
    sides = (entry.get("before") or {}, entry.get("after") or {})
    return " -> ".join(
        ", ".join(f"{sight.named(name)} {value}" for name, value in side.items()) for side in sides
    )
