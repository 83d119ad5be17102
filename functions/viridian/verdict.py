"""The judge: one failing signal condemns green, a silent one proves nothing."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from viridian.orders import Taken
from viridian.request import Profile

Outcome = Literal["Successful", "Failed", "Inconclusive"]


class Verdict(msgspec.Struct, frozen=True):
    """What is thought of green, with the reason in words and numbers."""

    outcome: Outcome
    reason: str


class AlarmState(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm as CloudWatch shows it; `evaluation_seconds` is the span that one evaluation looks at, `actions` ARNs."""

    name: str
    arn: str
    state: str
    reason: str
    since: datetime
    evaluation_seconds: int
    actions: tuple[str, ...] = ()


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a verdict rests on, read at one moment; `rate` is the service's requests a minute, 0 if not known."""

    asked: tuple[str, ...]
    alarms: tuple[AlarmState, ...]
    waived: frozenset[str] = frozenset()
    breach: str = ""
    requests: int = 0
    minimum_requests: int = 0
    observed_seconds: float = 0.0
    green_lacks: str = ""
    green_dead: bool = False
    blue_lacks: str = ""
    rate: float = 0.0


def judge(signals: Signals) -> Verdict:
    """Fails on any alarm that is red or gone; succeeds only on fresh, sufficient evidence from all of them."""
    found = {alarm.name: alarm for alarm in signals.alarms}
    for name in signals.asked:
        if name not in found:
            return Verdict("Failed", f"alarm {name} does not exist any more")
    watched = [alarm for alarm in signals.alarms if alarm.name not in signals.waived]
    for alarm in watched:
        if alarm.state == "ALARM":
            return Verdict("Failed", f"alarm {alarm.name} is in ALARM: {alarm.reason}")
    if signals.breach:
        return Verdict("Failed", signals.breach)
    if signals.green_dead:
        return Verdict("Failed", f"green has nobody left to serve: {signals.green_lacks}")
    if signals.green_lacks:
        return Verdict("Inconclusive", f"green is short: {signals.green_lacks}")
    if signals.blue_lacks:
        return Verdict("Inconclusive", f"blue is short: {signals.blue_lacks}")
    for alarm in watched:
        if alarm.state != "OK":
            return Verdict("Inconclusive", f"alarm {alarm.name} is {alarm.state}: {alarm.reason}")
    if (span := evidence_seconds(watched)) > signals.observed_seconds:
        return Verdict(
            "Inconclusive", f"{signals.observed_seconds:.0f} s observed, {span} s make an alarm's OK evidence"
        )
    if signals.requests < signals.minimum_requests:
        return Verdict(
            "Inconclusive", f"{signals.requests} requests to green, {signals.minimum_requests} needed"
        )
    return Verdict("Successful", f"{signals.requests} requests to green, {len(watched)} alarms OK")


def evidence_seconds(alarms: Iterable[AlarmState]) -> int:
    """How long a step must be observed before an alarm that is OK says something about it (aws-facts C3)."""
    return max((alarm.evaluation_seconds + 120 for alarm in alarms), default=0)


def reinstated(waived: frozenset[str], alarms: Iterable[AlarmState], now: datetime) -> frozenset[str]:
    """The waived alarms that have been OK for a whole evaluation, and so count again."""
    return frozenset(
        alarm.name
        for alarm in alarms
        if alarm.name in waived
        and alarm.state == "OK"
        and (now - alarm.since).total_seconds() >= alarm.evaluation_seconds
    )


Next = Literal["wait", "shift", "hasten", "promote", "roll_back", "hold", "look_again"]


def next_move(verdict: Verdict, profile: Profile, step: int, observed: float) -> Next:
    """What the verdict means for the plot, `observed` seconds into a step."""
    if verdict.outcome == "Failed":
        return "roll_back"
    last = step == len(profile.steps) - 1
    observe = 60 * profile.steps[step].observe_minutes
    if observed < (max(observe, profile.settle_seconds) if last else observe):
        return "wait"
    if verdict.outcome == "Successful":
        return "promote" if last else "shift"
    if observed < observe + 60 * profile.inconclusive.minutes:
        return "wait"
    return "hold" if profile.inconclusive.then == "hold" else "roll_back"


def heed(
    found: Verdict,
    signals: Signals,
    profile: Profile,
    step: int,
    order: Taken | None,
    now: datetime,
    *,
    begun: bool = True,
) -> tuple[Verdict, Next]:
    """The verdict in whose words, and the next move, once a person has given an order.

    None saves a green that has failed, and none promotes a fleet that is short. A green that a pause has kept from its
    first traffic (not `begun`) is looked at anew: its smoke tests are old.
    """
    move = next_move(found, profile, step, signals.observed_seconds)
    if order is None or found.outcome == "Failed":
        return found, move
    told = replace(found, reason=f"{order.in_words()}; {found.reason}")
    if order.pauses(now):
        return told, "wait"
    if not begun:
        return found, "look_again"
    if order.order != "promote" or signals.green_lacks or signals.blue_lacks:
        return found, move
    if step < len(profile.steps) - 1:
        return told, "hasten"
    return told, "promote" if signals.observed_seconds >= profile.settle_seconds else "wait"
