"""`viridian resume`: a release that is paused or held goes on."""

import typer

from viridian_cli import following, options, ordering
from viridian_cli.aws import machines, releases, stack
from viridian_cli.exits import Exit

PANEL = "Decide"


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.FullReason,
    release: options.Release = "",
    wait: options.Wait = False,
    json: options.Json = False,
) -> Exit:
    """Lets a release go on: a paused one where it stands, a held one from its first step."""
    stack.find(context.obj)
    record = releases.pick(service, release)
    if record.status != "Held":
        return ordering.order(context.obj, service, release, json, wait=wait, order="resume", reason=reason)
    execution = machines.start(
        "release", {"service": service, "resume": record.plan.release, "reason": reason}
    )
    return following.follow(service, record.plan.release, execution, wait=wait, json=json, before=record)
