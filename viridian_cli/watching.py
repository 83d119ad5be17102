"""Staying with a release and its picture until it is over: on a live screen, or a line for each change."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import msgspec
from rich.live import Live

from viridian_cli import exits, failures, picture, replay, say
from viridian_cli.aws.look import Looker
from viridian_cli.exits import Exit
from viridian_cli.picture import Picture
from viridian_cli.screen import Screen
from viridian_cli.seen import Planning, Seen

LOOK_SECONDS = 3
LINE_SECONDS = 10  # lines go to a log, where a change a few seconds later is as good


class Views:
    """What a watcher sees, one look after the other, until the release is over.

    A look that AWS or the network is in the way of, once there was a picture, leaves that one, with the reason and its age.
    """

    def __init__(self, looker: Looker, seconds: int) -> None:
        self._looker = looker
        self._seconds = seconds
        self._seen: Seen | None = None
        self.lines: list[str] = []

    def __iter__(self) -> Iterator[Picture]:
        shown: Picture | None = None
        at = time.time()
        while shown is None or shown.lost or not shown.over:
            try:
                seen = self._looker.look()
                drawn, at = picture.drawn(seen), time.time()
                self.lines = self._changes(seen, drawn, shown)
                shown = drawn
            except Exception as error:
                stop = failures.told(error)
                if shown is None or not failures.passes(error):
                    raise
                age = round(time.time() - at)
                self.lines = [] if shown.lost else [f"{stop} What is known is from {say.moment(shown.at)}."]
                shown = msgspec.structs.replace(shown, lost=str(stop), age=age)
            yield shown
            if shown.lost or not shown.over:
                time.sleep(self._seconds)

    def _changes(self, seen: Seen | Planning, drawn: Picture, shown: Picture | None) -> list[str]:
        """What has changed since the last look, a line each."""
        moment = say.moment(drawn.at)
        back = [f"{moment}  AWS answers again."] if shown is not None and shown.lost else []
        if isinstance(seen, Planning):
            return back if shown else [f"{moment}  {drawn.what}: {drawn.why}"]
        before, self._seen = self._seen, seen
        if before is None:
            return [*back, f"{moment}  {drawn.what}: {drawn.why}"]
        told = replay.between(before.record, seen.record, seen.now)
        return [
            *back,
            *(f"{moment}  {telling.what}: {telling.why}" for telling in told),
            *(f"{moment}  {line}" for line in picture.turned(shown, drawn)),
        ]


def watch(looker: Looker, json: bool) -> Exit:
    """Shows a release until it is over; ends as it has ended."""
    terminal = say.screen()
    shows = terminal.is_terminal and not json
    views, last = Views(looker, LOOK_SECONDS if shows else LINE_SECONDS), None
    with ExitStack() as stack:
        live = None
        if shows:
            live = stack.enter_context(
                Live(console=terminal, screen=True, redirect_stdout=False, redirect_stderr=False)
            )
        for view in views:
            if live:
                live.update(Screen(view, fits=True), refresh=True)
            elif json and picture.differs(last, view):
                say.row(view)
            elif not json:
                for line in views.lines:
                    say.line(line)
            last = view
    assert last is not None
    if live:
        terminal.print(Screen(last))
    elif not json:
        say.line(
            f"{last.status}. {last.why}",
            style="green" if exits.code(last.status) == Exit.PROMOTED else "red",
        )
    return exits.code(last.status)


def once(looker: Looker, json: bool) -> Exit:
    """Shows a release as it stands."""
    drawn = picture.drawn(looker.look())
    if json:
        say.document(drawn)
    else:
        say.screen().print(Screen(drawn))
    return Exit.PROMOTED
