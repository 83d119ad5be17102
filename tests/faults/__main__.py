"""`python -m tests.faults`: plays the matrix, a part of it, or one run."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from tests.faults import nursery

nursery.reach_functions()

from tests.faults import rows, runner  # noqa: E402
from tests.faults.points import EVERY, Clean, Run, Runs  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> int:
    """Answers 0 only if nothing of ours was violated, lost or left behind."""
    asked = _parser().parse_args(arguments)
    if asked.play:
        return _alone(Run.of(asked.play))
    found = [row for row in rows.every() if not asked.rows or row.id in asked.rows.split(",")]
    if asked.scenarios:
        found = [replace(row, runs=partial(_in, row.runs, asked.scenarios.split(","))) for row in found]
    if asked.every:
        found = [replace(row, most=EVERY) for row in found]
    if asked.list:
        for row in found:
            print(f"{row.id:6} {row.title}{'' if row.feature else f' (not there yet: {row.missing})'}")
        return 0
    if not found:
        print(f"no row is called {asked.rows}", file=sys.stderr)
        return 2
    share = 0.02 if asked.smoke else asked.share
    everything = not (asked.rows or asked.scenarios or asked.every) and share == 1
    return runner.matrix(
        found, seed=asked.seed, jobs=asked.jobs, share=share, with_mutants=asked.mutants or everything
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rows", help="ids of rows, with commas between; all of them if not given")
    parser.add_argument("--scenarios", help="only the runs of these, with commas between")
    parser.add_argument("--jobs", type=int, default=2, help="processes that play at a time")
    parser.add_argument("--seed", type=int, default=1, help="chances, ids and lags are drawn from it")
    parser.add_argument("--share", type=float, default=1.0, help="the part of each row's runs that is played")
    parser.add_argument("--every", action="store_true", help="all runs of each row that there are: a night")
    parser.add_argument("--smoke", action="store_true", help="two runs of each row, or a fiftieth")
    parser.add_argument(
        "--mutants", action="store_true", help="the deliberate bugs too, as with the whole matrix"
    )
    parser.add_argument(
        "--list", action="store_true", help="the rows, and those whose feature isn't there yet"
    )
    parser.add_argument("--play", metavar="RUN", help="one run, as a failing one prints itself")
    return parser


def _in(runs: Runs, scenarios: Sequence[str], clean: Clean) -> Iterator[Run]:
    return (run for run in runs(clean) if run.scenario in scenarios)


def _alone(run: Run) -> int:
    ((_, outcome),) = nursery.played([nursery.Task(run, story=True)], 1)
    for line in outcome.facts.get("calls", ()):
        print(line)
    print(runner.told(outcome))
    print(f"  {outcome.traffic}, {outcome.cloud_seconds:.0f} cloud seconds, {outcome.calls} calls")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of a set is chance too
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.faults", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
