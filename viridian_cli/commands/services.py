"""`viridian services`: what is registered, and what each serves now."""

import typer

from viridian import request
from viridian.aws import ledger, profiles
from viridian.errors import Refusal
from viridian_cli import options, say
from viridian_cli.aws import releases, services, stack

PANEL = "Look"
_COLUMNS = ("service", "release", "status", "hands_off", "route")


def command(context: typer.Context, json: options.Json = False) -> None:
    """Lists the registered services: the last release of each, and its route, or what is wrong with its profile."""
    stack.find(context.obj)
    found = [_service(name) for name in services.names()]
    if json:
        return say.document(found)
    shown = [{**row, "route": row["route"] or row["wrong"]} for row in found]
    say.table(_COLUMNS, [[say.cell(row[name]) for name in _COLUMNS] for row in shown])
    if not found:
        say.line("No service is registered yet: `viridian init` does that.")
    return None


def _service(name: str) -> dict[str, str | None]:
    try:
        route, wrong = request.parse_profile(profiles.find(name)[0]).route, None
    except Refusal as refusal:
        route, wrong = None, str(refusal)
    last = next(iter(releases.newest(name, 1)), None)
    return {
        "service": name,
        "route": route,
        "wrong": wrong,
        "release": last.plan.release if last else None,
        "status": last.status if last else None,
        "hands_off": ledger.hands_off(route) if route else None,
    }
