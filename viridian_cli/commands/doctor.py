"""`viridian doctor`: whether anything is wrong, and what to do about it."""

from typing import Annotated

import typer

from viridian_cli import completion, examining, options, say
from viridian_cli.exits import Exit

PANEL = "Keep house"
_COLOURS = {"ok": "green", "to do": "red", "not known": "yellow"}


def command(
    context: typer.Context,
    service: Annotated[
        str,
        typer.Argument(
            help="Only this service; all of them, if left out.", autocompletion=completion.services
        ),
    ] = "",
    json: options.Json = False,
) -> Exit:
    """Looks at credentials, stack and services, and says what to do: ends with 0, 3 if there is something, 4 if it can't tell."""
    found = examining.examine(context.obj, service)
    if json:
        say.document(found.made)
        return found.code()
    for check in found.made:
        told = ". ".join(filter(None, (check.found, check.fix)))
        say.line(f"{check.state:9}  {check.subject}: {told}", _COLOURS[check.state])
    return found.code()
