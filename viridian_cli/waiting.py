"""Staying with a release until it is over, and saying each phase it comes to."""

import json
import time
from collections.abc import Callable

from viridian.aws import executions, ledger
from viridian.record import OVER, Record
from viridian.tellings import Telling
from viridian_cli import failures, replay
from viridian_cli.aws import clock
from viridian_cli.exits import OF_END, Exit, Stop

LOOK_SECONDS = 5
_PATIENCE = 720  # looks: an hour, in which the sweeper comes sixty times

Say = Callable[[Telling], None]


class Watched:
    """A release as it was seen last; `phases` are what it has come to since."""

    def __init__(self, execution: str, before: Record | None) -> None:
        self.execution = execution
        self.record = before

    def phases(self) -> list[Telling]:
        """What it has come to since the last look, in the words of its tellings."""
        found = self._find()
        if found is None or found == self.record:
            return []
        before, self.record = self.record, found
        return replay.between(before, found, clock.now())

    def _find(self) -> Record | None:
        if self.record is None:
            return ledger.find_by_execution(self.execution)
        return ledger.find(self.record.plan.service, self.record.plan.release)


def until_over(execution: str, say: Say, before: Record | None = None) -> tuple[str, str]:
    """How an execution of the release or the rollback machine ends, and why; says each phase on the way there.

    `before` is the release as it was when it was ordered; None if it begins with this. One that was stopped has written no end: the guard or the sweeper takes the release over, and its record has it.
    """
    watched, patience = Watched(execution, before), _PATIENCE
    while True:
        try:
            # First how the execution stands: what it wrote before it ended is then seen below.
            stands = executions.outcome(execution)
            for telling in watched.phases():
                say(telling)
        except Exception as error:
            if not failures.passes(error) or not patience:
                raise
            patience -= 1
            time.sleep(LOOK_SECONDS)
            continue
        if stands["status"] == "SUCCEEDED":
            answer = json.loads(stands["output"])
            return str(answer.get("outcome") or answer["end"]), ""
        if stands["status"] == "FAILED" and stands.get("error") in OF_END:
            return str(stands["error"]), failures.cause(stands)
        if stands["status"] != "RUNNING":
            record, patience = watched.record, patience - 1
            if record is None:
                raise Stop(f"It ended {stands['status']} before it touched anything.", Exit.UNKNOWN)
            if record.status in OVER:
                return record.status, record.failure or ""
            if not patience:
                raise Stop(
                    f"Its execution ended {stands['status']}, and nobody has taken it over.", Exit.UNKNOWN
                )
        time.sleep(LOOK_SECONDS)
