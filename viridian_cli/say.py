"""What the command prints: text for people, or one JSON document for programs."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

_ENDLESS = 10_000  # columns
console = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def document(value: Any) -> None:
    """The one JSON document of a `--json`."""
    raw(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def raw(text: str) -> None:
    """Text for a file or another program: nothing is wrapped or coloured."""
    sys.stdout.write(text)


def row(value: Any) -> None:
    """One JSON document on a line of its own, seen at once by whoever reads along."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def line(text: str = "", style: str | None = None) -> None:
    """A line of text, as it is."""
    console.print(text, style=style, markup=False)


def aside(text: str) -> None:
    """A line of text for who sits there, while the output goes to a program."""
    _errors.print(text, markup=False)


def complain(text: str) -> None:
    """Why it could not be done, on the error stream."""
    _errors.print(text, style="red", markup=False)


def screen() -> Console:
    """The terminal as it is now, for what fits itself to it."""
    return Console(highlight=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under their names; nothing is cut, and without a terminal a row is a line."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*row)
    (console if console.is_terminal else Console(highlight=False, width=_ENDLESS)).print(shown)


def cell(value: Any) -> str:
    """A value in a table; what there is none of, is empty."""
    return moment(value) if isinstance(value, datetime) else str(value or "")


def moment(value: datetime | None) -> str:
    """A moment as AWS's console shows it, to the second, in UTC."""
    return f"{value:%Y-%m-%d %H:%M:%S}" if value else ""


def asks() -> bool:
    """Whether somebody sits there who can be asked."""
    return sys.stdin.isatty()
