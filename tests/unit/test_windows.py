"""Windows and freezes: when a release may begin by the clock of a time zone, and when it may next."""

import json
import re
import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.stack import ROOT, machines
from viridian import plan, request, windows
from viridian.errors import Refusal
from viridian.plan import Plan
from viridian.request import DAYS, Profile, Windows
from viridian.windows import Beginning

BERLIN, OFFICE = "Europe/Berlin", {"days": ["mon", "tue", "wed", "thu"], "from": "09:00", "to": "16:00"}
NIGHT = {"days": ["fri"], "from": "22:00", "to": "02:00"}
SALES = {"from": "12-20T00:00", "to": "01-02T08:00", "reason": "Christmas sales"}
LEAST = {"service": "shop", "version": "2.0.0", "source": {"type": "ami", "image_id": "ami-0abc1234"}}
MONDAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def made(*opened: Any, zone: str = BERLIN, freezes: Any = (), **fields: Any) -> Windows:
    document = {"time_zone": zone, "open": opened, "freezes": freezes, **fields}
    return msgspec.convert(document, Windows)


def daily(since: str, until: str) -> Any:
    return {"from": since, "to": until}


def frozen(since: str, until: str) -> Any:
    return {"from": since, "to": until, "reason": "because"}


def opens(given: Windows, now: str) -> str:
    """When it is open next, in UTC; at once, if it is now."""
    shut = windows.closed(given, datetime.fromisoformat(f"{now}Z"))
    if shut is None:
        return "open"
    return f"{shut.opens_at:%m-%dT%H:%M}" if shut.opens_at else "never"


WHEN: dict[str, tuple[Windows, str, str]] = {
    "without windows": (made(), "2026-01-05T09:00", "open"),
    "at the weekend": (made(OFFICE), "2026-01-10T12:00", "01-12T08:00"),
    "a second before": (made(OFFICE), "2026-01-12T07:59:59", "01-12T08:00"),
    "as it opens": (made(OFFICE), "2026-01-12T08:00", "open"),
    "a second before it closes": (made(OFFICE), "2026-01-12T14:59:59", "open"),
    "as it closes": (made(OFFICE), "2026-01-12T15:00", "01-13T08:00"),
    "in summer": (made(OFFICE), "2026-07-11T12:00", "07-13T07:00"),
    "over the weekend on which summer time begins": (made(OFFICE), "2026-03-26T15:00", "03-30T07:00"),
    "over the weekend on which it ends": (made(OFFICE), "2026-10-22T14:00", "10-26T08:00"),
    "from a time that the clock skips": (made(daily("02:30", "04:00")), "2026-03-28T22:00", "03-29T01:00"),
    "to a time that the clock skips": (made(daily("01:00", "02:30")), "2026-03-29T01:00", "03-29T23:00"),
    "all of it skipped": (made(daily("02:00", "02:45")), "2026-03-28T22:00", "03-30T00:00"),
    "twice that night": (made(daily("02:30", "02:45")), "2026-10-25T00:45", "10-25T01:30"),
    "open again as the clock goes back": (
        made(daily("01:00", "02:30")),
        "2026-10-25T00:30",
        "10-25T01:00",
    ),
    "the clock goes back by half an hour": (
        made(daily("01:30", "01:45"), zone="Australia/Lord_Howe"),
        "2026-04-04T14:45",
        "04-04T15:00",
    ),
    "the clock skips half an hour": (
        made(daily("02:15", "02:45"), zone="Australia/Lord_Howe"),
        "2026-10-03T14:00",
        "10-03T15:30",
    ),
    "a midnight that the clock skips": (
        made(daily("00:00", "00:30"), zone="America/Santiago"),
        "2026-09-05T12:00",
        "09-07T03:00",
    ),
    "a zone off by half an hour": (made(OFFICE, zone="Asia/Kolkata"), "2026-01-05T03:29", "01-05T03:30"),
    "a zone off by three quarters": (
        made(OFFICE, zone="Asia/Kathmandu"),
        "2026-01-05T00:00",
        "01-05T03:15",
    ),
    "another day there": (made(OFFICE, zone="Pacific/Auckland"), "2026-01-04T19:59", "01-04T20:00"),
    "over midnight": (made(NIGHT), "2026-01-09T23:30", "open"),
    "over midnight, its end": (made(NIGHT), "2026-01-10T01:00", "01-16T21:00"),
    "the morning of its own day": (made(NIGHT), "2026-01-09T00:30", "01-09T21:00"),
    "over midnight into a freeze": (
        made(NIGHT, freezes=[frozen("2026-01-10T00:00", "2026-01-10T01:15")]),
        "2026-01-09T23:00",
        "01-10T00:15",
    ),
    "before that freeze": (
        made(NIGHT, freezes=[frozen("2026-01-10T00:00", "2026-01-10T01:15")]),
        "2026-01-09T22:59",
        "open",
    ),
    "to midnight": (made(daily("22:00", "24:00")), "2026-01-09T23:00", "01-10T21:00"),
    "to 00:00, which is the same": (made(daily("22:00", "00:00")), "2026-01-09T23:00", "01-10T21:00"),
    "from one day to the next": (
        made({**daily("00:00", "24:00"), "days": ["sat", "sun"]}),
        "2026-01-10T23:00",
        "open",
    ),
    "one window after the other": (
        made(daily("09:00", "12:00"), daily("12:00", "16:00")),
        "2026-01-05T11:00",
        "open",
    ),
    "a freeze in a window": (
        made(OFFICE, freezes=[frozen("2026-01-05T09:30", "2026-01-05T11:00")]),
        "2026-01-05T09:00",
        "01-05T10:00",
    ),
    "a freeze that ends outside every window": (
        made(OFFICE, freezes=[frozen("2026-01-05T09:30", "2026-01-09T11:00")]),
        "2026-01-05T09:00",
        "01-12T08:00",
    ),
    "one freeze after the other": (
        made(
            freezes=[
                frozen("2026-01-05T00:00", "2026-01-06T00:00"),
                frozen("2026-01-06T00:00", "2026-01-07T00:00"),
            ]
        ),
        "2026-01-05T09:00",
        "01-06T23:00",
    ),
    "the last second before a freeze": (
        made(freezes=[frozen("2026-01-05T10:00", "2026-01-06T00:00")]),
        "2026-01-05T08:59:59",
        "open",
    ),
    "a freeze every year, before the new one": (made(freezes=[SALES]), "2030-12-24T12:00", "01-02T07:00"),
    "a freeze every year, after it": (made(freezes=[SALES]), "2031-01-02T06:59", "01-02T07:00"),
    "a freeze every year, over": (made(freezes=[SALES]), "2031-01-02T07:00", "open"),
    "a freeze to a day that only some years have": (
        made(freezes=[frozen("02-01T00:00", "02-29T12:00")]),
        "2027-02-10T00:00",
        "02-28T23:00",
    ),
    "a freeze to the end of the skipped hour": (
        made(freezes=[frozen("2026-03-29T00:00", "2026-03-29T02:30")]),
        "2026-03-29T00:30",
        "03-29T01:00",
    ),
    "a freeze into the hour that comes twice": (
        made(freezes=[frozen("2026-10-25T00:00", "2026-10-25T02:30")]),
        "2026-10-25T00:10",
        "10-25T00:30",
    ),
    "the same freeze, as the hour comes again": (
        made(freezes=[frozen("2026-10-25T00:00", "2026-10-25T02:30")]),
        "2026-10-25T01:10",
        "10-25T01:30",
    ),
    "a freeze of years": (
        made(OFFICE, freezes=[frozen("2026-01-01T00:00", "2029-01-01T00:00")]),
        "2026-01-05T09:00",
        "never",
    ),
}


@pytest.mark.parametrize("case", WHEN)
def test_the_clock_of_the_time_zone_decides_when_it_is_open(case: str) -> None:
    given, now, expected = WHEN[case]
    assert opens(given, now) == expected


ZONES = [
    "UTC",
    BERLIN,
    "America/New_York",
    "America/Santiago",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
]
CLOCKS = st.builds(
    lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.sampled_from([0, 7, 30])
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31))  # noqa: DTZ001  local ones
OPENED = st.fixed_dictionaries(
    {"from": CLOCKS, "to": CLOCKS | st.just("24:00")},
    optional={"days": st.lists(st.sampled_from(DAYS), min_size=1, max_size=3, unique=True)},
)
FREEZES = st.builds(
    lambda since, hours: frozen(*(f"{m:%Y-%m-%dT%H:%M}" for m in (since, since + timedelta(hours=hours)))),
    MOMENTS,
    st.integers(1, 500),
)
YEARLY = st.builds(lambda freeze: frozen(freeze["from"][5:], freeze["to"][5:]), FREEZES)


@settings(max_examples=60, deadline=None)
@given(
    given=st.builds(
        lambda zone, opened, freezes: made(*opened, zone=zone, freezes=freezes),
        st.sampled_from(ZONES),
        st.lists(OPENED, max_size=3),
        st.lists(FREEZES | YEARLY, max_size=3),
    ),
    now=MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    parts=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_it_stays_closed_until_the_moment_at_which_it_opens(
    given: Windows, now: datetime, parts: list[float]
) -> None:
    if (shut := windows.closed(given, now)) is None:
        return
    until = shut.opens_at or now + timedelta(days=360)
    assert until > now
    between = [now + part * (until - now) for part in parts]
    between += [until - timedelta(minutes=minutes) for minutes in (1, 20, 60)]
    for moment in (each for each in between if now <= each < until):
        stays = windows.closed(given, moment)
        assert stays, moment
        assert stays.opens_at == shut.opens_at or shut.opens_at is None
    assert shut.opens_at is None or windows.closed(given, shut.opens_at) is None


def test_the_package_brings_the_time_zones_where_the_system_has_none() -> None:
    assert "\ntzdata==" in (ROOT / "functions" / "requirements.txt").read_text()
    zoneinfo.reset_tzpath(to=())
    try:
        assert all(zoneinfo.ZoneInfo.no_cache(zone).key == zone for zone in ZONES)
    finally:
        zoneinfo.reset_tzpath()


def test_the_reason_says_the_windows_and_what_the_clock_there_shows() -> None:
    shut = windows.closed(made(OFFICE, NIGHT, daily("05:00", "06:00")), MONDAY + timedelta(hours=8))
    assert shut
    assert shut.reason == (
        "outside its windows, mon tue wed thu 09:00-16:00; fri 22:00-02:00; daily 05:00-06:00 Europe/Berlin, "
        "where it is mon 2026-01-05 18:00"
    )


def test_the_reason_of_a_freeze_is_the_one_that_people_gave() -> None:
    shut = windows.closed(made(OFFICE, freezes=[SALES]), datetime(2026, 12, 21, 9, tzinfo=UTC))
    assert shut
    assert shut.reason == "frozen until 01-02T08:00 Europe/Berlin: Christmas sales"


UNSOUND: dict[str, tuple[Windows, str, str, str]] = {
    "a zone that is none": (made(zone="Europe/Bonn"), "time_zone", "Europe/Bonn", "IANA"),
    "half a zone": (made(zone="Europe"), "time_zone", "Europe", "IANA"),
    "a day twice": (made({**OFFICE, "days": ["mon", "tue", "mon"]}), "open[0].days", "mon", "once"),
    "an empty window": (made(OFFICE, daily("09:00", "09:00")), "open[1].to", "09:00", "00:00 to 24:00"),
    "a freeze that ends first": (
        made(freezes=[frozen("2027-01-02T00:00", "2026-12-20T00:00")]),
        "freezes[0].to",
        "2026-12-20",
        "later moment",
    ),
    "an empty freeze": (
        made(freezes=[frozen("12-20T00:00", "12-20T00:00")]),
        "freezes[0].to",
        "12-20",
        "later",
    ),
    "a freeze of half a year": (
        made(freezes=[frozen("2026-12-20T00:00", "01-02T00:00")]),
        "freezes[0].to",
        "01-02",
        "both",
    ),
    "a day that there is not": (
        made(freezes=[frozen("2026-02-28T00:00", "2026-02-29T00:00")]),
        "freezes[0].to",
        "2026-02-29",
        "a day that there is",
    ),
    "a day that no year has": (
        made(freezes=[SALES, frozen("02-30T00:00", "03-01T00:00")]),
        "freezes[1].from",
        "02-30",
        "a day that there is",
    ),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_windows_that_mean_nothing_are_refused_by_their_field(case: str) -> None:
    given, field, value, fix = UNSOUND[case]
    with pytest.raises(Refusal) as refused:
        windows.ensure_sound(given)
    assert refused.value.field == f"profile.windows.{field}"
    assert value in refused.value.value
    assert fix in refused.value.fix


@pytest.mark.parametrize("case", WHEN)
def test_windows_that_mean_something_are_let_in(case: str) -> None:
    windows.ensure_sound(WHEN[case][0])


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "time_zone"),
        ({"time_zone": "../Berlin"}, "time_zone"),
        ({"time_zone": BERLIN, "open": [{**OFFICE, "days": ["monday"]}]}, "open[0].days[0]"),
        ({"time_zone": BERLIN, "open": [{**OFFICE, "days": []}]}, "open[0].days"),
        ({"time_zone": BERLIN, "open": [{**OFFICE, "from": "24:00"}]}, "open[0].from"),
        ({"time_zone": BERLIN, "open": [{**OFFICE, "to": "9:00"}]}, "open[0].to"),
        ({"time_zone": BERLIN, "freezes": [{**SALES, "to": "01-02"}]}, "freezes[0].to"),
        ({"time_zone": BERLIN, "freezes": [{**SALES, "from": "2026-13-01T00:00"}]}, "freezes[0].from"),
        (
            {"time_zone": BERLIN, "freezes": [{"from": "12-20T00:00", "to": "12-27T00:00"}]},
            "freezes[0].reason",
        ),
        ({"time_zone": BERLIN, "outside": "hold"}, "outside"),
    ],
)
def test_windows_are_written_as_the_reference_says(document: Any, field: str) -> None:
    registered = {"route": ROUTE, "windows": document}
    with pytest.raises(Refusal) as refused:
        request.merge(request.parse(LEAST), registered)
    assert refused.value.field == f"profile.windows.{field}"
    assert "time_zone, open" in refused.value.fix


SAMPLE = json.loads((ROOT / "events" / "acquire_lock.json").read_text())["plan"]
ROUTE = SAMPLE["route"]


def begins(given: Windows, waited: timedelta = timedelta(0), profile: Any = None, **asked: Any) -> Beginning:
    """When a release that was started on Monday and has waited so long begins, and what is said to that."""
    merged = Profile(route=ROUTE, windows=given, **(profile or {}))
    return windows.begins(request.parse({**LEAST, **asked}), merged, MONDAY, MONDAY + waited)


def test_a_release_in_its_window_begins_at_once() -> None:
    at_once = Beginning(asked_at=MONDAY, at=MONDAY)
    assert begins(made(OFFICE)) == at_once
    assert begins(made(OFFICE), override_window={"reason": "mends what fails"}) == at_once


def test_a_release_outside_its_window_waits_until_it_opens() -> None:
    begun = begins(made(OFFICE), timedelta(hours=8))
    assert (begun.asked_at, begun.at) == (MONDAY, datetime(2026, 1, 6, 8, 0, tzinfo=UTC))
    assert begun.words.startswith(
        "waits until 2026-01-06T08:00:00Z: outside its windows, mon tue wed thu 09:00-16:00"
    )


def test_a_release_that_is_overridden_begins_at_once_and_says_why() -> None:
    given = made(OFFICE, outside="refuse")
    late = timedelta(hours=8)
    begun = begins(given, late, override_window={"reason": "mends what fails"})
    assert begun.at == MONDAY + late
    assert begun.words.startswith("begins all the same: outside its windows")
    assert begun.words.endswith("; overridden because: mends what fails")


def test_a_release_that_is_not_to_wait_is_refused_with_the_moment_at_which_it_may() -> None:
    with pytest.raises(Refusal) as refused:
        begins(made(OFFICE, outside="refuse"), timedelta(hours=8))
    assert refused.value.field == "window"
    assert refused.value.fix == "Start it after 2026-01-06T08:00:00Z, or give override_window with a reason."


def longest(**profile: Any) -> timedelta:
    """How long a release may take, with its way back."""
    least = Profile(route=ROUTE, **profile)
    return plan.times(least, MONDAY) - MONDAY + timedelta(minutes=least.deadlines.rollback_minutes)


def test_a_release_waits_no_longer_than_leaves_its_execution_the_time_it_may_take() -> None:
    latest = MONDAY + windows.EXECUTION - longest()
    freeze = frozen("2026-01-05T00:00", f"{latest:%Y-%m-%dT%H:%M}")
    words = f"waits until {latest:%Y-%m-%dT%H:%M:%SZ}: frozen until {latest:%Y-%m-%dT%H:%M} UTC: because"
    assert begins(made(zone="UTC", freezes=[freeze])) == Beginning(asked_at=MONDAY, at=latest, words=words)
    freeze["to"] = f"{latest + timedelta(minutes=1):%Y-%m-%dT%H:%M}"
    with pytest.raises(Refusal, match="An execution can't wait so long: start it after 2026-01-0"):
        begins(made(zone="UTC", freezes=[freeze]))


def test_what_it_has_waited_counts() -> None:
    """Windows may move while a release waits for them."""
    given = made(zone="UTC", freezes=[frozen("2026-01-05T00:00", "2026-01-09T09:00")])
    for waited in (timedelta(0), timedelta(days=3)):
        with pytest.raises(Refusal, match="so long"):
            begins(given, waited)


def test_a_weekend_can_be_waited_for() -> None:
    given = made({"from": "09:00", "to": "10:01", "days": ["mon"]}, {**OFFICE, "days": ["thu"]})
    assert begins(given, timedelta(minutes=2)).at - MONDAY > timedelta(hours=70)


def test_what_never_opens_is_refused() -> None:
    given = made(freezes=[frozen("2026-01-01T00:00", "2029-01-01T00:00")])
    with pytest.raises(Refusal, match="It opens at no time within a year: give override_window"):
        begins(given)


def test_an_execution_lives_as_long_as_the_waits_are_reckoned_with() -> None:
    assert timedelta(seconds=machines()["ReleaseStateMachine"]["TimeoutSeconds"]) == windows.EXECUTION


def test_a_plan_for_later_waits_whole_seconds_and_never_less_than_it_must() -> None:
    planned = replace(msgspec.convert(SAMPLE, Plan), started_at=MONDAY, window="waits until then")
    assert windows.waiting(planned, MONDAY) is None
    found = windows.waiting(planned, MONDAY - timedelta(seconds=59.5))
    assert found == windows.Waiting(why="waits until then", until=MONDAY, again_in=60)


PAGE = (ROOT / "docs" / "windows.md").read_text()
PROFILE, REQUEST = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-19T16:45", "11-20T21:00"),  # a Thursday evening: Friday night
        ("2026-11-20T21:30", "open"),
        ("2026-11-21T00:30", "open"),
        ("2026-11-21T01:00", "11-23T08:00"),
        ("2026-11-27T21:30", "12-01T08:00"),  # Black Friday
        ("2030-12-23T09:00", "01-02T08:00"),  # Christmas, of any year; a Thursday morning
    ],
)
def test_the_pages_example_is_open_when_it_says(now: str, expected: str) -> None:
    profile = request.merge(request.parse(LEAST), PROFILE)
    windows.ensure_sound(profile.windows)
    assert opens(profile.windows, now) == expected


def test_the_pages_override_is_let_in_and_told_as_it_says() -> None:
    asked = request.parse(REQUEST)
    profile = request.merge(asked, PROFILE)
    evening = datetime(2026, 11, 19, 17, 45, tzinfo=UTC)
    begun = windows.begins(asked, profile, evening, evening)
    assert begun.at == evening
    start, end = re.findall(r"`(begins .*?), …(; .*?)`", PAGE)[0]
    assert begun.words.startswith(f"{start}, ")
    assert begun.words.endswith(end)
