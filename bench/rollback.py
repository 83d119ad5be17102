"""From a red alarm to all traffic on blue, as a sum of parts: with the brake, and with polling only.

The calls are counted in a release that is played in the local cloud, what a function needs to get ready is measured on
its package, and what only a live account can tell is assumed, by name, and can be given.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from bench import package
from tests.workflow.world import ROOT, Release, World, opened

OUT = ROOT / "out" / "bench" / "rollback.json"
VCPU_MEGABYTES = 1769.0


@dataclass(frozen=True)
class Assumed:
    """Seconds that nobody can know without an account; each is an option of the command."""

    delivery: float = 1.0
    start: float = 0.5
    call: float = 0.1
    transition: float = 0.1

    SOURCES: ClassVar = {
        "delivery": "EventBridge publishes no bound: its metric IngestionToInvocationStartLatency shows yours",
        "start": "Lambda's own part of a cold start: AWS says under 0.1 s to over 1 s in all "
        "(docs: Lambda, execution environment lifecycle)",
        "call": "one AWS call, TLS of the first one included: no published bound",
        "transition": "Step Functions from one state to the start of the next one's function: no published bound",
    }


@dataclass(frozen=True)
class Counted:
    """The AWS calls of each function on the way, in order, up to the one that reads the restored weights back."""

    brake: tuple[str, ...]
    judge_green: tuple[str, ...]
    restore_blue: tuple[str, ...]
    poll_seconds: float
    memory_megabytes: float


@dataclass(frozen=True)
class Part:
    """One part of the way, in seconds; None where a way doesn't have it."""

    name: str
    brake: float | None
    polling_mean: float | None
    polling_worst: float | None
    source: str


def count() -> Counted:
    """Plays the same bad release twice: told of the red alarm, and told of nothing, so that the next poll must see it."""
    with opened() as world:
        take_back_bad_green(world)
        braked = until_read_back(calls(world, "BrakeFunction"))
    with opened() as world:
        for rule in world.cloud.client("events").list_rules()["Rules"]:
            world.cloud.client("events").disable_rule(Name=rule["Name"])
        release = take_back_bad_green(world)
        return Counted(
            brake=braked,
            judge_green=calls(world, "JudgeGreenFunction"),
            restore_blue=until_read_back(calls(world, "RestoreBlueFunction")),
            poll_seconds=float(release.plan["judge_seconds"]),
            memory_megabytes=float(memory(world, "BrakeFunction")),
        )


def take_back_bad_green(world: World) -> Release:
    """A green that fails a third of its requests gets half of them, until an alarm goes red and blue has all again."""
    release = world.start(fault="third").until("JudgeGreen")
    assert world.weights() == {"shop-1": 50, release.green: 50}
    assert world.cloud.until(lambda: world.weights() == {"shop-1": 100}, 900)
    world.pass_minutes(2)
    return release


def calls(world: World, function: str) -> tuple[str, ...]:
    """What a function asked of AWS when it last was called before, or as, blue got everything back."""
    weighed = [entry for entry in world.cloud.calls.entries if entry["call"] == "ModifyRule"]
    restored = next(e for e in weighed if e["principal"] in ("BrakeFunction", "RestoreBlueFunction"))
    asked = [e for e in world.cloud.calls.by(function) if e["n"] <= restored["n"]]
    of = asked[-1]["invocation"]
    return tuple(entry["call"] for entry in world.cloud.calls.by(function) if entry["invocation"] == of)


def until_read_back(made: Sequence[str]) -> tuple[str, ...]:
    """Up to the first look at the rule after it was written."""
    written = made.index("ModifyRule")
    return tuple(made[: made.index("DescribeRules", written) + 1])


def memory(world: World, function: str) -> int:
    """How much the template gives a function."""
    for found in world.cloud.client("lambda").list_functions()["Functions"]:
        if f"-{function}-" in f"-{found['FunctionName']}-":
            return int(found["MemorySize"])
    raise LookupError(function)


def parts(
    counted: Counted, brake: package.Start, restore_blue: package.Start, assumed: Assumed
) -> list[Part]:
    """The way in its parts; a function has as much of a processor as of memory."""
    scale = VCPU_MEGABYTES / counted.memory_megabytes
    judging = len(counted.judge_green) * assumed.call
    braking, restoring = len(counted.brake) * assumed.call, len(counted.restore_blue) * assumed.call
    poll = counted.poll_seconds
    return [
        Part("the event is delivered", assumed.delivery, None, None, f"assumed: {Assumed.SOURCES['delivery']}"),
        Part("the next poll comes", None, poll / 2, poll, "counted: judge_seconds in the plan"),
        Part(
            "JudgeGreen starts, warm, and asks", None, assumed.transition + judging, assumed.transition + judging,
            f"counted: {len(counted.judge_green)} calls, x {assumed.call} s assumed",
        ),
        Part(
            "RestoreBlue is reached", None, assumed.transition, assumed.transition,
            f"assumed: {Assumed.SOURCES['transition']}",
        ),
        Part("a function is started, cold", assumed.start, assumed.start, assumed.start, f"assumed: {Assumed.SOURCES['start']}"),
        Part(
            "its code gets ready", brake.seconds * scale, restore_blue.seconds * scale, restore_blue.seconds * scale,
            f"measured: {brake.seconds:.2f} s and {restore_blue.seconds:.2f} s of a processor here, x {scale:.2f} "
            f"({VCPU_MEGABYTES:.0f} MB have one; it has {counted.memory_megabytes:.0f}); {brake.source}",
        ),
        Part(
            "it asks, writes and reads back", braking, restoring, restoring,
            f"counted: {len(counted.brake)} and {len(counted.restore_blue)} calls, x {assumed.call} s assumed",
        ),
    ]  # fmt: skip


def total(rows: Sequence[Part], column: Callable[[Part], float | None]) -> float:
    return sum(column(row) or 0.0 for row in rows)


def totals(rows: Sequence[Part]) -> dict[str, float]:
    """Seconds from the alarm to the read-back, by way."""
    return {
        "brake": total(rows, lambda row: row.brake),
        "polling_mean": total(rows, lambda row: row.polling_mean),
        "polling_worst": total(rows, lambda row: row.polling_worst),
    }


def table(rows: Sequence[Part]) -> str:
    """The sums in seconds, and where each part is from."""
    summed = Part("from red to restored", **totals(rows), source="")
    lines = [f"{'seconds':<36}{'brake':>8}{'polling, mean':>15}{'worst':>8}"]
    for row in (*rows, summed):
        cells = "".join(
            f"{'-' if value is None else format(value, '.1f'):>{width}}"
            for value, width in ((row.brake, 8), (row.polling_mean, 15), (row.polling_worst, 8))
        )
        lines.append(f"{row.name:<36}{cells}")
    return "\n".join([*lines, "", *(f"{row.name}: {row.source}" for row in rows)])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rollback", description=__doc__)
    for name, source in Assumed.SOURCES.items():
        parser.add_argument(
            f"--{name}", type=float, default=getattr(Assumed, name), help=f"seconds; {source}"
        )
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    assumed = Assumed(given.delivery, given.start, given.call, given.transition)
    counted = count()
    brake = package.measure(
        "handlers.brake", [("reader", "dynamodb"), ("reader", "elbv2"), ("writer", "elbv2")]
    )
    restore_blue = package.measure(
        "handlers.restore_blue",
        [("reader", "dynamodb"), ("reader", "elbv2"), ("reader", "autoscaling"), ("writer", "elbv2")],
    )
    rows = parts(counted, brake, restore_blue, assumed)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "seconds": totals(rows),
        "parts": [asdict(row) for row in rows],
        "assumed": asdict(assumed),
        "counted": asdict(counted),
        "measured": {"brake": asdict(brake), "restore_blue": asdict(restore_blue)},
    }
    given.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
