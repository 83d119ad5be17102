"""`viridian abort`: stops the execution of a release."""

import typer

from viridian.aws import executions
from viridian_cli import following, options, ordering
from viridian_cli.aws import machines, stack
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
    record = ordering.running(service, release)
    execution = record.plan.execution
    if executions.state(execution) != "RUNNING":
        raise Stop(
            f"release: {record.plan.release} has no execution that runs: `viridian rollback {service}` takes it back."
        )
    machines.stop(execution, reason)
    return following.follow(service, record.plan.release, execution, wait=wait, json=json, before=record)
