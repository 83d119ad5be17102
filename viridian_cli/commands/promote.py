"""`viridian promote`: a release is observed no longer."""

import typer

from viridian_cli import options, ordering
from viridian_cli.exits import Exit

PANEL = "Decide"


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.FullReason,
    release: options.Release = "",
    json: options.Json = False,
) -> Exit:
    """Skips what is left of the observing: green is judged once more, gets all traffic, and is promoted."""
    return ordering.order(context.obj, service, release, json, order="promote", reason=reason)
