"""Shows a demo while it plays: a live picture in a terminal, plain lines anywhere else."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from local.demo.figures import ByName, Figures

BAR = 50
SHOWN_ACTS = 9
ASIDES = ("Is", "Did", "Wait", "Check", "Observe", "Judge", "TakeNext")
STEPS = ("ShiftTraffic",)  # each one counts
REPEATED_LINE_SECONDS = 60.0  # cloud time between two plain lines on traffic


@dataclass(frozen=True)
class Fleet:
    """One Auto Scaling group, by the version that it runs."""

    version: str
    in_service: int
    desired: int


@dataclass(frozen=True)
class Snapshot:
    """All that is shown at one moment; `rates` and `failing` are requests a wall second by version."""

    title: str
    blue: str
    green: str
    seconds: float
    states: Sequence[tuple[float, str]] = ()
    weights: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    failing: dict[str, float] = field(default_factory=dict)
    requests: int = 0
    lost: int = 0
    fleets: Sequence[Fleet] = ()
    alarms: Sequence[str] = ()


class View(Protocol):
    """What a demo tells its onlookers."""

    def show(self, now: Snapshot) -> None: ...
    def say(self, words: str, good: bool | None = None) -> None: ...
    def table(self, scenes: Sequence[Figures]) -> None: ...
    def close(self) -> None: ...


def open_view() -> View:
    """The live view where there is a terminal to draw it in."""
    return LiveView(Console()) if sys.stdout.isatty() else PlainView()


class PlainView:
    """One line for each thing that happens."""

    def __init__(self) -> None:
        self._last: Snapshot | None = None
        self._told_at = 0.0

    def show(self, now: Snapshot) -> None:
        last = self._last if self._last and self._last.title == now.title else None
        if last is None:
            self._told_at = 0.0
        for act in story(now.states)[len(story(last.states)) if last else 0 :]:
            self._line(act.at, act.name)
        if now.weights != (last.weights if last else {}):
            self._line(now.seconds, f"weights {percents(now.weights)}")
        for alarm in set(now.alarms) - set(last.alarms if last else ()):
            self._line(now.seconds, f"alarm {alarm}")
        if now.seconds - self._told_at >= REPEATED_LINE_SECONDS:
            self._told_at = now.seconds
            self._line(now.seconds, f"traffic {traffic_words(now)}")
        self._last = now

    def say(self, words: str, good: bool | None = None) -> None:
        print(words, flush=True)

    def table(self, scenes: Sequence[Figures]) -> None:
        Console(width=120, no_color=True).print(figures_table(scenes))

    def close(self) -> None:
        pass

    def _line(self, seconds: float, words: str) -> None:
        print(f"  {clock(seconds)}  {words}", flush=True)


class LiveView:
    """The scene being played, redrawn in place; what is over stays above it as lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, now: Snapshot) -> None:
        self._live.update(picture(now), refresh=True)

    def say(self, words: str, good: bool | None = None) -> None:
        style = {None: "", True: "green", False: "bold red"}[good]
        self._live.update(Text(""), refresh=False)
        self._console.print(Text(words, style=style))

    def table(self, scenes: Sequence[Figures]) -> None:
        self.say("")
        self._console.print(figures_table(scenes))

    def close(self) -> None:
        self._live.stop()


def figures_table(scenes: Sequence[Figures]) -> Table:
    """What every scene came to, one row each; what no scene has anything to say of is left out."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("version")
    table.add_column("ended")
    rows = [_cells(each) for each in scenes]
    told = [name for name in rows[0] if any(row[name] != "-" for row in rows)]
    for name in told:
        table.add_column(name, justify="right", vertical="bottom")
    for each, row in zip(scenes, rows, strict=True):
        table.add_row(each.version, each.outcome, *(row[name] for name in told))
    return table


def _cells(each: Figures) -> dict[str, str | Text]:
    return {
        "requests": f"{each.requests:,}",
        "lost": Text(f"{each.lost:,}", style="bold red" if each.lost else "bold green"),
        "errors": f"{each.errors:,}",
        "green\nwhile bad": f"{each.served_by_green_while_bad:,}",
        "alarm\nto blue": _seconds(each.seconds_alarm_to_blue),
        "abort\nto blue": _seconds(each.seconds_abort_to_blue),
        "order\nto blue": _seconds(each.seconds_rollback_command_to_blue),
        "taken\nback by": each.restored_by or "-",
        "cloud": f"{each.seconds['cloud'] / 60:.0f} min",
        "wall": f"{each.seconds['wall']:.0f} s",
        "calls": str(each.api_calls),
        "left\nbehind": str(len(each.orphans)),
    }


def name_words(each: Figures) -> list[str]:
    """What is told of a scene by DNS, line by line; nothing of any other."""
    seen = each.by_name
    if seen is None:
        return []
    told = {
        "weights": [f"{clock(at).strip()}  {percents(shares)}" for at, shares in seen.weights],
        "last change": [follow_words(each)],
        "answered": [f"{version}  {count:,}" for version, count in each.answered.items()],
        "behind": [f"{version}  {name}" for version, name in seen.balancers.items()],
        "at the end": [", ".join(seen.standing)],
        "certificates": certificates(seen),
    }
    lines = [
        f"  {name if not index else '':<12}  {words}"
        for name, told_of in told.items()
        for index, words in enumerate(told_of)
    ]
    return [each.name, *lines]


def certificates(seen: ByName) -> list[str]:
    """What the listeners of either side offer, line by line; once where that is the same."""
    first, *others = seen.certificates.values()
    if first and others and all(arns == first for arns in others):
        return ["the same on both sides:", *first]
    return [f"{version}: {', '.join(arns) or 'none'}" for version, arns in seen.certificates.items()]


def follow_words(each: Figures) -> str:
    """How long the last change of a name's weights took to reach everybody."""
    seen = each.by_name
    if seen is None or seen.seconds_in_sync is None or seen.seconds_followed is None:
        return "not seen to arrive"
    in_sync, followed = seen.seconds_in_sync["cloud"], seen.seconds_followed["cloud"]
    return f"at all DNS servers after {in_sync:.0f} s, at all clients after {followed:.0f} s"


def _seconds(times: dict[str, float] | None) -> str:
    return f"{times['cloud']:.0f} s" if times else "-"


def picture(now: Snapshot) -> RenderableType:
    """The scene at one moment."""
    head = Text.assemble((f" {now.title} ", "bold reverse"), f"  {clock(now.seconds)} of cloud time\n")
    return Group(head, _weight_bar(now), Text(""), _traffic(now), Text(""), _states(now))


def _weight_bar(now: Snapshot) -> Text:
    green = round(now.weights.get(now.green, 0) / 100 * BAR)
    return Text.assemble(
        (f"  {now.blue:>7} ", "bold blue"),
        ("░" * (BAR - green), "blue"),
        ("█" * green, "green"),
        (f" {now.green}", "bold green"),
        f"   {percents(now.weights)}",
    )


def _traffic(now: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("  version")
    for name in ("requests/s", "errors/s", "in service"):
        table.add_column(name, justify="right")
    for version, style in ((now.blue, "blue"), (now.green, "green")):
        failing = now.failing.get(version, 0.0)
        sizes = ", ".join(f"{f.in_service} of {f.desired}" for f in now.fleets if f.version == version)
        table.add_row(
            Text(f"  {version}", style=style),
            f"{now.rates.get(version, 0.0):.0f}",
            Text(f"{failing:.0f}", style="bold red" if failing else "dim"),
            sizes or "-",
        )
    lost = Text(f"{now.lost} lost", style="bold red" if now.lost else "bold green")
    table.add_row(Text("  clients"), f"{now.requests:,}", lost, ", ".join(now.alarms), style="dim")
    return table


def _states(now: Snapshot) -> Text:
    text = Text()
    acts = story(now.states)[-SHOWN_ACTS:]
    for act in acts:
        times = f"  × {act.times}" if act.times > 1 else ""
        text.append(f"  {clock(act.at)}  ", style="dim")
        text.append(f"{act.name}{times}\n", style="bold" if act is acts[-1] else "")
    if now.states and (not acts or now.states[-1][1] != acts[-1].name):
        at, name = now.states[-1]
        text.append(f"  {clock(at)}  ", style="dim")
        text.append(f"▸ {name}", style="italic")
    return text


@dataclass(frozen=True)
class Act:
    """A state that moves the story on, and how often it was entered in a row."""

    at: float
    name: str
    times: int = 1


def story(states: Sequence[tuple[float, str]]) -> list[Act]:
    """The states without choices, waits and looks; one that is entered again and again is told once."""
    acts: list[Act] = []
    for at, name in states:
        if name.startswith(ASIDES):
            continue
        if acts and acts[-1].name == name and name not in STEPS:
            acts[-1] = replace(acts[-1], times=acts[-1].times + 1)
        else:
            acts.append(Act(at, name))
    return acts


def traffic_words(now: Snapshot) -> str:
    """Rates by version, what fails, what was lost."""
    rates = ", ".join(f"{version} {rate:.0f}/s" for version, rate in sorted(now.rates.items()))
    failing = sum(now.failing.values())
    return f"{rates or 'none'}" + (f", {failing:.0f}/s failing" if failing else "") + f", {now.lost} lost"


def percents(weights: dict[str, int]) -> str:
    return " / ".join(f"{version} {weight}%" for version, weight in sorted(weights.items()))


def clock(seconds: float) -> str:
    return f"{int(seconds // 60):3d}:{int(seconds % 60):02d}"
