"""The named errors of a release: Step Functions sees only the class name, so the names are the contract."""

import json
from typing import Any


class Refusal(Exception):
    """The request, the profile or what stands in AWS does not allow this release; nothing was touched."""

    def __init__(self, field: str, value: Any, fix: str) -> None:
        super().__init__(f"{field}: {_short(value)}. {fix}")
        self.field, self.value, self.fix = field, value, fix


class RouteLocked(Exception):
    """Another release holds the route."""


class AlreadyBegun(Exception):
    """Another execution has begun the release that this key stands for: it is joined, not begun again."""


class Fenced(Exception):
    """The route's epoch has moved on: whoever holds this fence may not write any more."""


# What a Refusal says where people want nothing written.
HANDS_ON = "Once that is over, take it away: `viridian hands-off SERVICE --off`, or `--all --off`."


class HandsOff(Exception):
    """People want nothing written to this route, or to any; the message says why."""


class SweepIncomplete(Exception):
    """Some of what isn't over could not be seen to; the message says what, and the next minute tries again."""


class Busy(Exception):
    """AWS was throttled, away or slow, and may or may not have done it: read again, then retry."""


class NotPermitted(Exception):
    """AWS denied a call; the message names the action."""


class NotKnown(Exception):
    """What a release can do without could not be had of AWS; the message says why."""


class NotKept(Exception):
    """What AWS shows after a write is not what was written."""


class Drifted(Exception):
    """Somebody else changed the route while a release held it."""


class DeadlinePassed(Exception):
    """A wait, or the whole release, took longer than its profile allows."""


class GateClosed(Exception):
    """Something at a gate of the release has said no, or has not said yes."""


class AlreadyAnswered(Exception):
    """People have answered before the release waited for it: the ledger has what they said."""


class ImageFailed(Exception):
    """The image did not become available, and never will."""


class GreenUnfit(Exception):
    """Green can't carry its next share: not enough healthy capacity, or a zone without any."""


class BlueUnfit(Exception):
    """Blue can't carry the share that would be left to it."""


def _short(value: Any) -> str:
    """As people wrote it: text as it is, anything else as JSON."""
    text = value if isinstance(value, str) else _json(value)
    return text if len(text) <= 300 else f"{text[:297]}..."


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__
