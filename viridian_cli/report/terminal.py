"""The report in a terminal: where it has come to and what to do first, then the rest."""

from collections.abc import Iterable, Sequence

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from viridian_cli import say
from viridian_cli.report import words
from viridian_cli.story import Story


def show(story: Story) -> None:
    """Prints the whole report."""
    say.line(words.headline(story), style="bold green" if story.status in words.GOOD else "bold red")
    say.line(words.lead(story), style="dim")
    _section("Why", story.why)
    _section("What to do", story.next, *words.leads_on(story))
    _table("What happened", words.happened(story))
    _table("Who", words.hands(story))
    if story.sides:
        _table("Requests meanwhile, as CloudWatch has them", words.sides(story), words.SIDES)
    if story.evidence:
        _section("Evidence")
    for piece in story.evidence:
        say.line(f"  {piece.of}", style="bold")
        for line in piece.text.splitlines():
            say.line(f"    {line}")
    _section("Cost", *story.cost)
    if story.lacks:
        _section("Not to be had", *story.lacks)
    if story.link:
        _section("In the console", story.link)


def _section(title: str, *lines: str) -> None:
    say.line()
    say.line(title, style="dim")
    for line in lines:
        say.line("\n".join(f"  {each}" for each in line.splitlines()))


def _table(title: str, rows: Iterable[Sequence[str]], columns: Sequence[str] = ()) -> None:
    _section(title)
    table = Table(*columns, box=None, pad_edge=False, show_header=bool(columns), header_style="dim")
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    say.console.print(Padding(table, (0, 0, 0, 2)))
