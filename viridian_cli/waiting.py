"""Staying with a release until it is over, and saying each phase it comes to."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from botocore.exceptions import ClientError

from viridian.aws import executions, ledger
from viridian.record import OVER, Record
from viridian_cli import failures, picture, replay
from viridian_cli.aws import clock, look
from viridian_cli.exits import OF_END, Exit, Stop
from viridian_cli.seen import Planning

LOOK_SECONDS = 5
_JOINS = "WaitForRelease"  # the state of an execution whose release another one has begun
_PATIENCE = 720  # looks: an hour, in which the sweeper comes sixty times


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """What a release has come to: a phase of its tellings, or of its planning, which nothing tells."""

    at: datetime
    phase: str
    what: str
    why: str
    next: str


Say = Callable[[Phase], None]
T = TypeVar("T")


class Watched:
    """A release as it was seen last; `phases` are what it has come to since."""

    def __init__(self, execution: str, before: Record | None) -> None:
        self.execution = execution
        self.record = before
        self._planning = set[str]()

    def phases(self) -> list[Phase]:
        """What it has come to since the last look, in the words of its tellings."""
        found = self._find()
        if found is None:
            return self._planned()
        if found == self.record:
            return []
        before, self.record = self.record, found
        told = replay.between(before, found, clock.now())
        return [msgspec.convert(telling, Phase, from_attributes=True) for telling in told]

    def _planned(self) -> list[Phase]:
        """That it is being planned, waits for its window, or joins another: each is said once."""
        with suppress(Stop, ClientError):  # it has ended since, or may not be looked into
            seen = look.planned(self.execution, clock.now())
            said = _joins(seen) if seen.state and seen.state.name == _JOINS else _plans(seen)
            if said.what not in self._planning:
                self._planning.add(said.what)
                return [said]
        return []

    def _find(self) -> Record | None:
        if self.record is None:
            return ledger.find_by_execution(self.execution)
        return ledger.find(self.record.plan.service, self.record.plan.release)


def _plans(seen: Planning) -> Phase:
    shown = picture.drawn(seen)
    return Phase(at=shown.at, phase=shown.status, what=shown.what, why=shown.why, next=shown.next)


def _joins(seen: Planning) -> Phase:
    return Phase(
        at=seen.now,
        phase="Joining",
        what=f"{seen.service} {seen.version} is being released already",
        why="Another execution has begun it with the same key.",
        next="This one ends as that does.",
    )


def patiently(look: Callable[[], T], looks: int = _PATIENCE) -> T:
    """What a look shows; it is made again, so often, where the network or AWS is in the way for now."""
    for _ in range(looks):
        try:
            return look()
        except Exception as error:
            if not failures.passes(error):
                raise
            time.sleep(LOOK_SECONDS)
    return look()


def until_over(execution: str, say: Say, before: Record | None = None) -> tuple[str, str]:
    """How an execution of the release or the rollback machine ends, and why; says each phase on the way there.

    `before` is the release as it was when it was ordered; None if it begins with this. One that was stopped has written no end: the guard or the sweeper takes the release over, and its record has it.
    """
    watched, patience = Watched(execution, before), _PATIENCE

    def look() -> tuple[dict[str, Any], list[Phase]]:
        # First how the execution stands: what it wrote before it ended is then seen below.
        return executions.outcome(execution), watched.phases()

    while True:
        stands, phases = patiently(look)
        for phase in phases:
            say(phase)
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
