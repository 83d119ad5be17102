"""Joining: who asks for a release that has begun under the same key gets that release's end, never a second release."""

from datetime import timedelta

import msgspec
from msgspec import UNSET

from viridian import converge
from viridian.converge import End
from viridian.errors import Refusal
from viridian.plan import Plan
from viridian.record import OVER, Record
from viridian.request import Request

_LOOK_SECONDS = 30
_PATIENCE = 100  # a wait of days is looked at less often: an execution's history has room for 25,000 events


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """How the release stands that is joined: its end and the cause of it, or in how many seconds to look again."""

    again_in: int = 0
    end: End | None = None
    cause: str = ""


def join(wanted: Request, record: Record, waited: timedelta) -> Joined:
    """What the release of the same key has come to. Raises Refusal if it is not the one that is wanted."""
    _ensure_same(wanted, record.plan)
    if record.status not in OVER:
        return Joined(again_in=max(_LOOK_SECONDS, int(waited.total_seconds()) // _PATIENCE))
    end = "Promoted" if record.status == "Retired" else record.status
    cause = converge.whole_cause(record.failure, record.outcome)
    return Joined(end=end, cause=cause)  # type: ignore[arg-type]


def _ensure_same(wanted: Request, plan: Plan) -> None:
    """A field that the request leaves to the profile contradicts nothing."""
    for field in wanted.__struct_fields__:
        asked = getattr(wanted, field)
        stands = getattr(plan.profile, field, getattr(plan, field, asked))
        if asked is not UNSET and asked != stands:
            fix = f"{plan.release} has begun under the key {plan.key}, and has another {field}: use another key."
            raise Refusal(field, msgspec.to_builtins(asked), fix)
