"""The releases that faults are put into: each starts one and brings it to where it can be left alone."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from local import seed
from local.control.delivery import Delivery
from tests.faults import orders, sight
from tests.faults.place import Place
from tests.workflow.world import Release

Scenario = Callable[[Place], Release]

LONGEST = 4 * 3600.0


def release(world: Place) -> Release:
    """A good one: promoted."""
    return world.start(source=ami(world))


def baked(world: Place) -> Release:
    """A good one that bakes its image from an instance."""
    return world.start()


def bad(world: Place) -> Release:
    """Green answers every third request with 500 as soon as it has traffic: its alarm rolls it back."""
    return world.start(source=ami(world, fault="third"))


def ordered(world: Place) -> Release:
    """A person orders the rollback at 50%."""
    started = release(world)
    if at_half(world, started):
        world.start_rollback(started, reason="the person at the wheel said so")
    return started


def aborted(world: Place) -> Release:
    """A person stops the execution at 50%: the guard takes the release back."""
    started = release(world)
    if at_half(world, started):
        stop(world, started)
    return started


def dropped(world: Place) -> Release:
    """As aborted, and the event about it never arrives: the sweeper takes the release back."""
    before = world.cloud.events.courier

    def courier(delivery: Delivery, hand_over: Callable[[], None]) -> None:
        if (delivery.event or {}).get("source") != "aws.states":
            before(delivery, hand_over)

    world.cloud.events.courier = courier
    return aborted(world)


def braked(world: Place) -> Release:
    """The service's own guard alarm goes red at 50%."""
    started = release(world)
    if at_half(world, started):
        world.cloud.client("cloudwatch").set_alarm_state(
            AlarmName=world.shop.guard_alarm, StateValue="ALARM", StateReason="its owner saw something"
        )
    return started


def paused(world: Place) -> Release:
    """A person pauses a good one at 50%: it goes on when the pause is over."""
    started = release(world)
    if at_half(world, started):
        orders.give(world, "pause", minutes=5)
    return started


def hastened(world: Place) -> Release:
    """A person has a good one promoted from its first step."""
    started = world.start(
        source=ami(world), steps=[{**_share(weight), "observe_minutes": 20} for weight in (25, 50, 100)]
    )
    if at_half(world, started):
        orders.give(world, "promote")
    return started


def retired(world: Place) -> Release:
    """A good one whose blue is retired when its time has come."""
    return release(world)


def taken(world: Place) -> Release:
    """A good one that a person takes back while its blue still stands on its floor."""
    return _taken_back(world, release(world), _promoted)


def revived(world: Place) -> Release:
    """A good one that a person takes back when its blue stands at zero."""
    started = world.start(source=ami(world), retain_days=7)
    return _taken_back(world, started, lambda record: bool(record.get("emptied_at")))


def stepped(world: Place) -> Release:
    """A good one that bakes its image, and that a person takes back in steps."""
    return _taken_back(world, baked(world), _promoted, steps=[_share(40), _share(100)])


def _share(weight: int) -> dict[str, int]:
    return {"weight": weight, "observe_minutes": 2}


def _promoted(record: Mapping[str, Any]) -> bool:
    return record.get("status") == "Promoted"


def furnished(world: Place) -> Release:
    """As taken, and blue has everything that can hang on a group."""
    from tests.everything import furnish  # it needs the functions to be importable, which they are by now

    furnish(world.cloud, world.shop, datetime.fromtimestamp(world.cloud.clock.now(), UTC))
    world.checks.groups_before = sight.groups()
    return taken(world)


def patched(world: Place) -> Release:
    """Its image is made of an instance that is patched first; green fails its smoke test."""
    return _unwanted(world, {"type": "instance", "instance_id": world.builder(), "patch": True})


def piped(world: Place) -> Release:
    """As patched, with an image that an Image Builder pipeline makes."""
    pipeline = seed.pipeline(world.cloud, "2.0.0")
    return _unwanted(world, {"type": "image_builder", "pipeline_arn": pipeline})


def packed(world: Place) -> Release:
    """As patched, with an image that a CodeBuild project has Packer make."""
    artifact = {"type": "s3", "bucket": "shop-builds", "key": "shop/2.0.0.zip"}
    project = seed.project(world.cloud, "2.0.0")
    return _unwanted(world, {"type": "packer", "project": project, "artifact": artifact})


def gated(world: Place) -> Release:
    """A good one that a hook lets through, and that people say yes to before its first traffic and its promotion."""
    from tests.faults import approvals  # it has promises, which look at scenarios' releases

    approvals.gated(world)
    return release(world)


def named(world: Place) -> Release:
    """A good one of a service whose route is a name."""
    return release(world)


def named_bad(world: Place) -> Release:
    """A bad one of such a service."""
    return bad(world)


def named_ordered(world: Place) -> Release:
    """A person orders such a service's rollback at 50%."""
    return ordered(world)


def _unwanted(world: Place, source: Mapping[str, Any]) -> Release:
    return world.start(source=source, smoke_tests=[{"path": "/", "contains": "nothing of the kind"}])


def _taken_back(
    world: Place, started: Release, ready: Callable[[Mapping[str, Any]], bool], **order: Any
) -> Release:
    def over() -> bool:
        status = world.record_of(started).get("status")
        return status in ("RolledBack", "Held", "RollbackIncomplete") or (
            status is None and not world.running(started)
        )

    world.cloud.until(lambda: ready(world.record_of(started)) or over(), LONGEST)
    if ready(world.record_of(started)):
        world.start_rollback(started, reason="customers see what no alarm does", **order)
    return started


SCENARIOS: dict[str, Scenario] = {
    "release": release,
    "baked": baked,
    "bad": bad,
    "ordered": ordered,
    "aborted": aborted,
    "dropped": dropped,
    "braked": braked,
    "paused": paused,
    "hastened": hastened,
    "retired": retired,
    "taken": taken,
    "revived": revived,
    "stepped": stepped,
    "furnished": furnished,
    "patched": patched,
    "piped": piped,
    "packed": packed,
    "gated": gated,
    "named": named,
    "named_bad": named_bad,
    "named_ordered": named_ordered,
}
# One release each, which ends well by itself; rows add crowds and sequels to the scenarios.
PLAIN = tuple(SCENARIOS)


def stop(world: Place, started: Release) -> None:
    """A person stops its execution."""
    if world.running(started):
        world.cloud.client("stepfunctions").stop_execution(
            executionArn=started.arn, cause="a person stopped it"
        )


def at_half(world: Place, started: Release) -> bool:
    """Lets the world go on until the release observes its first step; False if it never does."""
    return until(world, started, "Observe")


def until(world: Place, started: Release, state: str) -> bool:
    """Lets the world go on until the release has entered a state; False if it ended before."""
    world.cloud.until(lambda: world.entered(started, state) or not world.running(started), LONGEST)
    return world.entered(started, state)


def ami(world: Place, version: str = "2.0.0", fault: str | None = None) -> dict[str, str]:
    """A source that is ready."""
    return {"type": "ami", "image_id": world.image_of(version, fault)}
