"""The report as one page that needs nothing from elsewhere: what others wrote is text in it, and never runs."""

import html
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from viridian_cli.course import Course
from viridian_cli.report import charts, words
from viridian_cli.story import Story

STYLE = Path(__file__).with_name("page.css")


def render(story: Story) -> str:
    """The page of one release."""
    heading = words.headline(story).removesuffix(".")
    plot = chapter(heading, story.status, mood(story), [words.lead(story)], story.course)
    return document(heading, [plot, *told(story)])


def mood(story: Story) -> str:
    """How its end is coloured; one that isn't over has no colour."""
    return "good" if story.status in words.GOOD else "bad" if story.ended else ""


def document(title: str, parts: Iterable[str]) -> str:
    """A page of parts that are HTML already."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{text(title)}</title>",
            f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body><main>",
            *parts,
            "</main></body></html>",
        ]
    )


def chapter(
    heading: str, end: str, mood: str, said: Iterable[str], course: Course, below: Iterable[str] = ()
) -> str:
    """One release of a page: how it ended, and its course as a plot; `below` is HTML already."""
    return (
        f'<section class="card"><h2>{text(heading)} <span class="end {mood}">{text(end)}</span></h2>'
        f"{''.join(map(paragraph, said))}{_legend(course)}{charts.draw(course)}{''.join(below)}</section>"
    )


def told(story: Story) -> Iterator[str]:
    """All that the plot doesn't show: why, what to do, what happened, who, the evidence, the cost."""
    yield _section("Why", paragraph(story.why))
    yield _section("What to do", *map(paragraph, (*story.next.splitlines(), *words.leads_on(story))))
    yield _section("What happened", table(words.HAPPENED, words.happened(story)))
    yield _section("Who", table(words.HANDS, words.hands(story)))
    if story.sides:
        yield _section(
            "Requests meanwhile, as CloudWatch has them", table(words.SIDES, words.sides(story), "numbers")
        )
    if story.evidence:
        pieces = (f"<h4>{text(piece.of)}</h4><pre>{text(piece.text)}</pre>" for piece in story.evidence)
        yield _section("Evidence", *pieces)
    yield _section("Cost", *map(paragraph, story.cost))
    if story.lacks:
        yield _section("Not to be had", *map(paragraph, story.lacks))
    if story.link:
        yield f'<p><a href="{text(story.link)}">The execution in the console</a></p>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "words") -> str:
    """A table whose rows have their name in the first cell."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th>{"".join(f"<td>{text(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def paragraph(words: str, kind: str = "") -> str:
    """Plain text as a paragraph."""
    return f'<p class="{kind}">{text(words)}</p>' if kind else f"<p>{text(words)}</p>"


def text(words: str) -> str:
    """Whatever it is, it is shown as it is."""
    return html.escape(words)


def _section(title: str, *inside: str) -> str:
    return f'<section class="part"><h3>{text(title)}</h3>{"".join(inside)}</section>'


def _legend(course: Course) -> str:
    keys = [("blue", course.blue), ("green", course.green), ("error", "5xx")]
    keys += [("lost", "lost")] if any(each.lost for each in course.slices) else []
    spans = (f'<span><i class="{name}"></i>{text(words)}</span>' for name, words in keys)
    return f'<p class="legend">{"".join(spans)}</p>'
