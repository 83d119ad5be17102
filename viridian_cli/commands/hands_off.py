"""`viridian hands-off`: nothing of Viridian's writes to a route any more, or may again."""

from typing import Annotated

import typer

from viridian.aws import ledger
from viridian_cli import options, say
from viridian_cli.aws import hands, services, stack
from viridian_cli.exits import Exit, Stop

PANEL = "Stop"


def command(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="The service.")] = "",
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why; whoever is held off is told.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every route instead of one service's.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Let Viridian write again.")] = False,
    route: options.Route = "",
    json: options.Json = False,
) -> Exit:
    """Keeps Viridian from writing to a service's route and fleets, until it is told --off."""
    if bool(service or route) == every:
        raise Stop("service: name one, or say --all for every route.")
    if off == bool(reason.strip()):
        raise Stop("reason: say why with --reason, or --off to let Viridian write again.")
    stack.find(context.obj)
    if every:
        route = ledger.EVERY_ROUTE
    elif not route:
        with services.or_named():
            route = services.route(service)
    hands.set_off(route, None if off else reason)
    if json:
        say.document({"route": route, "hands_off": None if off else reason})
    elif off:
        say.line(f"Viridian may write to {route} again.")
    else:
        say.line(
            f"Nothing of Viridian's writes to {route}; what was let through before may still arrive for 60 s."
        )
    return Exit.PROMOTED
