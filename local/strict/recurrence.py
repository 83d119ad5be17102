"""When a scheduled action comes next: cron as Auto Scaling takes it, five fields, in the zone of the action.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scheduled-scaling.html
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
NAMES = {
    name: str(number)
    for names in (("SUN MON TUE WED THU FRI SAT", 0), ("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", 1))
    for number, name in enumerate(names[0].split(), start=names[1])
}


def following(recurrence: str, zone: str, after: datetime) -> datetime:
    """The first minute after a moment in which the expression holds; days of month and week are either-or."""
    fields = recurrence.upper().split()
    if len(fields) != len(BOUNDS):
        raise ValueError(recurrence)
    minutes, hours, days, months, weekdays = map(_numbers, fields, BOUNDS)
    weekdays |= {day % 7 for day in weekdays}
    either = "*" not in (fields[2], fields[4])
    for moment in _minutes(after.astimezone(ZoneInfo(zone))):
        on_day, on_weekday = moment.day in days, moment.isoweekday() % 7 in weekdays
        if (
            moment.minute in minutes
            and moment.hour in hours
            and moment.month in months
            and ((on_day or on_weekday) if either else (on_day and on_weekday))
        ):
            return moment.astimezone(UTC)
    raise ValueError(recurrence)


def _minutes(start: datetime) -> Iterator[datetime]:
    """A year of minutes; hours in which nothing can happen cost little enough."""
    first = start.replace(second=0, microsecond=0)
    for minute in range(1, 366 * 24 * 60):
        yield first + timedelta(minutes=minute)


def _numbers(field: str, bounds: tuple[int, int]) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        first, last = bounds if span == "*" else (_number(low), _number(high or low))
        if not bounds[0] <= first <= last <= bounds[1]:
            raise ValueError(field)
        found.update(range(first, last + 1, int(step or 1)))
    return found


def _number(text: str) -> int:
    return int(NAMES.get(text, text))
