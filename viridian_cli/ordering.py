"""The orders that a person gives: to the rollback machine, and to the function that takes them for a running release."""

import json
from typing import Any

from viridian import request
from viridian.record import CLOSED, Record
from viridian_cli.aws import machines, releases
from viridian_cli.exits import Stop


def rollback(
    service: str,
    release: str,
    reason: str,
    *,
    overwrite: bool = False,
    resolve: bool = False,
    steps: str | None = None,
) -> dict[str, Any]:
    """Starts the rollback machine for a release; what can't be taken back any more is said before."""
    record = releases.pick(service, release or None)
    _ensure_open(record)
    order: dict[str, Any] = {"service": service, "release": record.plan.release, "reason": reason}
    order |= {"overwrite": True} if overwrite else {}
    order |= {"resolve": True} if resolve else {}
    order |= {"steps": _steps(steps)} if steps else {}
    request.parse_order(order)
    execution = machines.start("rollback", order)
    return {"service": service, "release": record.plan.release, "execution": execution}


def running(service: str, release: str) -> Record:
    """A release that is under way; Stop if it has ended, or goes back."""
    record = releases.pick(service, release or None)
    if record.status != "Releasing":
        raise Stop(
            f"release: {record.plan.release} is {record.status}, not under way: `viridian status {service}` says more."
        )
    return record


def _ensure_open(record: Record) -> None:
    if record.status in CLOSED:
        raise Stop(
            f"release: {record.plan.release} has ended {record.status}: there is nothing left to take back. "
            f"The way back is a release of another version: `viridian history {record.plan.service}` lists them."
        )


def _steps(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Stop(
            f'steps: {text}. Give a JSON list: [{{"weight": 50, "observe_minutes": 5}}, ...].'
        ) from None
