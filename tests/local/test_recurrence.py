"""When a recurring action comes next, as cron has it."""

from datetime import UTC, datetime

import pytest

from local.strict.recurrence import following

MONDAY = datetime(2026, 1, 5, 9, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("recurrence", "zone", "wanted"),
    [
        ("0 22 * * *", "UTC", "2026-01-05T22:00"),
        ("0 9 * * *", "UTC", "2026-01-06T09:00"),
        ("*/30 * * * *", "UTC", "2026-01-05T09:30"),
        ("0 8 * * MON-FRI", "Europe/Zurich", "2026-01-06T07:00"),
        ("0 8 * * 0", "UTC", "2026-01-11T08:00"),
        ("0 8 * * 7", "UTC", "2026-01-11T08:00"),
        ("30 0 1 1,6,12 *", "UTC", "2026-06-01T00:30"),
        ("0 0 13 * FRI", "UTC", "2026-01-09T00:00"),
        ("15,45 10-12/2 * * *", "UTC", "2026-01-05T10:15"),
    ],
)
def test_the_next_time_is_the_first_that_fits(recurrence: str, zone: str, wanted: str) -> None:
    assert following(recurrence, zone, MONDAY) == datetime.fromisoformat(wanted).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("recurrence", "told"),
    [("daily", "daily"), ("60 * * * *", "60"), ("0 0 31 2 *", "31 2"), ("0 0 * * noon", "NOON")],
)
def test_what_never_comes_is_refused(recurrence: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        following(recurrence, "UTC", MONDAY)
