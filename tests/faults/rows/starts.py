"""F80 to F86 and F88: many starts at once, the same again, a route that is taken, documents that are too much, images, windows."""

from collections.abc import Iterator

from tests.faults import arrivals as arrivals
from tests.faults import crowds as crowds
from tests.faults.crowds import LIMIT as LIMIT
from tests.faults.interpreter import STOPPED
from tests.faults.points import SAFE, Clean, Fault, Point, Row, Run

GOOD = frozenset({"Promoted", "Retired"})
SEEDS = 10


def at_once(clean: Clean) -> Iterator[Run]:
    """F80: 2, 5 and 20 starts of one service."""
    for many in (2, 5, 20):
        for seed in range(SEEDS):
            yield Run("F80", f"crowd-{many}", seed=seed, ends=GOOD)


def again(clean: Clean) -> Iterator[Run]:
    for seed in range(2):
        yield Run("F81", "again, running", seed=seed, ends=GOOD)
        yield Run("F81", "again, promoted", seed=seed, ends=GOOD)
        yield Run("F81", "again, rolled back", seed=seed, ends=frozenset({"RolledBack"}))
    for seed in range(5):
        yield Run("F81", "joined", seed=seed, ends=GOOD)
        away = Fault("throttle", None, {"service": "dynamodb", "p": 0.5})
        yield Run("F81", "joined", (away,), seed, ends=SAFE)
    # The one that is denied the lock has a way back to go, and may not go that of the other.
    for nth in (1, 2):
        lock, denied = (
            Point("AcquireLockFunction", "TransactWriteItems", nth),
            {"code": "AccessDeniedException"},
        )
        yield Run("F81", "joined", (Fault("fail_before", lock, denied),), ends=SAFE)


def held(clean: Clean) -> Iterator[Run]:
    for seed in range(3):
        yield Run("F82", "while held", seed=seed, ends=frozenset({"Held"}))


def shared(clean: Clean) -> Iterator[Run]:
    for seed in range(5):
        yield Run("F83", "two services", seed=seed, ends=GOOD)


def too_much(clean: Clean) -> Iterator[Run]:
    for what in ("long", "long reason", "30", "300"):
        yield Run("F85", f"too {what}", ends=frozenset({"Refused"}))
    for instances in (10, 40):
        service = {"instances": instances, "minimum": 2, "maximum": 2 * instances, "rate": 8.0 * instances}
        yield Run("F85", "release", service=service, ends=GOOD)


def told_of_images(clean: Clean) -> Iterator[Run]:
    """F86: what starts a release by itself comes again, late, or in another order."""
    astray = (
        *({"do": "repeat", "times": times} for times in (2, 3, 10)),
        *({"do": "delay", "seconds": seconds} for seconds in (10, 240, 900)),
        *({"do": "reorder", "seconds": seconds} for seconds in (5, 90)),
    )
    for args in astray:
        for scenario in ("image", "two images"):
            faults = (Fault("events", args={"which": "image", **args}),)
            yield Run("F86", scenario, faults, service={"start_on_image": True}, ends=GOOD)


def outside_its_window(clean: Clean) -> Iterator[Run]:
    """F88: releases that wait: alone, two at once, stopped meanwhile, and planned while AWS is short."""
    service = {"windows": {"time_zone": "UTC", "open": [{"from": "09:10", "to": "20:00"}]}}
    stop = {"state": "WaitForWindow", "machine": "Release", "when": "entered"}
    away = Fault("throttle", None, {"service": "ssm", "p": 0.5})
    for scenario in ("release", "joined"):
        yield Run("F88", scenario, service=service, ends=GOOD)
    for seed in range(2):
        yield Run("F88", "release", (away,), seed, service=service, ends=SAFE | {"Refused"})
    yield Run("F88", "bad", service=service, ends=frozenset({"RolledBack"}))
    yield Run("F88", "release", (Fault("abort_at", None, stop),), service=service, ends=frozenset({STOPPED}))


ROWS = [
    Row("F80", "2, 5 and 20 starts at once", at_once),
    Row("F81", "the same release again", again),
    Row("F82", "a release asks while another is Held", held),
    Row("F83", "two services on one rule", shared),
    Row("F85", "256 KiB of input, deep nesting, large fleets", too_much),
    Row("F86", "events of new images: again, late, reordered", told_of_images),
    Row("F88", "a release outside its window", outside_its_window),
]
