"""Prints how many AWS calls a release takes by the size of its fleet: it may not ask after each instance.

The call log of the local cloud counts them, in virtual time and without traffic: one release from a standing instance to
its promotion, for each size, with every call of every function; what reads and what writes alike.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from local.strict import quotas
from tests.workflow.world import ROOT, opened

OUT = ROOT / "out" / "bench" / "scale.json"
SIZES = (3, 100, 1000)
ALLOWED = 1.5  # times the calls of the smallest


@dataclass(frozen=True)
class Counted:
    """One release's calls by function, and the most DescribeTargetHealth that one invocation sent for one side."""

    instances: int
    end: str
    calls: dict[str, int]
    health_per_side: int

    @property
    def total(self) -> int:
        return sum(self.calls.values())


def count(instances: int) -> Counted:
    """Releases a service of so many instances, from an account that may have twice as many."""
    with opened(minimum=instances, instances=instances, maximum=2 * instances, tracking="none") as world:
        quotas.grant("targets-per-application-load-balancer", 4 * instances)
        quotas.grant("L-1216C47A", 8 * instances + 256)
        release = world.release()
        asked = [e for e in world.cloud.calls.of(release.arn) if e["principal"].endswith("Function")]
        sides = Counter(
            (entry["invocation"], entry["request"]["TargetGroupArn"])
            for entry in asked
            if entry["call"] == "DescribeTargetHealth"
        )
        return Counted(
            instances=instances,
            end=f"{release.end} {release.cause}".strip(),
            calls=dict(Counter(str(entry["principal"]).removesuffix("Function") for entry in asked)),
            health_per_side=max(sides.values(), default=0),
        )


def ratio(counted: Sequence[Counted]) -> float:
    """The calls of the largest fleet's release, in those of the smallest's."""
    return counted[-1].total / counted[0].total


def table(counted: Sequence[Counted]) -> str:
    """The calls of each function, side by side."""
    functions = sorted({name for each in counted for name in each.calls})
    rows: dict[str, list[object]] = {
        "instances": [each.instances for each in counted],
        **{name: [each.calls.get(name, 0) for each in counted] for name in functions},
        "calls in all": [each.total for each in counted],
        "DescribeTargetHealth per side and check": [each.health_per_side for each in counted],
        "end": [each.end.split()[0] for each in counted],
    }
    return "\n".join(
        f"{name:<42}{''.join(f'{cell!s:>10}' for cell in cells)}" for name, cells in rows.items()
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, help="instances in the fleet, rising")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    counted = [count(instances) for instances in given.sizes]
    times = ratio(counted)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    told = {"ratio": times, "allowed": ALLOWED, "counted": [asdict(each) for each in counted]}
    given.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(table(counted))
    print(f"the largest takes {times:.2f} times the calls of the smallest; {ALLOWED} are allowed")
    flat = times <= ALLOWED and all(each.health_per_side == 1 and each.end == "Promoted" for each in counted)
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
