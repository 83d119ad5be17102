"""`viridian status`: what `watch` shows, once."""

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
    """Shows how a release stands: what is happening, why, and what may be typed now."""
    stack.find(context.obj)
    return watching.once(look.Looker.at(service, release), json)
