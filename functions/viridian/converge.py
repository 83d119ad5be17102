"""The way back: from what AWS shows now to the next safe step, whoever asks and however often."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from viridian import request, traffic
from viridian.fleet import Side
from viridian.request import Step
from viridian.traffic import Forward

Act = Literal[
    "RestoreTraffic",
    "AwaitSettled",
    "RaiseBlue",
    "AwaitBlue",
    "KeepEvidence",
    "RemoveGreen",
    "ReleaseFloors",
    "Promote",
    "End",
]
End = Literal["RolledBack", "Held", "RollbackIncomplete", "Refused", "Promoted", "Emptied", "Retired"]


# However late a write is that an earlier epoch let through, its function has been stopped by then: longer than the
# time-out of any function that writes routes.
LATE_WRITER_SECONDS = 60
_ROOM = 1000  # characters that the ledger has for what failed


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """A release to take back to blue: which execution does it, why, on what terms, and what it stumbled over last."""

    service: str
    release: str
    execution: str
    failure: str
    hold: bool = False
    overwrite: bool = False
    ordered: bool = False
    resolved: bool = False
    steps: tuple[Step, ...] = ()
    stumble: str = ""

    def terms(self) -> dict[str, Any]:
        """What the ledger keeps of it once the release is taken over."""
        return {name: getattr(self, name) for name in ("hold", "overwrite", "ordered", "resolved", "steps")}


def errand(order: Any, execution: str, error: str, cause: str, stumble: str = "") -> Errand:
    """What a machine is to do: for what failed (`error`, `cause`), or because a person ordered it, with a reason."""
    asked, told = request.parse_order(order), error == "RollbackOrdered"
    return Errand(
        service=asked.service,
        release=asked.release,
        execution=execution,
        failure=first_error(error, asked.reason if told else cause),
        hold=error == "Inconclusive",
        overwrite=asked.overwrite,
        ordered=told and asked.epoch is None,
        resolved=asked.resolve,
        steps=asked.steps,
        stumble=_writable(stumble)[:_ROOM],
    )


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All that the next step depends on; `green` is None while none was made or once it is gone.

    `stay`: the profile leaves traffic where it is, and no person has ordered otherwise. `resolved`: a person says that
    the traffic is where it is to be. `taken_back`: green was promoted, and can serve until blue has its capacity back.
    `steps`: blue's shares until it has everything, the last of them written at `stepped_at`.
    `told`: everybody who asks is told what was written last; with a name that takes a while.
    `launches_suspended`: blue can't grow until they are resumed. `hands_off`: why people want nothing written.
    """

    now: datetime
    deadline: datetime
    forward: Forward
    blue: Side
    green: Side | None
    green_target_group: str | None
    need: int
    floor_before: int
    settle_seconds: int
    restored_at: datetime | None
    written: tuple[Forward, ...]
    hold: bool
    overwrite: bool
    evidence_kept: bool
    leftovers: tuple[str, ...]
    hands_off: str | None = None
    stay: bool = False
    resolved: bool = False
    taken_back: bool = False
    launches_suspended: bool = False
    steps: tuple[Step, ...] = ()
    stepped_at: datetime | None = None
    told: bool = True

    @property
    def settles_in(self) -> float:
        """Seconds until the load balancer has settled, and no late writer is left; 0 once it has."""
        settle = max(self.settle_seconds, LATE_WRITER_SECONDS)
        return (
            max(0.0, settle - (self.now - self.restored_at).total_seconds()) if self.restored_at else settle
        )


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """The next step, why, and when to look again; `green_weight` and `end` where the act has one.

    `page`: a person should know now, though the way back goes on.
    """

    act: Act
    reason: str
    again_in: int = 15
    green_weight: int = 0
    end: End | None = None
    page: bool = False


def next_move(picture: Picture) -> Move:
    """Traffic first; then nothing until it is settled; then capacity; then what is left behind."""
    if picture.hands_off:
        return _held(f"hands off: {picture.hands_off}. Nothing was written")
    if not picture.forward.alone(picture.blue.target_group):
        return _resolve(picture) if picture.resolved else _restore(picture)
    if picture.blue.healthy() <= 0 and picture.green and picture.green.healthy() >= picture.need > 0:
        reason = "blue has nobody left: green keeps the service up until blue is back"
        return Move(act="RestoreTraffic", reason=reason, green_weight=traffic.WHOLE, page=True)
    if picture.restored_at is None and not picture.told and picture.now >= picture.deadline:
        reason = "all weight is blue's, and Route 53 has not told all its servers"
        return Move(act="End", end="RollbackIncomplete", reason=reason)
    if picture.restored_at is None:
        return Move(
            act="RestoreTraffic", reason="blue serves alone", again_in=min(60, round(picture.settles_in))
        )
    if (rest := picture.settles_in) > 0:
        return Move(
            act="AwaitSettled", reason="the load balancer is settling", again_in=max(1, min(60, round(rest)))
        )
    if picture.hold:
        return _held("all traffic is on blue; green stands, for a person to decide")
    return _tidy(picture)


def _held(reason: str) -> Move:
    return Move(act="End", end="Held", reason=reason)


def _resolve(picture: Picture) -> Move:
    """A person says that it is over: it is, where one side serves alone."""
    if picture.green and picture.forward.alone(picture.green.target_group):
        return Move(act="Promote", end="Promoted", reason="green serves alone, and a person has resolved it")
    return _held(f"give all weight to one side first: the rule shows {traffic.describe(picture.forward)}")


def _restore(picture: Picture) -> Move:
    if picture.stay:
        return _held(
            f"the profile says rollback: hold, so {traffic.describe(picture.forward)} stays as it is"
        )
    green_group = picture.green_target_group or ""
    others = [g for g in picture.forward.weights if g not in (picture.blue.target_group, green_group)]
    foreign_weight = any(picture.forward.weights[group] > 0 for group in others)
    foreign = not picture.overwrite and (
        foreign_weight or picture.forward.weights not in [f.weights for f in picture.written]
    )
    green_healthy = picture.green.healthy() if picture.green else 0
    blue_healthy = picture.blue.healthy()
    if foreign and not _dead(picture, green_healthy, blue_healthy):
        return _held(
            f"somebody else wrote {traffic.describe(picture.forward)}; it serves, so it is left as it is. "
            "A rollback with `--overwrite` puts everything on blue"
        )
    now = round(100 * picture.forward.share(green_group))
    weight = traffic.restore(picture.need, blue_healthy, green_healthy, now)
    if picture.taken_back and picture.now < picture.deadline:
        carries = green_healthy * traffic.WHOLE >= picture.need * now  # it may have shrunk with its share
        if weight is None:
            weight = now
        elif carries and weight > 0:
            # Blue may have been at zero until now: capacity first, then traffic; and never more than it carries.
            weight = max(now, traffic.WHOLE - traffic.WHOLE * blue_healthy // picture.need)
        elif carries and (step := _step(picture, traffic.WHOLE - now)):
            return step
    short = f"blue carries {blue_healthy} of {picture.need}"
    if weight is None:
        return _held(f"neither side can carry anything: nothing was moved; {short}")
    if weight != now or (picture.overwrite and foreign_weight):
        reason = "all traffic to blue" if weight == 0 else f"{short}: green keeps {weight}%"
        return Move(act="RestoreTraffic", reason=reason, green_weight=weight, page=weight > 0 or foreign)
    if picture.now < picture.deadline:
        return Move(act="RaiseBlue", reason=f"{short} so far")
    if picture.forward.alone(green_group):
        return _held(f"{short} and never got more: all traffic is on green")
    return Move(
        act="End", end="RollbackIncomplete", reason=f"{short} and never got more: green keeps {weight}%"
    )


def _step(picture: Picture, share: int) -> Move | None:
    """Where blue gets its traffic back in steps: a look at the one it has, or the next; None for everything."""
    taken = [step for step in picture.steps if step.weight <= share]
    if taken and picture.stepped_at is not None:
        rest = taken[-1].observe_minutes * 60 - (picture.now - picture.stepped_at).total_seconds()
        if rest > 0:
            reason = f"blue has {share}%, and is observed"
            return Move(act="AwaitBlue", reason=reason, again_in=max(1, min(60, round(rest))))
    following = next((step.weight for step in picture.steps if step.weight > share), traffic.WHOLE)
    if following == traffic.WHOLE:
        return None
    reason = f"{following}% to blue, as the order's steps say"
    return Move(act="RestoreTraffic", reason=reason, green_weight=traffic.WHOLE - following)


def _dead(picture: Picture, green_healthy: int, blue_healthy: int) -> bool:
    """Whether a side with traffic has nobody to serve it: only then may foreign weights be written over."""
    green_dead = picture.forward.of(picture.green_target_group or "") > 0 and green_healthy <= 0
    blue_dead = picture.forward.of(picture.blue.target_group) > 0 and blue_healthy <= 0
    return green_dead or blue_dead


def _tidy(picture: Picture) -> Move:
    late = picture.now >= picture.deadline
    if picture.blue.desired < picture.need:
        return Move(act="RaiseBlue", reason=f"blue wants {picture.blue.desired} of {picture.need}")
    if picture.launches_suspended:
        return Move(act="RaiseBlue", reason="blue's launches are suspended", again_in=0)
    if (able := picture.blue.healthy()) < picture.need and not late:
        return Move(act="AwaitBlue", reason=f"{able} of {picture.need} healthy in blue")
    if not picture.evidence_kept:
        return Move(act="KeepEvidence", reason="before green is deleted", again_in=0)
    if picture.leftovers and not late:
        return Move(act="RemoveGreen", reason=f"left: {', '.join(picture.leftovers)}", again_in=30)
    if picture.floor_before < picture.blue.minimum <= picture.need:
        return Move(act="ReleaseFloors", reason=f"blue's minimum back to {picture.floor_before}", again_in=0)
    if picture.leftovers:
        return Move(
            act="End", end="RollbackIncomplete", reason=f"delete by hand: {', '.join(picture.leftovers)}"
        )
    if able < picture.need:
        return Move(act="End", end="RollbackIncomplete", reason=f"{able} of {picture.need} healthy in blue")
    return Move(act="End", end="RolledBack", reason="all traffic is on blue, nothing is left")


def whole_cause(failure: str | None, reason: str | None) -> str:
    """The cause that an execution ends with: what failed first, and what became of it."""
    return f"{(failure or 'no cause known').rstrip('. ')}. {reason or ''}"


def first_error(error: str, cause: str) -> str:
    """The name and words of what failed; Lambda wraps the words in JSON, Step Functions doesn't."""
    cause = _writable(cause)
    try:
        told = msgspec.json.decode(cause)
    except msgspec.DecodeError:
        told = None
    words = told.get("errorMessage", cause) if isinstance(told, dict) else cause
    return f"{error}: {words}"[:_ROOM].rstrip(": ")


def _writable(words: str) -> str:
    """The same without halves of characters, which can't be written down."""
    return words.encode("utf-8", "replace").decode()
