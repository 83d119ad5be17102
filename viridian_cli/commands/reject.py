"""`viridian reject`: rejects what a release waits with."""

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
    """Refuses a release that waits for approval: it goes back to blue."""
    return answering.answer(context.obj, service, release, "reject", reason, id_, json)
