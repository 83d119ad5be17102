"""`viridian resume`: a release that is held goes on."""

import typer

from viridian_cli import following, options
from viridian_cli.aws import machines, releases, stack
from viridian_cli.exits import Exit, Stop

PANEL = "Decide"


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.Reason,
    release: options.Release = "",
    wait: options.Wait = False,
    json: options.Json = False,
) -> Exit:
    """Lets a release go on that is held, from its first step."""
    stack.find(context.obj)
    record = releases.pick(service, release or None)
    if record.status != "Held":
        raise Stop(
            f"release: {record.plan.release} is {record.status}, not Held: there is nothing to resume."
        )
    execution = machines.start(
        "release", {"service": service, "resume": record.plan.release, "reason": reason}
    )
    return following.follow(
        {"service": service, "release": record.plan.release, "execution": execution}, wait, json
    )
