"""`viridian services`: what is registered, and what each serves now."""

import typer

from viridian.aws import ledger, profiles
from viridian_cli import options, say
from viridian_cli.aws import releases, services, stack

PANEL = "Look"
_COLUMNS = ("service", "release", "status", "hands_off", "route")


def command(context: typer.Context, json: options.Json = False) -> None:
    """Lists the registered services: their route, the release that holds it, and the last one."""
    stack.find(context.obj)
    found = [_service(name) for name in services.names()]
    if json:
        return say.document(found)
    say.table(_COLUMNS, [[say.cell(row[name]) for name in _COLUMNS] for row in found])
    if not found:
        say.line("No service is registered yet: `viridian init` does that.")
    return None


def _service(name: str) -> dict[str, str | None]:
    profile, _ = profiles.find(name)
    route = str(profile.get("route", "none: its profile is not valid"))
    last = next(iter(releases.newest(name, 1)), None)
    return {
        "service": name,
        "route": route,
        "release": last.plan.release if last else None,
        "status": last.status if last else None,
        "hands_off": ledger.hands_off(route),
    }
