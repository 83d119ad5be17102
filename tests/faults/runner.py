"""Plays the matrix: clean runs first, then every row's, then what all of it came to, printed and written down."""

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.faults import likeness, mutants, nursery, picks
from tests.faults.nursery import Task
from tests.faults.points import Clean, Outcome, Point, Row, Run
from tests.faults.scenarios import PLAIN
from tests.faults.smallest import smallest

OUT = Path(__file__).parents[2] / "out" / "faults"
CRASHES = ("crash_before", "crash_after")
LOOK_ON = ("note", "like_clean", "blue_within")  # kinds that change nothing
TOLD = 12  # failing runs of a row that are told in full


class CleanRuns:
    """What the scenarios do when nothing goes wrong: the places where something can."""

    def __init__(self, outcomes: dict[str, Outcome]) -> None:
        self._outcomes = outcomes
        self._before: dict[str, dict[Point, str]] = {}

    def mutating(self, scenario: str) -> list[Point]:
        return [point for point, mutating in self._points(scenario) if mutating]

    def reads(self, scenario: str) -> list[Point]:
        return [point for point, mutating in self._points(scenario) if not mutating]

    def states(self, scenario: str) -> list[str]:
        return list(self.outcome(scenario).facts["states"])

    def outcome(self, scenario: str) -> Outcome:
        return self._outcomes[scenario]

    def before(self, scenario: str, point: Point) -> str | None:
        """A digest of all calls of a scenario up to and including one; None if it isn't there."""
        if scenario not in self._before:
            digest, found = hashlib.sha256(), {}
            for each, _ in self.outcome(scenario).facts["points"]:
                digest.update(str(each).encode())
                found[each] = digest.hexdigest()
            self._before[scenario] = found
        return self._before[scenario].get(point)

    def _points(self, scenario: str) -> list[tuple[Point, bool]]:
        return [
            (point, mutating)
            for point, mutating in self.outcome(scenario).facts["points"]
            if point.function not in ("states", "TellFunction")  # tellings have a row of their own: F87
        ]


@dataclass
class Tally:
    """What one row came to."""

    row: Row
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def missed(self) -> int:
        return sum(bool(outcome.missed) for outcome in self.outcomes)

    @property
    def bad(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if not outcome.good]

    def violations(self) -> Counter[str]:
        return Counter(each.writer for outcome in self.outcomes for each in outcome.violations)

    def figures(self) -> dict[str, Any]:
        writers = self.violations()
        return {
            "title": self.row.title,
            "runs": len(self.outcomes),
            "missed": self.missed,
            "violations": writers["viridian"],
            "violations_of_persons": writers["person"],
            "violations_of_faults": writers["fault"],
            "requests": round(sum(outcome.traffic.requests for outcome in self.outcomes)),
            "requests_lost": round(sum(outcome.traffic.lost_by_us for outcome in self.outcomes)),
            "requests_lost_by_faults": round(sum(outcome.traffic.lost_by_fault for outcome in self.outcomes)),
            "served_by_bad_green": round(
                sum(outcome.traffic.served_by_bad_green for outcome in self.outcomes)
            ),
            "failed_open": round(sum(outcome.traffic.failed_open for outcome in self.outcomes)),
            "orphans": sum(len(outcome.orphans) for outcome in self.outcomes),
            "old_epoch_writes": sum(outcome.old_epoch_writes for outcome in self.outcomes),
            "broken": sum(bool(outcome.broken) for outcome in self.outcomes),
            "worst_seconds_to_a_safe_end": round(
                max((outcome.safe_seconds for outcome in self.outcomes), default=0.0)
            ),
        }


def clean_runs(scenarios: Iterable[str], seed: int, jobs: int) -> CleanRuns:
    """One of each scenario; every one of them must be good."""
    tasks = [Task(Run("clean", scenario, seed=seed)) for scenario in scenarios]
    outcomes = {task.run.scenario: outcome for task, outcome in nursery.played(tasks, jobs)}
    for outcome in outcomes.values():
        if outcome.good:
            likeness.learn(outcome.run.scenario, outcome.facts)
        else:
            print(told(outcome), file=sys.stderr)
    return CleanRuns(outcomes)


def runs_of(rows: Sequence[Row], clean: Clean, seed: int) -> list[Run]:
    """Every run of every row, the same one only once; those without a seed of their own get this one."""
    found: dict[str, Run] = {}
    for row in rows:
        for run in row.runs(clean) if row.feature else ():
            seeded = replace(run, row=row.id, seed=run.seed or seed)
            found.setdefault(seeded.text(), seeded)
    return list(found.values())


def matrix(
    rows: Sequence[Row], *, seed: int, jobs: int, share: float = 1.0, with_mutants: bool = False
) -> int:
    """Plays these rows, prints what came of it, and answers with the exit code."""
    began = time.time()
    nursery.prepare()
    clean = clean_runs(PLAIN, seed, jobs)
    runs = at_most(once(runs_of(rows, clean, seed), clean), {row.id: row.most for row in rows})
    if share < 1:
        runs = some_of(runs, share)
    print(f"seed {seed}: {len(runs)} runs of {len(rows)} rows", flush=True)
    tallies = {row.id: Tally(row) for row in rows}
    for outcome in _as_they_come(runs, jobs, began):
        tallies[outcome.run.row].outcomes.append(outcome)
    broken_clean = [name for name in PLAIN if not clean.outcome(name).good]
    unseen = mutate(jobs) if with_mutants else None
    summary = summed(list(tallies.values()), clean, seed, time.time() - began)
    if unseen is not None:
        summary |= {
            "mutants_total": len(mutants.MUTANTS),
            "mutants_caught": len(mutants.MUTANTS) - len(unseen),
            "mutants_unseen": unseen,
        }
    printed(list(tallies.values()), summary)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    failed = any(tally.bad for tally in tallies.values()) or bool(broken_clean) or bool(unseen)
    return 1 if failed else 0


def mutate(jobs: int) -> list[str]:
    """Puts each deliberate bug in; answers with those that nobody saw."""
    unseen = []
    for mutant, without, with_it in mutants.played(mutants.MUTANTS, jobs):
        saw = mutants.caught(mutant, without, with_it)
        print(
            f"mutant {mutant.name:32} {'seen' if saw else 'UNSEEN'} by {mutant.check}: {mutant.words}",
            flush=True,
        )
        if not saw:
            unseen.append(mutant.name)
            for outcome in (without, with_it):
                print(told(outcome))
    return unseen


def once(runs: Sequence[Run], clean: CleanRuns) -> list[Run]:
    """Leaves out a crash that another scenario has too, after exactly the same calls: it is the same crash point."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for run in runs:
        if (mark := _crash_mark(run, clean)) is not None:
            if mark in seen:
                continue
            seen.add(mark)
        kept.append(run)
    return kept


def _crash_mark(run: Run, clean: CleanRuns) -> tuple[str, str] | None:
    """The row, the fault and the calls before it of a run that is nothing but one crash."""
    if len(run.faults) != 1 or run.faults[0].kind not in CRASHES or run.service or run.reality:
        return None
    (fault,) = run.faults
    before = clean.before(run.scenario, fault.point) if fault.point else None
    return None if before is None else (run.row, f"{fault.kind} {before}")


def _as_they_come(runs: Sequence[Run], jobs: int, began: float) -> Iterable[Outcome]:
    for done, (_, outcome) in enumerate(nursery.played([Task(run) for run in runs], jobs), start=1):
        yield outcome
        if not outcome.good:
            print(
                f"  {outcome.run.row}: {', '.join(sorted(mutants.seen(outcome)))}: {outcome.run.text()}",
                flush=True,
            )
        if done % 250 == 0:
            print(f"  {done} of {len(runs)} after {(time.time() - began) / 60:.1f} min", flush=True)


def some_of(runs: Sequence[Run], share: float) -> list[Run]:
    """A part of each row's runs, at least two of each."""
    counts = Counter(run.row for run in runs)
    return at_most(runs, {row: max(2, round(count * share)) for row, count in counts.items()})


def at_most(runs: Sequence[Run], most: Mapping[str, int]) -> list[Run]:
    """So many of each row's runs, spread evenly."""
    by_row: dict[str, list[Run]] = {}
    for run in runs:
        by_row.setdefault(run.row, []).append(run)
    picked = []
    for row, some in by_row.items():
        count = min(len(some), most[row])
        picked += [some[index * len(some) // count] for index in range(count)]
    return picked


def summed(tallies: Sequence[Tally], clean: CleanRuns, seed: int, seconds: float) -> dict[str, Any]:
    """All figures: in sum, and by row."""
    outcomes = [outcome for tally in tallies for outcome in tally.outcomes]
    rows = {tally.row.id: tally.figures() for tally in tallies if tally.row.feature}
    reached = {
        fault.where
        for outcome in outcomes
        for fault in outcome.run.faults
        if fault not in outcome.missed and fault.kind not in LOOK_ON
    }
    crashed = {
        (fault.kind, clean.before(outcome.run.scenario, fault.point))
        for outcome in outcomes
        for fault in outcome.run.faults
        if fault.kind in CRASHES
        and fault.point
        and fault not in outcome.missed
        and len(outcome.run.faults) == 1
    }
    wanted = {
        (crash, clean.before(scenario, point))
        for scenario in PLAIN
        for crash in CRASHES
        for point in picks.crashing(clean, scenario)
    }
    totals = ("violations", "requests_lost", "orphans", "old_epoch_writes", "missed", "broken", "requests")
    return {
        "seed": seed,
        "runs": len(outcomes),
        "distinct_fault_points": len(reached),
        **{name: sum(int(figures[name]) for figures in rows.values()) for name in totals},
        "crash_points_total": len(wanted),
        "crash_points_run": len(wanted & crashed),
        "mutants_total": 0,
        "mutants_caught": 0,
        "minutes": round(seconds / 60, 1),
        "ends": dict(Counter(outcome.end for outcome in outcomes)),
        "rows": rows,
        "rows_without_their_feature": {
            tally.row.id: tally.row.missing or tally.row.title for tally in tallies if not tally.row.feature
        },
    }


def printed(tallies: Sequence[Tally], summary: dict[str, Any]) -> None:
    """The matrix as a table, what failed, and the sums."""
    head = f"{'row':6} {'runs':>5} {'missed':>6} {'ours':>5} {'person':>6} {'fault':>6} {'lost':>5} {'orphans':>7} {'worst s':>8}  title"
    print(head)
    for tally in tallies:
        if not tally.row.feature:
            print(f"{tally.row.id:6} {'-':>5}  not there yet: {tally.row.missing or tally.row.title}")
            continue
        row = tally.figures()
        print(
            f"{tally.row.id:6} {row['runs']:5} {row['missed']:6} {row['violations']:5}"
            f" {row['violations_of_persons']:6} {row['violations_of_faults']:6} {row['requests_lost']:5}"
            f" {row['orphans']:7} {row['worst_seconds_to_a_safe_end']:8}  {tally.row.title}"
        )
    for tally in tallies:
        for outcome in tally.bad[:TOLD]:
            print(f"\n{told(outcome)}")
            if len(outcome.run.faults) > 1 and (less := smallest(outcome.run)) and less.run != outcome.run:
                print(f"the smallest part of it that fails:\n{told(less)}")
        if len(tally.bad) > TOLD:
            print(f"\n{tally.row.id}: {len(tally.bad) - TOLD} more")
    print(
        "\n"
        + "  ".join(f"{name} {value}" for name, value in summary.items() if isinstance(value, (int, float)))
    )


def told(outcome: Outcome) -> str:
    """A run that failed, why, and how to play it alone."""
    lines = [
        f"{outcome.run.row} {outcome.run.scenario}: {', '.join(map(str, outcome.run.faults)) or 'no fault'}",
        f"  ended {outcome.end}: {outcome.cause[:300]}",
        *(f"  {each}" for each in outcome.violations),
        *(f"  orphan: {each}" for each in outcome.orphans),
    ]
    if round(outcome.traffic.lost_by_us, 3) > 0:
        lines.append(f"  lost by us: {outcome.traffic.lost_by_us:.1f} ({outcome.facts.get('lost')})")
    if outcome.missed:
        lines.append(f"  missed: {', '.join(map(str, outcome.missed))}")
    if outcome.broken:
        lines.append("  broken: " + outcome.broken.strip().replace("\n", "\n    "))
    return "\n".join([*lines, f"  python -m tests.faults --play '{outcome.run.text()}'"])
