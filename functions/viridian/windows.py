"""When a service may be released: its windows and freezes, judged by what the clock of its time zone shows."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from math import ceil
from zoneinfo import ZoneInfo

import msgspec

from viridian import plan
from viridian.errors import Refusal
from viridian.moment import at
from viridian.plan import Plan
from viridian.request import DAYS, Freeze, Profile, Request, Window, Windows

EXECUTION = timedelta(days=4)  # the release machine's TimeoutSeconds, waiting included
_YEAR = 366
_MINUTE = timedelta(minutes=1)
_YEARLY = len("12-20T00:00")


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """Why a release may not begin, and the first moment at which it may; None if that isn't within a year."""

    reason: str
    opens_at: datetime | None


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """When a release was asked for, when it begins, and what its windows say to that."""

    asked_at: datetime
    at: datetime
    words: str = ""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Why a release has not begun, until when, and in how many seconds it is planned anew."""

    why: str
    until: datetime
    again_in: int


def closed(windows: Windows, now: datetime) -> Closed | None:
    """What keeps a release from beginning now; None if nothing does."""
    zone = ZoneInfo(windows.time_zone)
    if (reason := _why(windows, now.astimezone(zone))) is None:
        return None
    turns = _turns(windows, zone, now)
    opens_at = next((turn for turn in turns if _why(windows, turn.astimezone(zone)) is None), None)
    return Closed(reason=reason, opens_at=opens_at)


def begins(wanted: Request, profile: Profile, asked_at: datetime, now: datetime) -> Beginning:
    """When a release begins; a Refusal if it may not now, and is not to wait.

    Its execution must live through the wait, and then through the release and its way back at their longest.
    """
    if (shut := closed(profile.windows, now)) is None:
        _ensure_lives(profile, asked_at, now)
        return Beginning(asked_at=asked_at, at=now)
    if override := wanted.override_window:
        _ensure_lives(profile, asked_at, now)
        words = f"begins all the same: {shut.reason}; overridden because: {override.reason}"
        return Beginning(asked_at=asked_at, at=now, words=words)
    how = "give override_window with a reason."
    if shut.opens_at is None:
        raise Refusal("window", shut.reason, f"It opens at no time within a year: {how}")
    waits = profile.windows.outside == "wait"
    if waits and _longest(profile, asked_at, shut.opens_at) <= EXECUTION:
        words = f"waits until {at(shut.opens_at)}: {shut.reason}"
        return Beginning(asked_at=asked_at, at=shut.opens_at, words=words)
    why = "An execution can't wait so long: start" if waits else "Start"
    raise Refusal("window", shut.reason, f"{why} it after {at(shut.opens_at)}, or {how}")


def _ensure_lives(profile: Profile, asked_at: datetime, now: datetime) -> None:
    """Refuses what may take longer than its execution lives: that would be stopped with no Catch."""
    if (longest := _longest(profile, asked_at, now)) > EXECUTION:
        hours = longest.total_seconds() / 3600
        fix = f"An execution lives {EXECUTION.days} days: shorten deadlines, inconclusive.minutes, hooks or approval."
        raise Refusal("deadlines", f"up to {hours:.0f} hours in all", fix)


def _longest(profile: Profile, asked_at: datetime, begins_at: datetime) -> timedelta:
    """How long an execution must live: its wait, then the release and its way back at their longest."""
    back = timedelta(minutes=profile.deadlines.rollback_minutes)
    return plan.times(profile, begins_at) + back - asked_at


def lives_until(decided: Plan) -> datetime:
    """Until when a release may run for its execution to live through the way back, too."""
    back = timedelta(minutes=decided.profile.deadlines.rollback_minutes)
    return (decided.asked_at or decided.started_at) + EXECUTION - back


def waiting(planned: Plan, now: datetime) -> Waiting | None:
    """How long a release that is planned for later waits; None if it may begin."""
    seconds = ceil((planned.started_at - now).total_seconds())
    return Waiting(why=planned.window, until=planned.started_at, again_in=seconds) if seconds > 0 else None


def ensure_sound(windows: Windows) -> None:
    """Refuses windows and freezes that mean nothing, or not what they seem to."""
    try:
        ZoneInfo(windows.time_zone)
    except (KeyError, ValueError, OSError):
        fix = 'Use a name of the IANA time zone database, such as "Europe/Berlin" or "UTC".'
        raise Refusal("profile.windows.time_zone", windows.time_zone, fix) from None
    for index, window in enumerate(windows.open):
        _ensure_window(f"profile.windows.open[{index}]", window)
    for index, freeze in enumerate(windows.freezes):
        _ensure_freeze(f"profile.windows.freezes[{index}]", freeze)


def _ensure_window(field: str, window: Window) -> None:
    if twice := next((day for day in window.days if window.days.count(day) > 1), None):
        raise Refusal(f"{field}.days", f"{twice} is there twice", "Name each once.")
    if window.since == window.until:
        raise Refusal(
            f"{field}.to", window.until, "Use another time than from; a whole day is 00:00 to 24:00."
        )


def _ensure_freeze(field: str, freeze: Freeze) -> None:
    for name, moment in (("from", freeze.since), ("to", freeze.until)):
        try:
            datetime.fromisoformat(f"2000-{moment}"[-len("2000-12-20T00:00") :])
        except ValueError:
            raise Refusal(f"{field}.{name}", moment, "Use a day that there is.") from None
    if len(freeze.since) != len(freeze.until):
        raise Refusal(f"{field}.to", freeze.until, "Give both with the year, or both without it.")
    if freeze.until == freeze.since or (freeze.until < freeze.since and len(freeze.until) > _YEARLY):
        raise Refusal(f"{field}.to", freeze.until, f"Use a later moment than from, {freeze.since}.")


def _why(windows: Windows, local: datetime) -> str | None:
    """What a local clock is judged by: an hour that it skips never is, and one that it shows twice is twice."""
    shown = f"{local:%Y-%m-%dT%H:%M}"
    for freeze in windows.freezes:
        if _within(shown[-len(freeze.since) :], freeze.since, freeze.until):
            return f"frozen until {freeze.until} {windows.time_zone}: {freeze.reason}"
    if not windows.open or any(_is_open(window, local) for window in windows.open):
        return None
    told = "; ".join(_in_words(window) for window in windows.open)
    now = f"{DAYS[local.weekday()]} {local:%Y-%m-%d %H:%M}"
    return f"outside its windows, {told} {windows.time_zone}, where it is {now}"


def _within(shown: str, since: str, until: str) -> bool:
    """As text, moments of one form sort as they come; what ends before it begins goes over the new year."""
    return since <= shown < until if since < until else shown >= since or shown < until


def _is_open(window: Window, local: datetime) -> bool:
    """Over midnight, a window belongs to the day on which it opens."""
    clock, today = f"{local:%H:%M}", local.weekday()
    if window.since < window.until:
        return DAYS[today] in window.days and window.since <= clock < window.until
    return (DAYS[today] in window.days and clock >= window.since) or (
        DAYS[today - 1] in window.days and clock < window.until
    )


def _in_words(window: Window) -> str:
    days = "daily" if len(window.days) == len(DAYS) else " ".join(window.days)
    return f"{days} {window.since}-{window.until}"


def _turns(windows: Windows, zone: ZoneInfo, now: datetime) -> Iterator[datetime]:
    """Every moment of the coming year at which it may open, in order: the clock shows a time that is named, or jumps."""
    named = {"00:00", *(each.since for each in windows.open), *(each.until[-5:] for each in windows.freezes)}
    clocks = [time.fromisoformat(each) for each in named]
    start = now.replace(second=0, microsecond=0)
    for since in (start + timedelta(days=n) for n in range(_YEAR)):
        turns = {_jump(zone, since)}
        for day in (since.astimezone(zone).date() + timedelta(days=n) for n in (-1, 0, 1, 2)):
            shown = (datetime.combine(day, clock, zone) for clock in clocks)
            turns |= {each.replace(fold=fold).astimezone(UTC) for each in shown for fold in (0, 1)}
        yield from sorted(turn for turn in turns if since < turn <= since + timedelta(days=1) and turn > now)


def _jump(zone: ZoneInfo, since: datetime) -> datetime:
    """The moment at which the clock jumps within a day from then; the end of that day if it doesn't."""
    stands = since.astimezone(zone).utcoffset()
    jumped = lambda minute: (since + minute * _MINUTE).astimezone(zone).utcoffset() != stands  # noqa: E731
    return since + bisect_left(range(24 * 60), True, key=jumped) * _MINUTE
