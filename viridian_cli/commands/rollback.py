"""`viridian rollback`: takes a release back to blue."""

from typing import Annotated

import typer

from viridian_cli import asking, following, options, ordering
from viridian_cli.aws import look, stack
from viridian_cli.exits import Exit, Stop

PANEL = "Stop"


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.Reason,
    release: options.Release = "",
    overwrite: Annotated[bool, typer.Option(help="Also write over weights that somebody else set.")] = False,
    steps: Annotated[
        str,
        typer.Option(help="Of a promoted release: blue's shares, as a profile has steps.", metavar="JSON"),
    ] = "[]",
    wait: options.Wait = False,
    json: options.Json = False,
) -> Exit:
    """Takes a release back: one that runs, one that is held, or a promoted one for as long as its blue is kept."""
    shares = asking.parsed("steps", steps)
    stack.find(context.obj)
    record = look.meant(service, release)
    if record.status == "Promoted" and not release:
        named = f"viridian rollback {service} {record.plan.release}"
        raise Stop(
            f"release: {record.plan.release} is promoted, and nothing is under way. To take it back: `{named}`."
        )
    execution = ordering.rollback(record, reason, overwrite=overwrite, steps=shares)
    return following.follow(service, record.plan.release, execution, wait=wait, json=json, before=record)
