"""Draws a release over time as SVG: states, weights, requests and errors by version, healthy hosts, latency."""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from viridian_cli.course import ABORTED, Course, Slice

WIDTH, LEFT, RIGHT = 1000, 104, 12
STATES, WEIGHTS, REQUESTS = (8, 34), (64, 120), (154, 260)  # top and bottom of each band
APART, TALL = 22, 46  # of the bands below them: those of what is known
LETTER = 6.2  # the width of a letter of a label, on average

SCRIPT, RELEASED = "Script", "Released"  # a script has no states but these

# A release reads as a few acts; waits, looks and choices belong to the act they follow.
ACTS = {
    "PlanRelease": ("Plan", "plan"),
    "BakeImage": ("Bake", "make"),
    "CreateGreen": ("Make green", "make"),
    "RunSmokeTests": ("Smoke tests", "make"),
    "ShiftTraffic": ("Shift", "shift"),
    "Promote": ("Promote", "end"),
    "RestoreBlue": ("Restore blue", "back"),
    "Converge": ("Clean up", "tidy"),
    "Promoted": ("Promoted", "end"),
    "RolledBack": ("", "back"),
    "Held": ("", "back"),
    "RollbackIncomplete": ("", "back"),
    ABORTED: ("Aborted", "gone"),
    SCRIPT: ("The script runs", "plan"),
    RELEASED: ("", "end"),
}


@dataclass(frozen=True)
class Act:
    """A stretch of states under one name."""

    label: str
    kind: str
    since: float
    until: float
    states: tuple[str, ...]


@dataclass(frozen=True)
class Band:
    """A band of lines: its label, and each version's value in each slice."""

    label: tuple[str, ...]
    values: list[dict[str, float]]
    top: int
    bottom: int


def draw(course: Course) -> str:
    """The course as one SVG element."""
    bands = _bands(course)
    bottom = bands[-1].bottom if bands else REQUESTS[1]
    parts = [
        *_axis(course, bottom),
        *_acts(course),
        *_weights(course),
        *_requests(course),
        *(part for band in bands for part in _lines(course, band)),
        *_marks(course, bottom),
    ]
    words = f"States, weights and requests of {course.green} over time"
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + 46}" role="img" aria-label="{_text(words)}">'
        + "".join(parts)
        + "</svg>"
    )


def acts(course: Course) -> list[Act]:
    """The states in order, gathered under the act that each belongs to."""
    known = [
        (index, name)
        for index, (at, name) in enumerate(course.states)
        if name in ACTS
        and not (name == "Converge" and _share(course, at))  # blue gets its capacity back first
    ]
    befores = ["", *(name for _, name in known)]
    starts = [
        i for (i, name), before in zip(known, befores, strict=False) if name != "Converge" or before != name
    ]
    found = []
    for first, after in pairwise([*starts, len(course.states)]):
        since, name = course.states[first]
        until = course.states[after][0] if after < len(course.states) else since
        label, kind = ACTS[name]
        if name == "ShiftTraffic":
            label = f"{_weight_given(course, since, until)} %"
        inside = tuple(dict.fromkeys(state for _, state in course.states[first:after]))
        found.append(Act(label, kind, since, until, inside))
    return found


def _acts(course: Course) -> Iterator[str]:
    top, bottom = STATES
    yield _label(top + 17, "states")
    for act in acts(course):
        left, right = _x(course, act.since), _x(course, act.until)
        if right - left < 1:
            continue
        title = f"{act.label or act.states[0]}: {', '.join(act.states)}, {act.until - act.since:.0f} s"
        yield (
            f'<g><title>{_text(title)}</title><rect class="act {act.kind}" x="{left:.1f}" y="{top}" '
            f'width="{max(0.5, right - left - 1.5):.1f}" height="{bottom - top}" rx="3"/>'
        )
        if len(act.label) * LETTER + 6 < right - left:
            yield f'<text class="act-label" x="{(left + right) / 2:.1f}" y="{top + 17}">{_text(act.label)}</text>'
        yield "</g>"
    for at, _ in course.states:
        yield f'<line class="tick" x1="{_x(course, at):.1f}" x2="{_x(course, at):.1f}" y1="{bottom + 2}" y2="{bottom + 6}"/>'


def _weights(course: Course) -> Iterator[str]:
    top, bottom = WEIGHTS
    steps = [(course.since, {course.blue: 100}), *course.weights]
    ends = [*(at for at, _ in steps[1:]), course.until]
    yield _label(top + 8, "weights")
    yield _scale(top, "100 %")
    yield _scale(bottom, "0")
    for (at, weights), end in zip(steps, ends, strict=True):
        left, width = _x(course, at), _x(course, end) - _x(course, at)
        share = weights.get(course.green, 0) / 100 * (bottom - top)
        title = _text(", ".join(f"{version}: {weight} %" for version, weight in weights.items()))
        for kind, y, height in (("blue", top, bottom - top - share), ("green", bottom - share, share)):
            if height > 0:
                yield (
                    f'<rect class="{kind}" x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'
                    f"<title>{title}</title></rect>"
                )


def _requests(course: Course) -> Iterator[str]:
    top, bottom = REQUESTS
    highest = max((_height(each) for each in course.slices), default=0) or 1.0
    ceiling = _round_up(highest)
    yield _label(top + 8, "requests")
    yield _label(top + 20, "a minute")
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _scale(y, f"{ceiling * share:,.0f}")
    height = (bottom - top) / ceiling
    for each in course.slices:
        left, width = _x(course, each.since), _x(course, each.until) - _x(course, each.since)
        good = {version: rate - each.errors.get(version, 0) for version, rate in each.requests.items()}
        layers = [
            ("blue", good.get(course.blue, 0)),
            ("green", good.get(course.green, 0)),
            ("error", sum(each.errors.values())),
            ("lost", _height(each) - sum(each.requests.values())),
        ]
        for index, (kind, amount) in enumerate(layers):
            if amount > 0:  # down to the axis, so that no gap shows between two layers
                tall = sum(rest for _, rest in layers[index:]) * height
                yield (
                    f'<rect class="{kind}" x="{left:.1f}" y="{bottom - tall:.1f}" width="{max(0.3, width + 0.15):.1f}" '
                    f'height="{tall:.1f}"><title>{_text(_told(each))}</title></rect>'
                )
        if each.lost:
            yield f'<circle class="lost" cx="{left + width / 2:.1f}" cy="{top - 6}" r="3"/>'


def _height(each: Slice) -> float:
    return sum(each.requests.values()) + each.lost * 60 / ((each.until - each.since) or 60)


def _told(each: Slice) -> str:
    errors = sum(each.errors.values())
    counts = ", ".join(f"{version}: {rate:.0f}" for version, rate in sorted(each.requests.items()))
    return (
        f"{counts} a minute"
        + (f", {errors:.0f} of them 5xx" if errors else "")
        + (f", {each.lost} lost" if each.lost else "")
    )


def _bands(course: Course) -> list[Band]:
    """What is known beside the requests, one band each, from top to bottom."""
    known = [
        (label, values)
        for label, values in (
            (("healthy", "hosts"), [each.healthy for each in course.slices]),
            (("latency", "in ms"), [_milliseconds(each.latency) for each in course.slices]),
        )
        if any(values)
    ]
    tops = (REQUESTS[1] + APART + n * (TALL + APART) for n in range(len(known)))
    return [Band(label, values, top, top + TALL) for (label, values), top in zip(known, tops, strict=False)]


def _milliseconds(seconds: dict[str, float]) -> dict[str, float]:
    return {version: 1000 * value for version, value in seconds.items()}


def _lines(course: Course, band: Band) -> Iterator[str]:
    """A line for each side; it ends where nothing is known."""
    ceiling = _round_up(max(value for values in band.values for value in values.values()) or 1.0)
    for n, words in enumerate(band.label):
        yield _label(band.top + 8 + 12 * n, words)
    for share in (0.0, 1.0):
        y = band.bottom - share * TALL
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _scale(y, f"{ceiling * share:,.0f}")
    for kind, version in (("blue", course.blue), ("green", course.green)):
        if path := _path(course, band, version, TALL / ceiling):
            yield f'<path class="line {kind}" d="{path}"><title>{_text(version)}</title></path>'


def _path(course: Course, band: Band, version: str, height: float) -> str:
    """One side's line, step by step; it breaks off where nothing is known."""
    path, drawn_to = "", None
    for each, values in zip(course.slices, band.values, strict=True):
        if (value := values.get(version)) is not None:
            joined, y = drawn_to == each.since, band.bottom - value * height
            path += (
                f"{'L' if joined else 'M'}{_x(course, each.since):.1f} {y:.1f}H{_x(course, each.until):.1f}"
            )
            drawn_to = each.until
    return path


def _marks(course: Course, bottom: float) -> Iterator[str]:
    marks = (
        (course.alarm, "alarm"),
        (course.aborted, "aborted"),
        (course.ordered, "ordered back"),
        (course.all_blue, f"all on {course.blue}"),
        (course.all_green, f"all on {course.green}"),
    )
    known = sorted((at, words) for at, words in marks if at is not None)
    for n, (at, words) in enumerate(known, start=1):
        # Seconds may lie between them: the last is written to its right, those before to their left.
        yield from _mark(course, at, words, "start" if n == len(known) else "end", bottom)


def _mark(course: Course, at: float, words: str, anchor: str, bottom: float) -> Iterator[str]:
    x = _x(course, at)
    anchor = "end" if x + len(words) * LETTER > WIDTH else anchor
    shift = -4 if anchor == "end" else 4
    yield f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{WEIGHTS[0] - 12}" y2="{bottom}"/>'
    yield f'<text class="mark-label" style="text-anchor:{anchor}" x="{x + shift:.1f}" y="{WEIGHTS[0] - 5}">{_text(words)}</text>'


def _axis(course: Course, bottom: float) -> Iterator[str]:
    seconds = course.until - course.since
    step = next((m * 60 for m in (1, 2, 5, 10, 15, 30, 60, 120, 240) if seconds / (m * 60) <= 14), 28800)
    for index in range(int(seconds // step) + 1):
        x = _x(course, course.since + index * step)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{STATES[0]}" y2="{bottom}"/>'
        yield f'<text class="scale" style="text-anchor:middle" x="{x:.1f}" y="{bottom + 18}">{index * step // 60}</text>'
    yield f'<text class="scale" x="{WIDTH - RIGHT}" y="{bottom + 36}">minutes since the start</text>'


def _weight_given(course: Course, since: float, until: float) -> int:
    """Green's share in a step; the brake may have taken it away again before the step was over."""
    before = [weights for at, weights in course.weights if at < since][-1:]
    inside = [weights for at, weights in course.weights if since <= at <= until]
    given = [*inside, *before]
    return given[0].get(course.green, 0) if given else 0


def _share(course: Course, at: float) -> int:
    """Green's percent of the traffic at a moment."""
    latest = [weights for since, weights in course.weights if since <= at][-1:]
    return latest[0].get(course.green, 0) if latest else 0


def _x(course: Course, at: float) -> float:
    share = (at - course.since) / ((course.until - course.since) or 1)
    return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)


def _round_up(value: float) -> float:
    """The next number with one or two plain digits."""
    size = 10.0 ** (len(str(int(value))) - 1)
    return next(
        (size * step for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if size * step >= value), size * 10
    )


def _scale(y: float, words: str) -> str:
    return f'<text class="scale" x="{LEFT - 6}" y="{y + 4:.1f}">{words}</text>'


def _label(y: float, words: str) -> str:
    return f'<text class="band" x="0" y="{y}">{words}</text>'


def _text(words: str) -> str:
    return html.escape(words)
