"""Gates: where a release needs more than its own verdict to go on."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Literal, get_args

import msgspec

from viridian.request import Hook, Profile
from viridian.verdict import Outcome

Gate = Literal["before_traffic", "after_step", "before_promote", "after_rollback"]
Next = Literal["open", "look_again", "wait", "ask", "closed"]

# Those that a release goes through; after a rollback there is nothing left to keep closed.
GATES: tuple[Gate, ...] = ("before_traffic", "after_step", "before_promote")
AFTER: Gate = "after_rollback"
# However long a gate keeps a release: one that is taken over meanwhile sees it by then, and ends as that did.
LONGEST_SECONDS = 300
_LOOK_SECONDS = 30
_PATIENCE = 20  # a wait of hours is looked at less often: a history has room for 25,000 events
_WORDS = {
    "before_traffic": "before its first traffic",
    "after_step": "before its next step",
    "before_promote": "before its promotion",
    "after_rollback": "after its rollback",
}


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """How far a release is through one gate: since when it waits, what was begun there, and whether it is through.

    `hook` is the execution of a hook that is a state machine; `approval` is the id that people know the question by,
    which is open `until` then.
    """

    gate: str
    reached_at: datetime
    hook: str | None = None
    hook_passed: bool = False
    approval: str | None = None
    until: datetime | None = None
    passed: bool = False


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a hook has to say so far; without a verdict it isn't done."""

    verdict: Outcome | None = None
    reason: str = ""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What to do at a gate, why, and how many seconds that may take.

    `look_again`: the release is through, but that took time, and what was known of green is old.
    """

    next: Next
    reason: str
    again_in: int = 0


def of(profile: Profile) -> tuple[Gate, ...]:
    """The gates at which something stands."""
    return tuple(
        gate
        for gate in GATES
        if hook(profile, gate) or approves(profile, gate) or (gate == "before_traffic" and _shuts(profile))
    )


def _shuts(profile: Profile) -> bool:
    """Whether there are times at which no release may begin: green's traffic may not begin then either."""
    return bool(profile.windows.open or profile.windows.freezes)


def hook(profile: Profile, gate: Gate) -> Hook | None:
    """What of the service's own has a say at a gate."""
    found: Hook | None = getattr(profile.hooks, gate)
    return found


def approves(profile: Profile, gate: Gate) -> bool:
    """Whether a person has to say yes at a gate."""
    return bool(getattr(profile.approval, gate, False))


def minutes(profile: Profile) -> int:
    """How long all gates together may keep a release."""
    between = (len(profile.steps) - 1) * minutes_at(profile, "after_step")
    return minutes_at(profile, "before_traffic") + between + minutes_at(profile, "before_promote")


def minutes_at(profile: Profile, gate: Gate) -> int:
    """How long one gate may keep a release."""
    asked = hook(profile, gate)
    return (asked.minutes if asked else 0) + (profile.approval.minutes if approves(profile, gate) else 0)


def before(step: int) -> tuple[Gate, int]:
    """The gate that leads to a step, counted from 0."""
    return ("after_step", step - 1) if step else ("before_traffic", 0)


def name(gate: Gate, step: int) -> str:
    """What the ledger knows a gate by: there is one after each step."""
    return f"{gate}.{step}" if gate == "after_step" else gate


def where(gate: str) -> str:
    """A gate, or its name, in words."""
    return _WORDS[gate.partition(".")[0]]


def is_function(hook: Hook) -> bool:
    """Whether a hook is a Lambda function; else it is a state machine."""
    return ":function:" in hook.arn


def heard(answer: Any, error: str) -> Heard:
    """What a function has answered; InProgress, or nothing yet, asks to be asked again."""
    if error:
        return Heard(verdict="Failed", reason=error[:500])
    told = answer if isinstance(answer, dict) else {}
    verdict, reason = told.get("verdict"), str(told.get("reason") or "")[:500]
    if verdict in get_args(Outcome):
        return Heard(verdict=verdict, reason=reason)
    if verdict == "InProgress":
        return Heard(reason=reason)
    return Heard(verdict="Failed", reason="its answer has no verdict: Successful, Failed or InProgress")


def outcome(execution: Mapping[str, Any]) -> Heard:
    """What a state machine has come to; its output may have a verdict, and says Successful without one."""
    match execution["status"]:
        case "RUNNING":
            return Heard()
        case "SUCCEEDED":
            try:
                told = msgspec.json.decode(execution.get("output", "{}"))
            except msgspec.DecodeError:
                told = {}
            said = told if isinstance(told, dict) else {}
            return heard({"verdict": "Successful", **said}, "")
    words = f"{execution.get('error') or execution['status']}: {execution.get('cause') or ''}"
    return Heard(verdict="Failed", reason=words[:500].rstrip(": "))


def at_window(reason: str, opens_at: datetime | None, deadline: datetime, now: datetime) -> Move:
    """What it means that the service's window has closed while green was made: a wait, if the release has that long."""
    if opens_at is None or opens_at >= deadline:
        return Move(next="closed", reason=f"its window closed before green was ready: {reason}")
    rest = ceil((opens_at - now).total_seconds())
    reason = f"its window has closed: {reason}"
    return Move(next="wait", reason=reason, again_in=max(1, min(LONGEST_SECONDS, rest)))


def at_hook(passage: Passage, hook: Hook, heard: Heard, now: datetime) -> Move:
    """What a hook's word means for the release; one that is never done is a no."""
    if heard.verdict == "Successful":
        return Move(next="open", reason=heard.reason or "the hook passed")
    if heard.verdict is not None:
        return Move(next="closed", reason=f"{hook.arn}: {heard.reason or heard.verdict}")
    waited = now - passage.reached_at
    if waited < timedelta(minutes=hook.minutes):
        patient = int(waited.total_seconds()) // _PATIENCE
        again_in = min(LONGEST_SECONDS, max(_LOOK_SECONDS, patient))
        return Move(next="wait", reason=heard.reason or "the hook is at work", again_in=again_in)
    return Move(next="closed", reason=f"{hook.arn} has no verdict after {hook.minutes} minutes")
