"""`viridian history`: the releases that a service has had."""

from typing import Annotated

import typer

from viridian_cli import options, say
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
    found = releases.newest(service, last)
    if json:
        return say.document(
            [
                {
                    "release": record.plan.release,
                    "version": record.plan.version,
                    "status": record.status,
                    "began": record.plan.started_at,
                    "ended": record.ended_at,
                    "failure": record.failure,
                }
                for record in found
            ]
        )
    if not found:
        releases.pick(service)  # says that there is none
    say.table(
        ("release", "version", "status", "began", "ended", "first failure"),
        [
            (
                record.plan.release,
                record.plan.version,
                record.status,
                say.moment(record.plan.started_at),
                say.moment(record.ended_at),
                (record.failure or "").split(":")[0],
            )
            for record in found
        ],
    )
    return None
