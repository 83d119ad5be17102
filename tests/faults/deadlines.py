"""What mutants need watched beside the rows' own promises: blue in time, one rollback, and evidence that says something."""

import json
from collections.abc import Iterator
from typing import Any

from tests.faults.injector import Send
from tests.faults.interpreter import machine_in
from tests.faults.kinds import kind
from tests.faults.place import Place
from tests.faults.points import Fault
from tests.faults.promises import promise
from tests.faults.promptness import watch
from tests.workflow.world import Release


@kind("blue_within")
def blue_within(world: Place, fault: Fault) -> None:
    """Changes nothing: args within seconds after the call at the point blue must serve alone."""

    def how(send: Send) -> Any:
        world.fired(fault)
        watch(world, fault)
        return send.proceed()

    assert fault.point is not None
    world.injector.at(fault.point, how)


@promise("F11", "F14")
def one_rollback_for_each_epoch(world: Place, release: Release) -> Iterator[str]:
    """What the guard, the sweeper and the brake start is named by the release and its epoch: nobody can start two."""
    name = str(world.record_of(release).get("pk", "")).split("#")[-1]
    started = [run for run in world.executions() if machine_in(run.state_machine.name) == "Rollback"]
    named = [run.name for run in started if name and _order(run).get("release") == name]
    for each in named:
        epoch = each.removeprefix(f"{name}-")
        if each.startswith(name) and not epoch.isdigit():
            yield f"a rollback of {name} is called {each}"


def _order(run: Any) -> dict[str, Any]:
    given = run.input_data
    return dict(json.loads(given)) if isinstance(given, str) else dict(given or {})


@promise("F26")
def what_green_was_is_kept(world: Place, release: Release) -> Iterator[str]:
    """Once green is deleted the record tells of its alarms, its targets and why they failed."""
    record = world.record_of(release)
    if record.get("status") != "RolledBack" or not record.get("green_target_group"):
        return
    kept = json.loads(record.get("evidence") or "{}")
    for name in ("alarms", "targets", "activities"):
        if not kept.get(name):
            yield f"nothing is kept of green's {name}"
