"""What follows an order: what was started, and, for those who wait, each phase and the end."""

from typing import Any

from viridian import tellings
from viridian.record import Record
from viridian_cli import exits, say, waiting
from viridian_cli.exits import Exit
from viridian_cli.waiting import Phase


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
    phases: list[Phase] = []

    def heard(phase: Phase) -> None:
        phases.append(phase)
        if not json:
            say.line(f"{say.moment(phase.at)}  {phase.what}: {phase.why}")

    end, cause = waiting.until_over(execution, heard, before)
    if json:
        say.document({**shown, "end": end, "cause": cause, "phases": phases})
    else:
        say.line(f"{end}. {cause}".strip(), style="green" if exits.code(end) == Exit.PROMOTED else "red")
    return exits.code(end)
