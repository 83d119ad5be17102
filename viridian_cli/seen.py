"""What one look at AWS has shown of a release; nobody is asked anything here."""

from datetime import datetime

import msgspec

from viridian import names
from viridian.fleet import Side
from viridian.record import Record
from viridian.signals import Measured
from viridian.traffic import Forward
from viridian.verdict import AlarmState
from viridian_cli.aws.releases import Entry


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The state that an execution is in, since when, and what the last one before it has said."""

    name: str
    since: datetime
    says: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at AWS has shown. What it could not see is named in `unknown`, with the reason, by its part."""

    now: datetime
    record: Record
    state: State | None = None
    forward: Forward | None = None
    blue: Side | None = None
    green: Side | None = None
    measured: Measured = {}
    alarms: tuple[AlarmState, ...] = ()
    own: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    unknown: dict[str, str] = {}


class Planning(msgspec.Struct, frozen=True, kw_only=True):
    """A release that the ledger doesn't have yet: its execution plans, or waits for a window to open."""

    now: datetime
    service: str
    version: str
    execution: str
    began: datetime
    state: State | None = None
    opens_at: datetime | None = None
    why: str = ""

    @property
    def release(self) -> str:
        """The id that it will have."""
        return names.release(self.version, self.execution)
