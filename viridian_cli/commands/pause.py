"""`viridian pause`: a release stays where it is for a while."""

from typing import Annotated

import typer

from viridian_cli import options, ordering
from viridian_cli.exits import Exit

PANEL = "Decide"


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.FullReason,
    release: options.Release = "",
    minutes: Annotated[int, typer.Option(min=1, max=720, help="How long at most; then it goes on.")] = 60,
    json: options.Json = False,
) -> Exit:
    """Keeps a release at its step: green keeps its share and is judged, and gets no more of the traffic."""
    return ordering.order(context.obj, service, release, json, order="pause", reason=reason, minutes=minutes)
