"""What every form of the report says in the same words."""

from collections.abc import Iterator
from datetime import datetime

from viridian_cli import say
from viridian_cli.story import Side, Story

GOOD = ("Promoted", "Retired")
HAPPENED = ("UTC", "what", "why")
HANDS = ("UTC", "who", "what")
SIDES = ("version", "requests", "5xx", "mean latency")


def headline(story: Story) -> str:
    """The one line that says where it has come to."""
    return f"{story.what}."


def lead(story: Story) -> str:
    """Which release it is, and how long it took."""
    words = f"Release {story.release}, {' then '.join(story.steps)}. Began {say.moment(story.began)} UTC"
    if story.ended is None:
        return f"{words}, and isn't over."
    return f"{words}, ended {say.moment(story.ended)} UTC, {_long(story)} later."


def _long(story: Story) -> str:
    assert story.ended is not None
    minutes, seconds = divmod(round((story.ended - story.began).total_seconds()), 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def _clock(story: Story, at: datetime) -> str:
    """A moment within a release: the day that it began is in the lead, and not said again."""
    return f"{at:%H:%M:%S}" if at.date() == story.began.date() else say.moment(at)


def leads_on(story: Story) -> tuple[str, ...]:
    """What one may type now, and the page to read."""
    orders = (f"{order.type}  # {order.does}" for order in story.orders)
    return (*orders, *((story.runbook,) if story.runbook else ()))


def happened(story: Story) -> Iterator[tuple[str, str, str]]:
    """When, what and why."""
    for each in story.happened:
        yield _clock(story, each.at), each.what, each.why


def hands(story: Story) -> Iterator[tuple[str, str, str]]:
    """When who did what, and the reason that they gave."""
    for hand in story.hands:
        said = f"{hand.did}: {hand.why}" if hand.why else hand.did
        yield _clock(story, hand.at), hand.who or "CloudTrail doesn't show who", said


def sides(story: Story) -> Iterator[tuple[str, str, str, str]]:
    """Each version's requests, errors and latency."""
    for side in story.sides:
        yield side.version, f"{side.requests:,}", _errors(side), _latency(side)


def _errors(side: Side) -> str:
    share = f" ({100 * side.errors / side.requests:.1f}%)" if side.errors and side.requests else ""
    return f"{side.errors:,}{share}"


def _latency(side: Side) -> str:
    return "–" if side.seconds is None else f"{1000 * side.seconds:.0f} ms"
