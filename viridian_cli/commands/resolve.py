"""`viridian resolve`: a person says that a release is over."""

import typer

from viridian.record import KEEPS_LOCK
from viridian_cli import following, options, ordering
from viridian_cli.aws import releases, stack
from viridian_cli.exits import Exit, Stop

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
    record = releases.pick(service, release)
    if record.status not in KEEPS_LOCK:
        raise Stop(
            f"release: {record.plan.release} is {record.status}: only what waits for a person is resolved."
        )
    execution = ordering.rollback(record, reason, resolve=True)
    return following.follow(service, record.plan.release, execution, wait=wait, json=json, before=record)
