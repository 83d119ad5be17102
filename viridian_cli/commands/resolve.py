"""`viridian resolve`: a person says that a release is over."""

import typer

from viridian_cli import following, options, ordering
from viridian_cli.aws import stack
from viridian_cli.exits import Exit

PANEL = "Decide"


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.Reason,
    release: options.Release = "",
    wait: options.Wait = False,
    json: options.Json = False,
) -> Exit:
    """Declares a held release over: promoted if green has all traffic, rolled back if blue has."""
    stack.find(context.obj)
    return following.follow(ordering.rollback(service, release, reason, resolve=True), wait, json)
