"""What can be asked of the instrument and what it answers: points, faults, runs, outcomes, rows."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, order=True)
class Point:
    """The nth call of this name that a function sends, counted from where its scenario begins."""

    function: str
    call: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.function}.{self.call}#{self.nth}"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: a kind of kinds.py, where, and with which arguments."""

    kind: str
    point: Point | None = None
    args: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in sorted(self.args.items()))
        where = f" at {self.point}" if self.point else ""
        return f"{self.kind}{where}{f' ({told})' if told else ''}"

    @property
    def where(self) -> str:
        """The fault point that this one tries, as it is counted: its kind and its place."""
        return str(self)


ANY_END = frozenset({"Promoted", "Retired", "RolledBack", "Held", "RollbackIncomplete", "Refused"})
SAFE = frozenset({"Promoted", "Retired", "RolledBack", "Held", "Refused"})
WENT_BACK = frozenset({"RolledBack"})


@dataclass(frozen=True)
class Run:
    """One world, one scenario, the faults armed before it begins, and the ends that are acceptable.

    `reality` overrides fields of local.reality.Reality, `service` arguments of local.seed.service.
    """

    row: str
    scenario: str
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    reality: Mapping[str, Any] = field(default_factory=dict)
    service: Mapping[str, Any] = field(default_factory=dict)
    ends: frozenset[str] = SAFE

    def __hash__(self) -> int:
        return hash(self.text())

    def text(self) -> str:
        """As `--play` takes it."""
        return json.dumps({**asdict(self), "ends": sorted(self.ends)}, sort_keys=True)

    @classmethod
    def of(cls, text: str) -> "Run":
        told = json.loads(text)
        faults = tuple(
            Fault(each["kind"], Point(**each["point"]) if each["point"] else None, each["args"])
            for each in told["faults"]
        )
        return cls(**{**told, "faults": faults, "ends": frozenset(told["ends"])})


@dataclass(frozen=True)
class Violation:
    """A check that failed, at which cloud second of the run, and whose write did it."""

    check: str
    writer: str
    at: float
    what: str

    def __str__(self) -> str:
        return f"{self.check} by {self.writer} at {self.at:.0f} s: {self.what}"


@dataclass(frozen=True)
class Traffic:
    """Requests by what became of them."""

    requests: float = 0.0
    lost_by_us: float = 0.0
    lost_by_fault: float = 0.0
    served_by_bad_green: float = 0.0
    failed_open: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What came of a run. `missed` are faults whose point was never reached: they count for nothing.

    `safe_seconds` is from the first fault (or the start) to the safe end; `broken` is the instrument's own failure.
    """

    run: Run
    end: str
    violations: tuple[Violation, ...] = ()
    missed: tuple[Fault, ...] = ()
    traffic: Traffic = Traffic()
    orphans: tuple[str, ...] = ()
    old_epoch_writes: int = 0
    safe_seconds: float = 0.0
    cloud_seconds: float = 0.0
    calls: int = 0
    cause: str = ""
    broken: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    cpu_seconds: float = 0.0

    @property
    def ours(self) -> tuple[Violation, ...]:
        return tuple(each for each in self.violations if each.writer == "viridian")

    @property
    def good(self) -> bool:
        """Nothing of ours was violated, lost or left behind."""
        return not (
            self.ours
            or self.orphans
            or self.old_epoch_writes
            or self.broken
            or round(self.traffic.lost_by_us, 3) > 0
        )


class Clean(Protocol):
    """What clean runs of the scenarios showed: the places where a fault can be put."""

    def mutating(self, scenario: str) -> list[Point]:
        """Every changing call of a function of ours, ledger writes included, in order."""

    def reads(self, scenario: str) -> list[Point]:
        """Every other call of a function of ours, in order."""

    def states(self, scenario: str) -> list[str]:
        """The Task states entered, by all machines, in order of their first entry."""

    def outcome(self, scenario: str) -> Outcome:
        """The clean run itself."""


Runs = Callable[[Clean], Iterable[Run]]
EVERY = 10_000  # systematic: no run is left out


@dataclass(frozen=True)
class Row:
    """One row of the matrix; `feature` is False, and `missing` names it, where the product doesn't have it yet."""

    id: str
    title: str
    runs: Runs
    feature: bool = True
    missing: str = ""
    most: int = 40  # runs, spread evenly over all there are; systematic rows play every one
