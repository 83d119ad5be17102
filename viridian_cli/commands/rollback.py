"""`viridian rollback`: takes a release back to blue."""

from typing import Annotated

import typer

from viridian_cli import following, options, ordering
from viridian_cli.aws import stack
from viridian_cli.exits import Exit

PANEL = "Stop"


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.Reason,
    release: options.Release = "",
    overwrite: Annotated[bool, typer.Option(help="Also write over weights that somebody else set.")] = False,
    fields: Annotated[
        str | None,
        typer.Option("--steps", help="Of a promoted release: blue's shares, as JSON.", metavar="JSON"),
    ] = None,
    wait: options.Wait = False,
    json: options.Json = False,
) -> Exit:
    """Takes a release back: one that runs, one that is held, or a promoted one for as long as its blue is kept."""
    stack.find(context.obj)
    started = ordering.rollback(service, release, reason, overwrite=overwrite, steps=fields)
    return following.follow(started, wait, json)
