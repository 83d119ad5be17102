"""The orders that a person gives: to the rollback machine, and to the function that takes them for a running release."""

from typing import Any

from viridian import request
from viridian.record import CLOSED, Record
from viridian_cli import following, say
from viridian_cli.aws import machines, releases, stack, urls
from viridian_cli.exits import Exit, Stop


def rollback(record: Record, reason: str, **how: Any) -> str:
    """Starts the rollback machine for a release, and answers with the execution.

    What can't be taken back any more is said before. `how` are the order's other fields.
    """
    if record.status in CLOSED:
        raise Stop(
            f"release: {record.plan.release} has ended {record.status}: there is nothing left to take back. "
            f"The way back is a release of another version: `viridian history {record.plan.service}` lists them."
        )
    said = {name: value for name, value in how.items() if value}
    asked = {"service": record.plan.service, "release": record.plan.release, "reason": reason, **said}
    request.parse_order(asked)
    return machines.start("rollback", asked)


def order(stack_: str, service: str, release: str, json_: bool, *, wait: bool = False, **asked: Any) -> Exit:
    """Tells a release that is under way what to do, signed, and says what was taken down; or, with `wait`, how it ends."""
    found = stack.find(stack_)
    record = running(service, release)
    document = {"service": service, "release": record.plan.release, **asked}
    told = urls.post(found.output("OrdersUrl"), found.region, document)
    if not (wait and json_):
        say.document(told) if json_ else say.line(f"{service} {record.plan.version}: {told['says']}")
    if not wait:
        return Exit.PROMOTED
    execution = record.plan.execution
    return following.follow(service, record.plan.release, execution, wait=True, json=json_, before=record)


def running(service: str, release: str) -> Record:
    """A release that is under way; Stop if it has ended, or goes back."""
    record = releases.pick(service, release)
    if record.status != "Releasing":
        raise Stop(
            f"release: {record.plan.release} is {record.status}, not under way: `viridian status {service}` says more."
        )
    return record
