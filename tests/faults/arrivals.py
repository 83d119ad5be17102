"""Scenarios in which nobody starts a release: new images do, of a service that has opted in."""

from collections.abc import Iterator

from tests.faults.actors import releases
from tests.faults.place import MINUTE, Place
from tests.faults.promises import promise
from tests.faults.scenarios import SCENARIOS
from tests.workflow.world import Release

LATEST = 20 * MINUTE


def arrived(world: Place, *versions: str) -> Release:
    """Somebody makes an image of each version, one right after the other."""
    for version in versions:
        tags = {"viridian:service": "shop", "viridian:version": version}
        world.cloud.client("ec2").create_tags(
            Resources=[world.image_of(version)], Tags=[{"Key": k, "Value": v} for k, v in tags.items()]
        )
    world.cloud.until(lambda: bool(_holders(world)), LATEST)
    return _holders(world)[0]


@promise("F86")
def one_image_is_released_once(world: Place, _: Release) -> Iterator[str]:
    """Whatever becomes of the events: of two that come together, one release is refused, having touched nothing."""
    if (many := len(_holders(world))) != 1:
        yield f"{many} releases took the route"
    others = [run for run in releases(world) if run.exec_arn not in {each.arn for each in _holders(world)}]
    for run in others:
        if run.error != "Refused":
            yield f"{run.name} ended {run.status} {run.error}"


def _holders(world: Place) -> list[Release]:
    """The releases that took the route."""
    started = [Release(world, run.exec_arn) for run in releases(world)]
    return [release for release in started if world.record_of(release)]


def _add() -> None:
    SCENARIOS["image"] = lambda world: arrived(world, "2.0.0")
    SCENARIOS["two images"] = lambda world: arrived(world, "2.0.0", "3.0.0")


_add()
