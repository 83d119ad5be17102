"""`viridian watch`: a release on one live screen."""

import typer

from viridian_cli import options, watching
from viridian_cli.aws import look, stack
from viridian_cli.exits import Exit

PANEL = "Look"


def command(
    context: typer.Context,
    service: options.Service,
    release: options.Release = "",
    json: options.Json = False,
) -> Exit:
    """Shows a release until it is over, and ends as `--wait` does; without a terminal, a line for each change."""
    stack.find(context.obj)
    return watching.watch(look.Looker.at(service, release), json)
