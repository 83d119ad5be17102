"""`viridian abort`: stops the execution of a release."""

import json as json_

import typer

from viridian import names
from viridian.aws import ledger
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
    if execution is None:
        record = releases.pick(service, release)
        raise Stop(f"release: {record.plan.release} is {record.status}, and no execution of it runs.")
    version = json_.loads(machines.described(execution)["input"])["version"]
    before = ledger.find_by_execution(execution)
    machines.stop(execution, reason)
    return following.follow(
        service, names.release(version, execution), execution, wait=wait, json=json, before=before
    )
