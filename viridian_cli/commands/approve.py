"""`viridian approve`: approves what a release waits with."""

from typing import Annotated

import typer

from viridian_cli import answering, options
from viridian_cli.exits import Exit

PANEL = "Decide"


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.FullReason,
    release: options.Release = "",
    id_: Annotated[str, typer.Option("--id", help="The question's id; the open one, if left out.")] = "",
    json: options.Json = False,
) -> Exit:
    """Lets a release go on that waits for approval."""
    return answering.answer(context.obj, service, release, "approve", reason, id_, json)
