"""The fence: what a write must still be true of, or not be sent."""

import msgspec


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """A release's right to write, good while `epoch` is the route's; it travels into every mutating call."""

    service: str
    release: str
    route: str
    epoch: int
