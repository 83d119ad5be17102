"""What follows an order: what was started, and, for those who wait, each phase and the end."""

from typing import Any

import msgspec

from viridian import tellings
from viridian.record import Record
from viridian.tellings import Telling
from viridian_cli import exits, say, waiting
from viridian_cli.exits import Exit


def follow(
    service: str, release: str | None, execution: str, *, wait: bool, json: bool, before: Record | None = None
) -> Exit:
    """Says what was started; with `wait`, stays until it is over and ends with its code.

    `release` is None where it may be another's that is joined; `before` is it as it was when something was ordered for it.
    """
    shown: dict[str, Any] = {"service": service, "release": release, "execution": execution}
    shown["link"] = tellings.link(execution)
    if not json:
        for name, value in shown.items():
            if value is not None:
                say.line(f"{name:10} {value}")
    if not wait:
        if json:
            say.document(shown)
        return Exit.PROMOTED
    phases: list[Telling] = []

    def heard(telling: Telling) -> None:
        phases.append(telling)
        if not json:
            say.line(f"{say.moment(telling.at)}  {telling.what}: {telling.why}")

    end, cause = waiting.until_over(execution, heard, before)
    if json:
        told = [
            {name: getattr(phase, name) for name in ("at", "phase", "what", "why", "next")}
            for phase in phases
        ]
        say.document({**shown, "end": end, "cause": cause, "phases": msgspec.to_builtins(told)})
    else:
        say.line(f"{end}. {cause}".strip(), style="green" if exits.code(end) == Exit.PROMOTED else "red")
    return exits.code(end)
