"""The fence: what a write must still be true of, or not be sent."""

import msgspec


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """A release's right to write, good while `epoch` is the route's; it travels into every mutating call.

    `hands_off` is why people want nothing written. `idle` is the collector's, good while nobody holds the route. `intent` is the journal entry of a fence that was taken and
    journaled in one transaction a moment ago: the one write that it was taken for needs no second look.
    """

    service: str
    release: str
    route: str
    epoch: int
    hands_off: str | None = None
    idle: bool = False
    intent: str | None = None
