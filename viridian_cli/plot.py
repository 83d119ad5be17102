"""The plot of a release: its parts in their order, and which of them it is at."""

from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec.structs import replace

from viridian import gates
from viridian.record import KEEPS_LOCK, OVER, Record
from viridian.tellings import ORDERED

# What a part of the plot is called, by the states of the machines that belong to it.
STAGES = {
    "PlanRelease": ("PlanRelease", "IsDryRun", "HasItEnded", "WaitForRelease", "WaitForWindow"),
    "BakeImage": ("AcquireLock", "BakeImage", "WaitForImage", "CheckImage", "IsImageAvailable"),
    "CreateGreen": ("CreateGreen", "WaitForGreen", "CheckGreen", "IsGreenHealthy", "HoldFloorsFirst"),
    "RunSmokeTests": ("RunSmokeTests", "DidSmokeTestsPass"),
    "PassGate": ("PassGate", "IsGateOpen", "AwaitApproval", "WaitAtGate", "HoldFloorsAtGate"),
    "Observe": ("ShiftTraffic", "Observe", "JudgeGreen", "IsGreenGood", "TakeNextStep", "HoldFloors"),
    "Promoted": ("Promote",),
    "RestoreBlue": ("AcceptOrder", "RestoreBlue"),
    "Converge": (
        "Converge",
        "IsItOver",
        "WaitToConverge",
        "PagePerson",
        "PassGateAfterRollback",
        "IsHookDone",
        "WaitForHook",
    ),
}
_STAGE_OF = {state: stage for stage, states in STAGES.items() for state in states}
_BEFORE = ("PlanRelease", "BakeImage", "CreateGreen", "RunSmokeTests")

Mark = Literal["done", "now", "ahead", "failed"]


class Stage(msgspec.Struct, frozen=True):
    """One part of the plot, and how the release stands to it."""

    name: str
    mark: Mark


def planned() -> tuple[Stage, ...]:
    """The plot of one that has touched nothing yet."""
    return tuple(Stage(name, "ahead" if n else "now") for n, name in enumerate((*_BEFORE, "Promoted")))


def step(record: Record) -> int | None:
    """The step whose share green has, or had as it turned back; None before its first."""
    had = (shown for shown in record.written if record.status == "Releasing" or record.percent(shown))
    return replace(record, written=tuple(had)).step


def drawn(record: Record, state: str | None) -> tuple[Stage, ...]:
    """The way of a release: forth, or forth as far as it came and then back."""
    stages = list(_stages(record))
    here = [name for name, _ in stages].index(reached(record, state))
    if record.status in ("Promoted", "Retired"):
        return tuple(Stage(label, "done") for _, label in stages)
    if record.status == "Releasing":
        return tuple(Stage(label, _mark(n, here)) for n, (_, label) in enumerate(stages))
    forth = stages if record.taken_back else stages[: here + 1]
    failed: Mark = "done" if record.taken_back or (record.failure or "").startswith(ORDERED) else "failed"
    back: Mark = "done" if record.restored_at else "ahead" if record.status in OVER else "now"
    end = record.status if record.status in OVER else "RolledBack"
    return (
        *(Stage(label, "done") for _, label in forth[:-1]),
        Stage(forth[-1][1], failed),
        Stage("RestoreBlue", back),
        Stage("Converge", "done" if record.status in OVER else "now" if record.restored_at else "ahead"),
        Stage(
            end,
            "done" if end == record.status == "RolledBack" else "failed" if end in KEEPS_LOCK else "ahead",
        ),
    )


def reached(record: Record, state: str | None) -> str:
    """The part of the plot that a release is at, or failed at: by its execution's state, else by its record."""
    stage = _STAGE_OF.get(state or "")
    if stage in (*_BEFORE, "Promoted") and record.status == "Releasing":
        return stage
    if record.waits_at:
        return record.waits_at.gate
    if (n := step(record)) is not None:
        return f"step {n}"
    if record.launch_template_version is None:
        return "BakeImage"
    return "step 0" if stage == "Observe" else "CreateGreen"


def _stages(record: Record) -> Iterator[tuple[str, str]]:
    """The parts of a release on its way forth, each with what it is called."""
    plan, steps = record.plan, record.plan.profile.steps
    yield from ((name, name) for name in _BEFORE)
    for n, each in enumerate(steps):
        gate, after = gates.before(n)
        if gate in plan.gates:
            yield gates.name(gate, after), _gate(record, gate)
        yield f"step {n}", f"{each.weight}%"
    if "before_promote" in plan.gates:
        yield "before_promote", _gate(record, "before_promote")
    yield "Promoted", "Promoted"


def _gate(record: Record, gate: gates.Gate) -> str:
    return "AwaitApproval" if gates.approves(record.plan.profile, gate) else "PassGate"


def _mark(n: int, here: int) -> Mark:
    return "done" if n < here else "now" if n == here else "ahead"
