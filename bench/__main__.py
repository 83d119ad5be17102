"""Measures a release, writes one table to docs/performance.md and out/bench/summary.json, and fails where a bound is missed."""

import argparse
import json
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench import package, prices, release
from bench.release import AtOnce, Counted
from bench.rollback import Assumed
from bench.tape import Invocation
from tests.workflow.world import ROOT

OUT = ROOT / "out" / "bench" / "summary.json"
KEPT = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- written by make bench -->", "<!-- end of what make bench writes -->"
AT_ONCE = (1, 10, 100)


@dataclass(frozen=True)
class Row:
    """One figure, what it may be at most, and how it was come by."""

    what: str
    value: float
    most: float | None = None
    how: str = "counted"

    @property
    def missed(self) -> bool:
        return self.most is not None and self.value > self.most


def measure(at_once: Sequence[int], runs: int) -> list[Row]:
    """Every figure, in one run."""
    one, invocations = release.count(release.STEPS)
    longer, _ = release.count(release.HOUR_MORE)
    day, _ = release.count(release.DAY, rate=1.0)
    together = [release.at_once(number) for number in at_once]
    script, bare = release.by_script(), release.by_bare_script()
    zipped, source = package.size()
    return [
        *counted(one, longer, day),
        Row("bytes of the package, zipped", zipped, how=f"counted: {source}"),
        Row(
            "AWS calls in those of a script that does the same job", one.calls / script, 1.3,
            f"counted: {script}, bench/same_job.py",
        ),
        Row(
            "AWS calls in those of a script that only makes green and shifts", one.calls / bare,
            how=f"counted: {bare}, bench/straight_line.py",
        ),
        *started(package.cold(firsts(invocations), runs)),
        *worked(together[1][1]),
        *(beside(found, together[0][0]) for found, _ in together),
        Row(
            "dollars of a release", one.dollars,
            how=f"counted, at list prices of {prices.READ} (bench/prices.py); {Assumed.call} s a call assumed",
        ),
    ]  # fmt: skip


def counted(one: Counted, longer: Counted, day: Counted) -> list[Row]:
    """A release, what an hour more of observing adds to it, and one that observes for a day."""
    ended = {each.end for each in (one, longer, day)}
    if ended != {"Promoted"}:
        raise RuntimeError(f"a release ended {ended - {'Promoted'}}")
    words = {
        "transitions": "state transitions",
        "events": "history events",
        "invocations": "Lambda invocations",
        "calls": "AWS calls (the ledger's apart)",
        "ledger_calls": "calls of the ledger",
        "payload_bytes": "bytes of payload",
    }
    rows = []
    for name, what in words.items():
        first, second = getattr(one, name), getattr(longer, name)
        rows += [Row(f"{what} of a release", first), Row(f"{what} of an hour of observing", second - first)]
    return [*rows, Row("history events of a release that observes for 24 hours", day.events, 5_000)]


def firsts(invocations: Sequence[Invocation]) -> dict[str, Invocation | None]:
    """Every handler, with its first invocation where it is in a release; smoke tests ask the world, which isn't here."""
    modules = sorted(path.stem for path in (ROOT / "functions" / "handlers").glob("[a-z]*.py"))
    found: dict[str, Invocation | None] = {f"handlers.{module}": None for module in modules}
    for invocation in reversed(invocations):
        if invocation.function != "RunSmokeTests":
            found[invocation.module] = invocation
    return found


def started(cold: Mapping[str, package.Cold]) -> list[Row]:
    """The slowest start among the handlers, and the usual one."""
    how = "measured: the least of some fresh processes by turns, processor time, boto3 with a client of each same service = 1"
    slowest = max(cold, key=lambda module: cold[module].importing)
    first = [each.first for each in cold.values() if each.first is not None]
    return [
        Row(f"cold import of the slowest of {len(cold)} handlers, {_name(slowest)}", cold[slowest].importing, 1.5, how),
        Row("cold import of a handler, at the median", statistics.median(c.importing for c in cold.values()), how=how),
        Row(f"cold import and first invocation, at the median of {len(first)} handlers", statistics.median(first), how=how),
        Row("cold import and first invocation, of the slowest of these", max(first), how=how),
    ]  # fmt: skip


def worked(states: Mapping[str, float]) -> list[Row]:
    """What a state's own code takes, boto3's calls and clients apart."""
    how = "measured: processor time without botocore, each state's median in releases at once"
    slowest = max(states, key=lambda name: states[name])
    return [
        Row("milliseconds of a state's own code, at the median of the states", statistics.median(states.values()), 5, how),
        Row(f"milliseconds of the slowest state's own code, {slowest}", states[slowest], how=how),
    ]  # fmt: skip


def beside(found: AtOnce, alone: AtOnce) -> Row:
    """Releases of different services, begun in the same moment."""
    if (found.promoted, found.throttled) != (found.releases, 0):
        told = f"{found.promoted} were promoted, {found.throttled} throttled"
        raise RuntimeError(f"of {found.releases} releases at once {told}")
    which = f"{found.releases} release{'s' if found.releases > 1 else ''} at once"
    how = f"counted: all promoted; {found.busiest_minute} calls in the busiest minute, the ledger's too"
    return Row(f"AWS calls of each of {which}, those of one = 1", found.calls / alone.calls, how=how)


def table(rows: Sequence[Row]) -> str:
    """The figures as Markdown."""
    lines = ["| | | at most | |", "|---|---|---|---|"]
    for row in rows:
        most = "" if row.most is None else _figure(row.most)
        lines.append(f"| {row.what} | {_figure(row.value)} | {most} | {row.how} |")
    listed = [f"| {each.unit} | ${each.dollars:.10f}".rstrip("0") + f" | {each.source} |" for each in prices.PRICES.values()]  # fmt: skip
    prices_of = [f"List prices of US East (N. Virginia), {prices.READ}, without a free tier:", "", "| | | |", "|---|---|---|"]  # fmt: skip
    return "\n".join([*lines, "", *prices_of, *listed])


def page(text: str, rows: Sequence[Row]) -> str:
    """The page with this table in the place of the one it had."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table(rows)}\n\n{END}{after}"


def read(summary: Mapping[str, Any]) -> list[Row]:
    """The rows of a summary that was written before."""
    return [Row(**row) for row in summary["figures"]]


def _figure(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.3f}" if value >= 0.1 else f"{value:.4f}"


def _name(module: str) -> str:
    return re.sub(r"^handlers\.", "", module)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--at-once", type=int, nargs="+", default=AT_ONCE, help="how many releases at once, rising from 1"
    )
    parser.add_argument("--runs", type=int, default=5, help="fresh processes for each handler's start")
    given = parser.parse_args()
    rows = measure(given.at_once, given.runs)
    text = json.dumps({"figures": [asdict(row) for row in rows]}, indent=2) + "\n"
    for path in (OUT, KEPT):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
    print(table(rows))
    missed = [row for row in rows if row.missed]
    for row in missed:
        print(f"missed: {row.what}: {_figure(row.value)}, at most {_figure(row.most or 0)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
