"""The report as Markdown, for a pull request: short, and what others wrote is quoted as code, so that it stays text."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from viridian_cli.report import words
from viridian_cli.story import Piece, Story

LONGEST = 60_000  # characters; a comment on GitHub may have 65,536
_PIECE = 6_000  # of one piece of evidence
_MARKUP = re.compile(r"[<>&`*_@#\[\]\\~$]|://|www\.|:[a-z]\w*:")


def render(story: Story) -> str:
    """The whole report; evidence that is too much for one comment is named, and left out."""
    mark = "✅" if story.status in words.GOOD else "⏳" if story.ended is None else "❌"
    parts = [
        f"## {mark} {_inline(words.headline(story))}",
        _inline(words.lead(story)),
        f"**Why**\n\n{_block(story.why)}",
        f"**What to do**\n\n{_block(*story.next.splitlines(), *words.leads_on(story))}",
        f"**What happened**\n\n{_table(words.HAPPENED, words.happened(story))}",
        f"**Who**\n\n{_table(words.HANDS, words.hands(story))}",
    ]
    if story.sides:
        parts.append(
            f"**Requests meanwhile, as CloudWatch has them**\n\n{_table(words.SIDES, words.sides(story))}"
        )
    parts += ["**Cost**\n\n" + _list(story.cost)] if story.cost else []
    parts += ["**Not to be had**\n\n" + _list(story.lacks)] if story.lacks else []
    parts += [f"[The execution in the console]({story.link})"] if story.link else []
    room = LONGEST - sum(len(part) + 2 for part in parts)
    return "\n\n".join([*parts, *_evidence(story.evidence, room)]) + "\n"


def _evidence(pieces: Sequence[Piece], room: int) -> Iterator[str]:
    for piece in pieces:
        text = piece.text if len(piece.text) <= _PIECE else f"{piece.text[:_PIECE]}..."
        of = html.escape(" ".join(piece.of.split()))  # Markdown begins after the next empty line
        part = f"<details><summary><code>{of}</code></summary>\n\n{_block(text)}\n\n</details>"
        if len(part) + 2 > room:
            part = f"{_inline(piece.of)}: too long for here; `viridian explain` has it."
        room -= len(part) + 2
        yield part


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([_inline(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_inline(line)}" for line in lines)


def _inline(text: str) -> str:
    """One line; what could be markup, or call somebody, is code. A cell of a table ends at a pipe even there."""
    line = " ".join(text.split()).replace("|", "¦")
    if not _MARKUP.search(line):
        return line
    fence = _fence(line, 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def _block(*lines: str) -> str:
    text = "\n".join(lines)
    fence = _fence(text, 3)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def _fence(text: str, least: int) -> str:
    """More backticks than the text has in a row anywhere."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))
