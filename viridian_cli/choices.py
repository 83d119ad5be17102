"""What a person may type for a release as it stands, and what that does: one table, for the screen and for the report."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from viridian.moment import at
from viridian.record import Record
from viridian_cli.story import Choice

_RESOLVED = "once one side serves alone: it is over as it stands"


def say(service: str, release: str, name: str, does: str) -> Choice:
    """A command of a person's to one release, which takes a reason."""
    return Choice(type=f"viridian {name} {service} {release} -m WHY", does=does)


def of(record: Record, now: datetime, *, paused: bool) -> Iterator[Choice]:
    """What keeps users safe comes first where something is wrong."""
    plan, blue = record.plan, record.plan.blue.group
    may = partial(say, plan.service, plan.release)
    if record.hands_off:
        yield Choice(type=f"viridian hands-off {plan.service} --off", does="let Viridian write again")
    match record.status:
        case "Releasing":
            yield from _while_it_runs(record, paused=paused)
        case "RollingBack" if record.restored_at is None:
            yield Choice(type=f"viridian brake {plan.service} -m WHY", does=f"all traffic to {blue}, at once")
            yield Choice(
                type=f"viridian brake {plan.service} --without-ledger -m WHY",
                does="the same with your own credentials, if nothing else moves",
            )
        case "Held":
            yield may("rollback", f"all traffic to {blue}, then green is removed")
            if not record.taken_back:
                yield may("resume", "green gets its shares again, from the first step")
            yield may("resolve", _RESOLVED)
        case "RollbackIncomplete":
            yield may("rollback", "go on with the way back, once what is named here is seen to")
            yield may("resolve", _RESOLVED)
        case "Promoted":
            until = f" (blue is kept until {at(record.retire_at)})" if record.retire_at else ""
            kept = record.emptied_at is None and record.retire_at and now < record.retire_at
            yield may("rollback", f"take it back{until if kept else ': blue launches first'}")
        case "Retired":
            yield Choice(
                type=f"viridian history {plan.service}", does="the way back is a release of an older one"
            )


def _while_it_runs(record: Record, *, paused: bool) -> Iterator[Choice]:
    plan, carries = record.plan, record.step is not None
    may = partial(say, plan.service, plan.release)
    last = record.step == len(plan.profile.steps) - 1
    if record.question:
        yield may("approve", "let it go on")
        yield may("reject", "say no: it goes back to blue")
    if paused:
        yield may("resume", "go on where it stands")
    else:
        held = (
            "no promotion" if last else "no more traffic for green" if carries else "no traffic for green yet"
        )
        yield may("pause", f"{held}, for an hour")
    if carries and not (last and record.waits_at):
        yield may("promote", "skip what is left of the observing")
    yield may(
        "rollback", "all traffic to blue, then green is removed" if carries else "stop it, and remove green"
    )
    if carries:
        yield Choice(
            type=f"viridian brake {plan.service} -m WHY", does="the same, and stay until blue serves alone"
        )
