"""Names of what a release makes, built from validated ids: the same release always asks for the same names."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

MANAGED = "viridian:managed"
SERVICE = "viridian:service"
RELEASE = "viridian:release"
VERSION = "viridian:version"
# Where an image came from: the fields of a release's build, each in a tag.
BUILD = {
    "commit": "viridian:build-commit",
    "build_id": "viridian:build-id",
    "builder": "viridian:build-builder",
    "url": "viridian:build-url",
}
STANDBY_HEADER = "x-viridian-standby"
_START = re.compile(r"^[a-z][a-z0-9-]+-ami-[0-9a-f]{8,17}$")


def release(version: str, execution: str) -> str:
    """An id people can read, and no other execution has: `2.0.0-3f9c21`, at most 47 characters."""
    return f"{re.sub('[^0-9A-Za-z.-]', '.', version)}-{_digest(execution, 6)}"


def target_group(service: str, release_id: str) -> str:
    """At most 32 characters, letters, digits and hyphens, as Elastic Load Balancing asks."""
    return f"{service}-{_digest(f'{service}/{release_id}', 10)}"


def balancer(service: str, release_id: str) -> str:
    """At most 32 characters, as Elastic Load Balancing asks; what it begins with is ours, and never `internal-`."""
    return f"v-{service}-{_digest(f'{service}/{release_id}', 8)}"


def group(service: str, release_id: str) -> str:
    """The Auto Scaling group of a release."""
    return f"viridian-{service}-{release_id}"


def image(service: str, release_id: str) -> str:
    """The image of a release; EC2 refuses a second one of the same name."""
    return f"viridian-{service}-{release_id}"


def work(service: str, release_id: str) -> str:
    """What is told to those who work for a release, so that their work is found again; Run Command takes 100 characters."""
    return f"viridian {service} {release_id}"


def token(service: str, release_id: str) -> str:
    """With this, a service that is asked twice for the same release does it once."""
    return f"viridian-{_digest(f'{service}/{release_id}', 32)}"


def alarm(service: str, release_id: str, signal: str) -> str:
    """One of green's own alarms."""
    return f"viridian-{service}-{release_id}-{signal}"


def scaling_alarm(service: str, release_id: str, told: str = "") -> str:
    """One that drives green as blue's of the same policy does, or what the names of all of them begin with.

    A policy's name may be as long as an alarm's.
    """
    return alarm(service, release_id, f"scaling-{told if len(told) <= 120 else _digest(told, 10)}")


def start(service: str, image_id: str) -> str:
    """The name of the one execution that an image starts by itself; Step Functions allows 80 characters."""
    return f"{service}-{image_id}"


def started(execution: str) -> str | None:
    """The name of an execution, if an image has started it by itself."""
    name = execution.rpartition(":")[2]
    return name if _START.search(name) else None


def retirement(release_id: str, now: datetime) -> str:
    """The name of the execution that retires a release's blue: one in ten minutes at most; Step Functions allows 80."""
    return f"{release_id}-retire-{now:%Y%m%d%H%M}"[:-1]


def tags_on(thing: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a thing has, as most of AWS shows them."""
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def tags(service: str, release_id: str) -> dict[str, str]:
    """What is put on everything a release makes; nothing is deleted without them."""
    return {MANAGED: "true", SERVICE: service, RELEASE: release_id}


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
