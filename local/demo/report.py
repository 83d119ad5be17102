"""The picture of a demo: one self-contained page with the figures, and each scene as the command reports a release."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from local.demo import promises, view
from local.demo.figures import ByName, Figures
from viridian_cli.course import Course
from viridian_cli.report import page
from viridian_cli.report.charts import RELEASED
from viridian_cli.report.page import paragraph, text
from viridian_cli.story import Story


@dataclass(frozen=True)
class Chapter:
    """One scene of the page: what it is about, its figures and course as clients and cloud saw them, the promises it broke,
    and the release's own story, if Viridian released.
    """

    title: str
    about: str
    figures: Figures
    course: Course
    broken: Sequence[str]
    story: Story | None = None


def render(title: str, speed: float, chapters: Sequence[Chapter]) -> str:
    """The page."""
    parts = [
        f"<header><h1>{text(title)}</h1>{paragraph(_lead(speed, chapters))}</header>",
        _tiles(chapters),
        *(_chapter(chapter) for chapter in chapters),
        _table(chapters),
        _notes(speed),
    ]
    return page.document(title, parts)


def _lead(speed: float, chapters: Sequence[Chapter]) -> str:
    seconds = sum(chapter.course.until - chapter.course.since for chapter in chapters)
    times = f"played {speed:g} times faster than life" if speed != 1 else "played in real time"
    return f"{_minutes(seconds)} of releases under live HTTP traffic, {times}. Times below are the cloud's."


def _tiles(chapters: Sequence[Chapter]) -> str:
    lost = sum(chapter.figures.lost for chapter in chapters)
    kept = not any(chapter.broken for chapter in chapters)
    tiles = [
        (f"{sum(chapter.figures.requests for chapter in chapters):,}", "requests sent", ""),
        (f"{lost:,}", "requests lost", "good" if not lost else "bad"),
        (str(sum(len(chapter.figures.orphans) for chapter in chapters)), "things left behind", ""),
    ]
    if chapters[0].figures.outcome != RELEASED:
        tiles.append(("all" if kept else "not all", "promises kept", "good" if kept else "bad"))
    cells = (
        f'<div class="tile {mood}"><b>{number}</b><span>{words}</span></div>' for number, words, mood in tiles
    )
    return f'<section class="tiles">{"".join(cells)}</section>'


def _chapter(chapter: Chapter) -> str:
    """What clients and cloud saw of it, then what the release has to say of itself."""
    figures = chapter.figures
    broken = "".join(paragraph(words, "broken") for words in chapter.broken)
    said = [f"{chapter.about} {_told(figures)}"]
    mood, below = "bad" if chapter.broken else "good", [_sides(figures.by_name), broken]
    if chapter.story is not None:
        told = "".join(page.told(chapter.story))
        below.append(f"<details><summary>What the release says of itself</summary>{told}</details>")
    return page.chapter(chapter.title, figures.outcome, mood, said, chapter.course, below)


def _sides(seen: ByName | None) -> str:
    if seen is None:
        return ""
    behind = ", ".join(f"{version} behind {name}" for version, name in seen.balancers.items())
    first, *others = view.certificates(seen)
    lines = [f"{behind}. Certificates: {first}", *others]
    return f'<p class="sides">{"<br>".join(map(text, lines))}</p>'


def _told(figures: Figures) -> str:
    words = (
        f"{figures.requests:,} requests, {figures.lost:,} lost, {figures.errors:,} answered with an error."
    )
    for turned, back in (("alarm", figures.seconds_alarm_to_blue), ("abort", figures.seconds_abort_to_blue)):
        if back:
            words += f" From the {turned} to the last request that {figures.version} answered: {back['cloud']:.0f} s."
    if (back := figures.seconds_rollback_command_to_blue) is not None:
        words += f" From the order to the write that gave {figures.blue} everything: {back['cloud']:.0f} s."
    elif figures.restored_by:
        words += f" Taken back by the {figures.restored_by}."
    if figures.by_name is not None:
        words += f" The last change of weights was {view.follow_words(figures)}."
    return words


def _table(chapters: Sequence[Chapter]) -> str:
    figures = [chapter.figures for chapter in chapters]
    rows = ((name, *cells) for name, cells in _rows(figures))
    columns = ("", *(each.version for each in figures))
    return f"<section><h2>Figures</h2>{page.table(columns, rows, 'figures')}</section>"


def _rows(scenes: Sequence[Figures]) -> Iterator[tuple[str, list[str]]]:
    yield "outcome", [each.outcome for each in scenes]
    yield "time, cloud", [_minutes(each.seconds["cloud"]) for each in scenes]
    yield "time, wall", [f"{each.seconds['wall']:.0f} s" for each in scenes]
    yield "requests", [f"{each.requests:,}" for each in scenes]
    yield "lost", [f"{each.lost:,}" for each in scenes]
    yield "errors", [f"{each.errors:,}" for each in scenes]
    yield "served by green while bad", [f"{each.served_by_green_while_bad:,}" for each in scenes]
    yield "alarm to blue, cloud", [_seconds(each.seconds_alarm_to_blue) for each in scenes]
    yield "abort to blue, cloud", [_seconds(each.seconds_abort_to_blue) for each in scenes]
    if any(each.fleets for each in scenes):
        yield from _upgrade_rows(scenes)
    if any(each.by_name for each in scenes):
        yield from _name_rows(scenes)
    yield "taken back by", [f"the {each.restored_by}" if each.restored_by else "–" for each in scenes]
    yield "percent at the end, blue / green", [_shares(each) for each in scenes]
    yield "fewest in service, blue / green", [_lowest(each) for each in scenes]
    if any(grown := [(each.load_at_the_end or 0) >= promises.GROWN for each in scenes]):
        told = zip(scenes, grown, strict=True)
        yield (
            "floors under a doubled load, blue / green",
            [_floors(each) if more else "–" for each, more in told],
        )
    yield (
        "long requests in flight at a change, at least",
        [_count(each.fewest_long_requests_at_a_change) for each in scenes],
    )
    yield "state transitions", [str(each.state_transitions) for each in scenes]
    yield "history events", [str(each.history_events) for each in scenes]
    yield "Lambda invocations", [str(each.lambda_invocations) for each in scenes]
    yield "API calls", [f"{each.api_calls:,}" for each in scenes]
    yield "left behind", [", ".join(each.orphans) or "nothing" for each in scenes]


def _upgrade_rows(scenes: Sequence[Figures]) -> Iterator[tuple[str, list[str]]]:
    yield "order to blue, cloud", [_seconds(each.seconds_rollback_command_to_blue) for each in scenes]
    yield "in service at the order", [_counts(each.in_service_at_the_order or {}) for each in scenes]
    yield "in service at the way back", [_counts(each.in_service_at_the_way_back or {}) for each in scenes]
    for name in dict.fromkeys(name for each in scenes for fleet in each.fleets.values() for name in fleet):
        sides = [[each.fleets.get(side, {}).get(name, "–") for side in ("blue", "green")] for each in scenes]
        yield name.replace("_", " "), [" → ".join(each) for each in sides]


def _name_rows(scenes: Sequence[Figures]) -> Iterator[tuple[str, list[str]]]:
    yield "answered", [_counts(each.answered) for each in scenes]
    seen = [each.by_name for each in scenes]
    yield (
        "last change at all DNS servers, cloud",
        [_seconds(each.seconds_in_sync if each else None) for each in seen],
    )
    yield (
        "last change at all clients, cloud",
        [_seconds(each.seconds_followed if each else None) for each in seen],
    )
    yield (
        "load balancers, blue / green",
        [" / ".join(each.balancers.values()) if each else "–" for each in seen],
    )
    yield "load balancers at the end", [", ".join(each.standing) if each else "–" for each in seen]
    yield "certificates, blue / green", [_certificates(each) if each else "–" for each in seen]


def _certificates(seen: ByName) -> str:
    offered = [*seen.certificates.values()]
    counts = " / ".join(str(len(arns)) for arns in offered)
    return counts + (", the same" if all(arns == offered[0] for arns in offered) else ", not the same")


def _notes(speed: float) -> str:
    return (
        "<footer><p>Requests, errors and losses are what the clients saw: a loss is a refused or reset connection, a "
        "time-out, or a 502, 503 or 504 of the load balancer. Weights, calls and fleets are from the cloud's own log. "
        f"One wall second is {speed:g} cloud seconds.</p></footer>"
    )


def _lowest(figures: Figures) -> str:
    return f"{_count(figures.lowest_blue)} / {_count(figures.lowest_green)} of {figures.need}"


def _shares(figures: Figures) -> str:
    return f"{figures.final_weights.get(figures.blue, 0)} / {figures.final_weights.get(figures.version, 0)}"


def _floors(figures: Figures) -> str:
    floors = figures.floors_at_the_last_change or {}
    return f"{floors.get(figures.blue, 0)} / {floors.get(figures.version, 0)}"


def _count(value: int | None) -> str:
    return "–" if value is None else str(value)


def _seconds(times: Mapping[str, float] | None) -> str:
    return f"{times['cloud']:.0f} s" if times else "–"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
