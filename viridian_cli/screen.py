"""The picture as a terminal shows it: at any width, with and without colour."""

from textwrap import shorten

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, OverflowMethod, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from viridian_cli.health import Alarm, Fleet
from viridian_cli.picture import Picture
from viridian_cli.plot import Stage
from viridian_cli.waits import Wait, clock

_WIDE = 76  # columns; what is narrower has its titles above, not beside
_TITLE = 10
_EVENTS = 8
_MARKS = {"done": "✓", "now": "●", "ahead": "○", "failed": "✗"}
_PLAIN_MARKS = {"done": "+", "now": "*", "ahead": ".", "failed": "x"}
_STYLES = {"done": "green", "now": "bold", "ahead": "dim", "failed": "bold red"}
_STATUS = {
    "Promoted": "bold green",
    "Retired": "bold green",
    "RollingBack": "bold yellow",
    "RolledBack": "bold red",
    "Held": "bold red",
    "RollbackIncomplete": "bold red",
}
_ALARMS = {"OK": "green", "ALARM": "bold red", "GONE": "bold red"}
_HEIGHTS = "▁▂▃▄▅▆▇█"


class Screen:
    """A picture, drawn anew for each width; one that `fits` is no higher than the terminal, and loses what matters least."""

    def __init__(self, picture: Picture, *, fits: bool = False) -> None:
        self._picture, self._fits = picture, fits

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        draw = _Drawing(options.max_width, plain=options.ascii_only)
        parts, room = draw.parts(self._picture), _EVENTS
        if self._fits:
            for urgent in (False, True):
                if _height(console, options, parts) >= options.max_height:
                    parts = draw.parts(self._picture, tight=True, urgent=urgent)
            room = min(room, options.max_height - _height(console, options, parts) - 1)
        yield Group(*parts, *(draw.titled("Lately", draw.events(self._picture, room)) if room > 0 else ()))


class _Drawing:
    """How the parts look at one width; `plain` for terminals that know ASCII alone."""

    def __init__(self, width: int, *, plain: bool) -> None:
        self.wide = width >= _WIDE
        self.room = width - (_TITLE + 1 if self.wide else 2)
        self.marks = _PLAIN_MARKS if plain else _MARKS
        self.full, self.empty = ("#", "-") if plain else ("━", "─")
        self.blue, self.green = ("#", "=") if plain else ("█", "▒")
        self.heights = " .:-=+*#" if plain else _HEIGHTS
        self.cut: OverflowMethod = "crop" if plain else "ellipsis"
        self.dot, self.gone = ("o", ".") if plain else ("●", "○")

    def titled(self, title: str, body: RenderableType | None, *, tight: bool = False) -> list[RenderableType]:
        """A part with its title beside it, or above it where that is too narrow; nothing if there is nothing."""
        if body is None:
            return []
        if not self.wide:
            inset = Table.grid(padding=0)
            inset.add_column(width=2)
            inset.add_column(ratio=1)
            inset.add_row("", body)
            return [Text(title, style="bold cyan"), inset]
        row = Table.grid(padding=(0, 1, 0, 0), expand=True)
        row.add_column(width=_TITLE, style="bold cyan")
        row.add_column(ratio=1)
        row.add_row(title, body)
        return [row] if tight else [row, Text()]

    def head(self, picture: Picture) -> RenderableType:
        """What is happening, why, and how old this is."""
        first = Table.grid(expand=True)
        first.add_column(ratio=1)
        first.add_column(justify="right", no_wrap=True)
        style = _STATUS.get(picture.status, "bold")
        first.add_row(Text(picture.what, style=style), Text(f"{picture.at:%H:%M:%S} UTC", style="dim"))
        lines: list[RenderableType] = [first, Text(picture.why), Text(f"Next: {picture.next}")]
        if picture.cause and picture.cause not in picture.why:
            lines.insert(1, Text(picture.cause, style="red"))
        if picture.lost:
            lost = f"{picture.lost} What is shown is {clock(picture.age)} old; it is tried again."
            lines.append(Text(f"CONNECTION LOST. {lost}", style="bold red"))
        if picture.hands_off:
            lines.append(Text(f"HANDS OFF: {picture.hands_off}. Viridian writes nothing.", style="bold red"))
        return Group(*lines)

    def parts(self, picture: Picture, *, tight: bool = False, urgent: bool = False) -> list[RenderableType]:
        """All but the events; what may be typed comes before the figures where room is `tight`, else before the plot."""
        orders = ("You may", self._orders(picture))
        figures = (("Fleets", self._fleets(picture)), ("Alarms", self._alarms(picture)))
        titled = (
            *((orders,) if urgent else ()),
            ("Plot", self._plot(picture, tight=tight)),
            ("Traffic", self._weights(picture)),
            ("Time", self._times(picture)),
            *(figures if urgent else (orders, *figures) if tight else (*figures, orders)),
        )
        gap = () if tight else (Text(),)
        return [
            self.head(picture),
            *gap,
            *(p for title, body in titled for p in self.titled(title, body, tight=tight)),
        ]

    def _plot(self, picture: Picture, *, tight: bool) -> RenderableType:
        lines = [_flow([self._stage(stage) for stage in picture.plot], self.room)]
        if picture.state:
            since = (picture.at - picture.state.since).total_seconds()
            words = f"{picture.state.name} for {clock(since)}"
            if says := picture.state.says:
                words = shorten(f"{words}: {says}", 2 * self.room - 20, placeholder=" ...")
            lines.append(Text(words, style="dim", no_wrap=tight, overflow=self.cut))
        return Group(*lines, *self._unknown(picture, "state"))

    def _stage(self, stage: Stage) -> Text:
        return Text(f"{self.marks[stage.mark]} {stage.name}", style=_STYLES[stage.mark])

    def _weights(self, picture: Picture) -> RenderableType | None:
        if picture.percent is None:
            return Group(*self._unknown(picture, "route")) if "route" in picture.unknown else None
        green, others = picture.percent, picture.others
        left, right = f"blue {100 - green - others}% ", f" {green}% green"
        foreign_words = f"  {others}% to others" if others else ""
        room = min(60, self.room - len(left + right + foreign_words))
        greens, foreign = round(room * green / 100), round(room * others / 100)
        bar = Text(left, style="blue")
        bar.append(self.blue * (room - greens - foreign))
        bar.append("?" * foreign, style="red")
        bar.append(self.green * greens + right, style="green")
        bar.append(foreign_words, style="bold red")
        return bar

    def _times(self, picture: Picture) -> RenderableType | None:
        ends = _ends(picture)
        if not picture.waits:
            return ends
        words = [f"{wait.words}, then {wait.then}" if wait.then else wait.words for wait in picture.waits]
        beside = max(map(len, words)) + max(len(wait.what) for wait in picture.waits) + 2
        room = max(10, min(30, self.room - beside))
        rows = Table.grid(padding=(0, 1, 0, 0))
        for wait, told in zip(picture.waits, words, strict=True):
            rows.add_row(wait.what, self._bar(wait, room), told)
        return Group(rows, ends) if ends else rows

    def _bar(self, wait: Wait, room: int) -> Text:
        full = round(room * wait.done)
        bar = Text(no_wrap=True).append(self.full * full, style="yellow" if wait.at_most else "cyan")
        return bar.append(self.empty * (room - full), style="dim")

    def _fleets(self, picture: Picture) -> RenderableType | None:
        lacks = [*self._unknown(picture, "fleets"), *self._unknown(picture, "measures")]
        if not picture.fleets:
            return Group(*lacks) if lacks else None
        rows = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        rows.add_column("")
        rows.add_column("healthy", no_wrap=True)
        zones = self.room >= 88
        if zones:
            rows.add_column("by zone", no_wrap=True)
        for name in ("req/min", "5xx", "latency"):
            rows.add_column(name, justify="right", no_wrap=True)
        if self.room >= 64:
            rows.add_column("", no_wrap=True)
        for fleet in picture.fleets:
            style = fleet.side
            cells = [Text(fleet.side, style=style), self._healthy(fleet)]
            cells += [Text(_zones(fleet))] if zones else []
            cells += [Text(cell) for cell in _measures(fleet)]
            cells += [Text(self._trend(fleet), style=style)] if self.room >= 64 else []
            rows.add_row(*cells)
        named = [fleet for fleet in picture.fleets if fleet.zones and not zones]
        notes = [Text(f"{fleet.side}: {_zones(fleet)}", style="dim") for fleet in named]
        ails = [Text(f"{fleet.side}: {fleet.ails}", style="yellow") for fleet in picture.fleets if fleet.ails]
        return Group(rows, *notes, *ails, *lacks)

    def _healthy(self, fleet: Fleet) -> Text:
        if fleet.healthy is None or fleet.wanted is None:
            return Text("?")
        whole = fleet.healthy >= fleet.wanted
        told = Text(f"{fleet.healthy}/{fleet.wanted}", style="" if whole else "yellow")
        if fleet.wanted <= 10:
            told.append(f" {self.dot * fleet.healthy}", style="green")
            told.append(self.gone * max(0, fleet.wanted - fleet.healthy), style="yellow")
        return told

    def _trend(self, fleet: Fleet) -> str:
        most = max(fleet.trend, default=0)
        return "".join(self.heights[round(7 * each / most)] for each in fleet.trend) if most else ""

    def _alarms(self, picture: Picture) -> RenderableType | None:
        if "alarms" in picture.unknown:
            return Group(*self._unknown(picture, "alarms"))
        if not picture.alarms:
            return None
        lines: list[RenderableType] = []
        for title, own in (("guards", False), ("green's", True)):
            found = [alarm for alarm in picture.alarms if alarm.own == own]
            if found:
                told = [_alarm(alarm) for alarm in found]
                lines.append(_flow([Text(f"{title:8}", style="dim"), *told], self.room))
        red = [alarm for alarm in picture.alarms if alarm.state == "ALARM" and alarm.reason]
        lines += [Text(f"{alarm.name}: {alarm.reason}", style="red") for alarm in red]
        return Group(*lines)

    def _orders(self, picture: Picture) -> RenderableType | None:
        if not picture.orders:
            return None
        longest = max(cell_len(order.type) for order in picture.orders)
        beside = longest + 2 + max(cell_len(order.does) for order in picture.orders) <= self.room
        rows = Table.grid(padding=(0, 2, 0, 0))
        rows.add_column(style="bold", no_wrap=beside, overflow="fold")
        for order in picture.orders:
            if beside:
                rows.add_row(order.type, Text(order.does, style="dim"))
            else:
                rows.add_row(order.type)
                rows.add_row(Text(f"  {order.does}", style="not bold dim"))
        return rows

    def events(self, picture: Picture, room: int) -> RenderableType | None:
        """What has happened, the newest first."""
        if "events" in picture.unknown:
            return Group(*self._unknown(picture, "events"))
        if not picture.events:
            return None
        rows = Table.grid(padding=(0, 2, 0, 0), expand=True)
        rows.add_column(style="dim", width=len("00:00:00"))
        rows.add_column(ratio=1, no_wrap=True, overflow=self.cut)
        for event in picture.events[: -room - 1 : -1]:
            told = f"{event.what}: {event.why}" if event.why else event.what
            rows.add_row(f"{event.at:%H:%M:%S}", Text(told, style="dim" if event.detail else ""))
        return rows

    def _unknown(self, picture: Picture, part: str) -> list[Text]:
        why = picture.unknown.get(part)
        return [Text(f"{part} not known: {why}", style="yellow")] if why else []


def _height(console: Console, options: ConsoleOptions, parts: list[RenderableType]) -> int:
    return len(console.render_lines(Group(*parts), options.update(height=None)))


def _flow(pieces: list[Text], width: int) -> Text:
    """One after the other, each whole, in as many lines as that takes."""
    flowing, used = Text(), 0
    for n, piece in enumerate(pieces):
        if n and used + 2 + piece.cell_len > width:
            flowing.append("\n")
            used = 0
        elif n:
            flowing.append("  ")
            used += 2
        flowing.append_text(piece)
        used += piece.cell_len
    return flowing


def _ends(picture: Picture) -> Text | None:
    told = []
    if picture.soonest:
        rest = clock((picture.soonest - picture.at).total_seconds())
        told.append(f"promoted in {rest} at the soonest, at {picture.soonest:%H:%M}")
    if picture.latest:
        told.append(f"over by {picture.latest:%H:%M} at the latest")
    return Text("; ".join(told), style="dim") if told else None


def _zones(fleet: Fleet) -> str:
    return "  ".join(f"{zone.zone} {zone.healthy}/{zone.standing}" for zone in fleet.zones)


def _measures(fleet: Fleet) -> tuple[str, str, str]:
    errors, latency = fleet.error_percent, fleet.latency_seconds
    return (
        "-" if fleet.requests is None else f"{fleet.requests:,.0f}",
        "-" if errors is None else f"{errors:.2f}%",
        "-" if latency is None else f"{1000 * latency:.0f} ms" if latency < 10 else f"{latency:.0f} s",
    )


def _alarm(alarm: Alarm) -> Text:
    since = f" since {alarm.since:%H:%M}" if alarm.since else ""
    told = Text(f"{alarm.name} ")
    told.append(alarm.state, style=_ALARMS.get(alarm.state, "yellow"))
    told.append(f"{since}{' (waived)' if alarm.waived else ''}", style="dim")
    return told
