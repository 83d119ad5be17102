"""`viridian history`: the releases that a service has had."""

from typing import Annotated, Any

import typer

from viridian.record import Record
from viridian_cli import options, replay, say
from viridian_cli.aws import releases, stack

PANEL = "Look"


def command(
    context: typer.Context,
    service: options.Service,
    last: Annotated[int, typer.Option(min=1, max=releases.SEARCHED, help="So many of them.")] = 10,
    json: options.Json = False,
) -> None:
    """Lists the last releases of a service, the newest first."""
    stack.find(context.obj)
    found = releases.newest(service, last) or [releases.pick(service)]  # says why there is none
    if json:
        return say.document([_shown(record) for record in found])
    say.table(
        ("release", "version", "status", "began", "ended", "first failure"),
        [[say.cell(value) for value in _shown(record).values()] for record in found],
    )
    return None


def _shown(record: Record) -> dict[str, Any]:
    return {
        "release": record.plan.release,
        "version": record.plan.version,
        "status": record.status,
        "began": replay.began(record),
        "ended": record.ended_at,
        "failure": (record.failure or "").split(":")[0] or None,
    }
