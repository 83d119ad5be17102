"""Orders: what a person tells a release while it runs. The last one counts, and no alarm is any milder for it."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from viridian.moment import at
from viridian.request import Document, Reason, Release, ServiceName

# All pauses of a release together: it is judged each minute all the while, and a history has room for 25,000 events.
LONGEST_MINUTES = 720
_USUAL_MINUTES = 60

Kind = Literal["pause", "resume", "promote"]


class Given(Document, frozen=True):
    """An order as a person gives it; a pause has an end, after so many `minutes`."""

    service: ServiceName
    release: Release
    order: Kind
    reason: Reason
    minutes: Annotated[int, Meta(ge=1, le=LONGEST_MINUTES)] | None = None

    def taken(self, by: str, now: datetime) -> "Taken":
        """The same as the ledger keeps it."""
        pause = timedelta(minutes=self.minutes or _USUAL_MINUTES)
        until = now + pause if self.order == "pause" else None
        return Taken(order=self.order, by=by, at=now, reason=self.reason, until=until)


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the ledger has it: who gave it is what AWS says of the signature; `until` is a pause's end."""

    order: Kind
    by: str
    at: datetime
    reason: str
    until: datetime | None = None

    def pauses(self, now: datetime) -> bool:
        """Whether it keeps the release where it is."""
        return self.until is not None and now < self.until

    def repeats(self, last: "Taken") -> bool:
        """Whether the same person has said it before, and it still holds."""
        until = last.until + (self.at - last.at) if last.until else None
        holds = last.until is None or last.pauses(self.at)
        return holds and self == replace(last, at=self.at, until=until)

    def in_words(self) -> str:
        """As the history tells it."""
        until = f" until {at(self.until)}" if self.until else ""
        done = {"pause": "paused", "resume": "resumed", "promote": "observing skipped"}[self.order]
        return f"{done} by {self.by}{until}: {self.reason}"


def since(order: Taken | None, shifted_at: datetime, observe_minutes: int, now: datetime) -> datetime:
    """From when on a step counts: one that was paused has been observed, and what was seen of it before is old."""
    if order is None:
        return shifted_at
    lasted = min(order.until, now) if order.until else order.at
    return max(shifted_at, lasted - timedelta(minutes=observe_minutes))
