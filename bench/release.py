"""What one release takes, counted in the local cloud: calls, states, events, invocations, payload, dollars."""

import math
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from bench import prices, straight_line, tape
from bench.rollback import Assumed
from bench.same_job import Script
from bench.tape import Invocation
from local import seed
from local.strict import quotas
from tests.workflow.world import MINUTE, Release, World, opened

Steps = tuple[tuple[int, int], ...]
STEPS: Steps = ((5, 10), (25, 10), (50, 10), (100, 10))  # what a profile has that names none
HOUR_MORE: Steps = ((5, 10), (25, 10), (50, 10), (100, 70))
DAY: Steps = ((100, 24 * 60),)
SHORT: Steps = ((50, 2), (100, 2))
GIGABYTES = 0.5  # template.yaml: MemorySize
LEDGER = "dynamodb"


@dataclass(frozen=True)
class Counted:
    """One release from a standing instance to its promotion."""

    end: str
    transitions: int
    events: int
    invocations: int
    calls: int
    ledger_calls: int
    payload_bytes: int
    dollars: float


@dataclass(frozen=True)
class AtOnce:
    """Releases of so many services, begun in the same moment; `calls` is the mean of one of them."""

    releases: int
    promoted: int
    calls: float
    busiest_minute: int
    throttled: int


def count(steps: Steps, rate: float = 20.0) -> tuple[Counted, list[Invocation]]:
    """One release with these steps, with every invocation of its functions."""
    with tape.recorded() as made, opened(steps=_profile(steps), rate=rate) as world:
        release = world.start()
        world.cloud.wait(release.arn, timeout=30 * 60 * MINUTE)
        invocations = [each for each in made if each.execution == release.arn]
        return _counted(world, release, invocations), invocations


def by_script(steps: Steps = STEPS) -> int:
    """The AWS calls of a script that does the same job."""
    with opened() as world:
        instance, before = world.builder(), len(world.cloud.calls.entries)
        Script(world.cloud.client, world.cloud.clock.sleep).release(
            route=world.shop.route_arn,
            group=world.shop.group_name,
            guards=world.shop.profile["guards"],
            steps=steps,
            instance=instance,
            version="2.0.0",
        )
        return _persons_calls(world, before)


def by_bare_script(steps: Steps = STEPS) -> int:
    """Those of a script that makes green and shifts traffic, and looks at nothing else."""
    with opened() as world:
        instance, before = world.builder(), len(world.cloud.calls.entries)
        straight_line.release(
            world.cloud.client,
            world.cloud.clock.sleep,
            route=world.shop.route_arn,
            group=world.shop.group_name,
            instance=instance,
            version="2.0.0",
            weights=tuple(weight for weight, _ in steps),
        )
        return _persons_calls(world, before)


def at_once(number: int) -> tuple[AtOnce, dict[str, float]]:
    """Releases of so many services at once, and each state's median milliseconds outside botocore."""
    with tape.recorded() as made, opened(steps=_profile(SHORT)) as world:
        quotas.grant("L-1216C47A", 64 * number + 256)
        names = ["shop", *(f"shop{index}" for index in range(2, number + 1))]
        for name in names[1:]:
            seed.service(world.cloud, name, register=True, steps=_profile(SHORT), deregistration_delay=30)
        world.pass_minutes(4)
        builders = {name: seed.builder(world.cloud, "2.0.0", service=name) for name in names}
        world.pass_minutes(1)
        releases = [
            world.submit(
                {
                    "service": name,
                    "version": "2.0.0",
                    "source": {"type": "instance", "instance_id": builders[name]},
                }
            )
            for name in names
        ]
        ends = Counter(release.wait().end for release in releases)
        arns = {release.arn for release in releases}
        asked = [
            entry for entry in world.cloud.calls.entries if entry["execution"] in arns and _by_function(entry)
        ]
        minutes = Counter(int(entry["at"] // MINUTE) for entry in asked)
        outside = [entry for entry in asked if entry["service"] != LEDGER]
        found = AtOnce(
            releases=number,
            promoted=ends["Promoted"],
            calls=len(outside) / number,
            busiest_minute=max(minutes.values()),
            throttled=sum("Throttl" in str(entry["error"]) for entry in asked),
        )
        return found, milliseconds(each for each in made if each.execution in arns)


def milliseconds(made: Any) -> dict[str, float]:
    """Each state's median processor milliseconds outside botocore."""
    found = defaultdict(list)
    for invocation in made:
        found[invocation.function].append(1000 * invocation.seconds)
    return {name: statistics.median(times) for name, times in sorted(found.items())}


def _counted(world: World, release: Release, invocations: list[Invocation]) -> Counted:
    asked = [entry for entry in world.cloud.calls.of(release.arn) if _by_function(entry)]
    ledger = [entry for entry in asked if entry["service"] == LEDGER]
    run = release.execution
    return Counted(
        end=f"{release.end} {release.cause}".strip(),
        transitions=len(run.states),
        events=len(run.history),
        invocations=len(invocations),
        calls=len(asked) - len(ledger),
        ledger_calls=len(ledger),
        payload_bytes=sum(each.payload_bytes for each in invocations),
        dollars=prices.dollars(_used(release, asked, invocations)),
    )


def _used(release: Release, asked: list[dict[str, Any]], invocations: list[Invocation]) -> dict[str, float]:
    """What of it AWS charges for; of the ledger the most that it can be: as if each item were as large as the record."""
    ledger = [entry for entry in asked if entry["service"] == LEDGER]
    writes = [entry for entry in ledger if entry["mutating"]]
    items = sum(len(entry["request"].get("TransactItems", [1])) for entry in writes)
    kilobytes = math.ceil(len(str(release.record)) / 1000)
    measured = [entry for entry in asked if entry["call"] == "GetMetricData"]
    watched = [
        metric
        for entry in asked
        if entry["call"] == "PutMetricAlarm"
        for metric in entry["request"].get("Metrics", [1])
        if metric == 1 or "MetricStat" in metric
    ]
    began, ended = asked[0]["at"], asked[-1]["at"]
    return {
        "transitions": len(release.states),
        "invocations": len(invocations),
        "gigabyte_seconds": GIGABYTES
        * (len(asked) * Assumed.call + sum(each.seconds for each in invocations)),
        "ledger_reads": (len(ledger) - len(writes)) * math.ceil(kilobytes / 4),
        "ledger_writes": 2 * items * kilobytes,
        "metrics": sum(len(entry["request"]["MetricDataQueries"]) for entry in measured),
        "alarm_hours": len(watched) * math.ceil((ended - began) / 3600),
    }


def _profile(steps: Steps) -> list[dict[str, int]]:
    return [{"weight": weight, "observe_minutes": minutes} for weight, minutes in steps]


def _by_function(entry: dict[str, Any]) -> bool:
    return str(entry["principal"]).endswith("Function")


def _persons_calls(world: World, before: int) -> int:
    return sum(entry["principal"] == "person" for entry in world.cloud.calls.entries[before:])
