"""When each part of a release is over, at the soonest and at the latest."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from viridian import gates
from viridian.moment import at
from viridian.request import Profile

# What an execution's history has room for, at nine events a look: under 5,000 of them for all that green is observed, and
# under AWS's 25,000 (aws-facts) if every verdict stays open for as long as it may, and people pause it for twelve hours.
_LOOKS = 480
_LOOKS_IF_OPEN = 1_850


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a release and when it is over: at the soonest nothing has to be waited for but the steps."""

    what: str
    soonest: datetime
    latest: datetime


def phases(profile: Profile, started_at: datetime, deadline: datetime, *, bakes: bool) -> tuple[Phase, ...]:
    """The parts of a release in their order; the last one ends with blue's retirement."""
    *before, promoted = _until_promoted(profile, started_at, deadline, bakes=bakes)
    kept = timedelta(minutes=profile.keep_minutes)
    retires = Phase(what="blue retires", soonest=promoted.soonest + kept, latest=promoted.latest + kept)
    return (*before, promoted, retires)


def _until_promoted(
    profile: Profile, started_at: datetime, deadline: datetime, *, bakes: bool
) -> Iterator[Phase]:
    soonest = latest = started_at
    if bakes:
        latest += timedelta(minutes=profile.deadlines.image_minutes)
        yield Phase(what="image available", soonest=soonest, latest=latest)
    latest += timedelta(minutes=profile.deadlines.healthy_minutes)
    yield Phase(what="green healthy and smoke-tested", soonest=soonest, latest=latest)
    if wait := gates.minutes_at(profile, "before_traffic"):
        latest += timedelta(minutes=wait)
        yield Phase(what="let through to its first traffic", soonest=soonest, latest=latest)
    for step in profile.steps:
        soonest += timedelta(minutes=step.observe_minutes)
        latest += timedelta(minutes=step.observe_minutes + profile.inconclusive.minutes)
        yield Phase(what=f"{step.weight}% observed", soonest=soonest, latest=latest)
        latest += timedelta(minutes=gates.minutes_at(profile, "after_step") if step.weight < 100 else 0)
    yield Phase(what="promoted", soonest=soonest, latest=deadline)


def judge_seconds(profile: Profile) -> int:
    """How long green carries its share between two looks at it: a minute, longer only where looks would be too many."""
    observed = sum(step.observe_minutes for step in profile.steps)
    longest = observed + len(profile.steps) * profile.inconclusive.minutes
    return max(60, math.ceil(60 * observed / _LOOKS), math.ceil(60 * longest / _LOOKS_IF_OPEN))


def in_words(phases: Sequence[Phase], profile: Profile, deadline: datetime) -> tuple[str, ...]:
    """The same as a person would say it, and what becomes of a release that fails."""
    back = deadline + timedelta(minutes=profile.deadlines.rollback_minutes)
    return (
        *(
            f"{each.what}: {at(each.soonest)} at the soonest, {at(each.latest)} at the latest"
            for each in phases
        ),
        f"not promoted by {at(deadline)}: it goes back to blue, and by {at(back)} a person is paged",
    )
