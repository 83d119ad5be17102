"""What the shell offers after a Tab: services and releases as they stand; nothing where AWS can't be asked."""

from collections.abc import Iterable
from contextlib import suppress

import typer

from viridian_cli.aws import releases, stack
from viridian_cli.aws import services as registered


def services(context: typer.Context, incomplete: str) -> list[str]:
    """The registered services that begin so."""
    with suppress(Exception):
        stack.find(_stack(context))
        return _beginning(registered.names(), incomplete)
    return []


def releases_(context: typer.Context, incomplete: str) -> list[str]:
    """The ids of the service's last releases that begin so."""
    with suppress(Exception):
        stack.find(_stack(context))
        found = releases.newest(context.params["service"], 20)
        return _beginning((record.plan.release for record in found), incomplete)
    return []


def _stack(context: typer.Context) -> str:
    return str(context.obj or context.find_root().params.get("stack") or "viridian")


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
