"""`viridian abort`: stops the execution of a release."""

import json as json_

import typer

from viridian import names
from viridian.aws import executions, ledger
from viridian_cli import following, options
from viridian_cli.aws import machines, releases, stack
from viridian_cli.exits import Exit, Stop

PANEL = "Stop"


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.Reason,
    release: options.Release = "",
    wait: options.Wait = False,
    json: options.Json = False,
) -> Exit:
    """Stops a release's execution; the guard then takes the release back. `rollback` does it within seconds."""
    stack.find(context.obj)
    execution = machines.underway(service, release)
    if execution is None:  # one that was resumed has no version in its input
        record = releases.pick(service, release)
        execution = record.plan.execution
        if record.status != "Releasing" or executions.outcome(execution)["status"] != "RUNNING":
            raise Stop(f"release: {record.plan.release} is {record.status}, and no execution of it runs.")
    before = ledger.find_by_execution(execution)
    if before:
        id_ = before.plan.release
    else:
        id_ = names.release(json_.loads(machines.described(execution)["input"])["version"], execution)
    machines.stop(execution, reason)
    return following.follow(service, id_, execution, wait=wait, json=json, before=before)
