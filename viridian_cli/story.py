"""The story of a release: what happened, when, why, who had a say, what it rests on, and what to do next."""

from datetime import datetime

import msgspec

from viridian_cli.course import Course


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, and why; a `detail` is a write that moves no traffic."""

    at: datetime
    what: str
    why: str
    detail: bool = False


class Hand(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who had a say, what they did and why; `who` is None where CloudTrail doesn't tell."""

    at: datetime
    who: str | None
    did: str
    why: str


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of evidence, as it was written down."""

    of: str
    text: str


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one version did meanwhile, as CloudWatch has counted it."""

    version: str
    requests: int
    errors: int
    seconds: float | None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What one may type now, and what it does."""

    type: str
    does: str


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A release, told: `what` is where it has come to, `orders` what one may type now."""

    service: str
    release: str
    version: str
    blue: str
    status: str
    what: str
    why: str
    next: str
    orders: tuple[Choice, ...]
    runbook: str | None
    route: str
    execution: str
    link: str | None
    began: datetime
    ended: datetime | None
    steps: tuple[str, ...]
    happened: tuple[Happened, ...]
    hands: tuple[Hand, ...]
    sides: tuple[Side, ...]
    evidence: tuple[Piece, ...]
    cost: tuple[str, ...]
    lacks: tuple[str, ...]
    course: Course
