"""The screen: the picture at any width, with and without colour, on a low terminal, and what it says when it knows less."""

import io
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from tests.cli.test_picture import at, back, carrying, entry, paused, seen, side, weighing, wrote
from viridian.verdict import AlarmState
from viridian_cli import picture
from viridian_cli.picture import Picture
from viridian_cli.screen import Screen

GUARD = AlarmState(name="shop-5xx", arn="a", state="OK", reason="", since=at(0), evaluation_seconds=60)
UP: dict[str, Any] = {
    "blue": side("shop-1", *["healthy"] * 3),
    "green": side("green", "healthy", "healthy", "initial"),
}
SERVED = {
    "blue_requests": {at(minute): 600.0 for minute in range(8)},
    "green_requests": {at(minute): 60.0 for minute in range(3, 8)},
    "green_latency": {at(minute): 0.02 for minute in range(3, 8)},
}
OBSERVED = picture.drawn(
    seen(
        carrying(10),
        8,
        "Observe",
        entries=(wrote(10, 3),),
        forward=weighing(10),
        alarms=(GUARD,),
        measured=SERVED,
        **UP,
    )
)


def shown(drawn: Picture, width: int = 100, height: int | None = None, **console: Any) -> str:
    out = io.StringIO()
    given = {"file": out, "width": width, "height": height or 200, **console}
    Console(**given).print(Screen(drawn, fits=height is not None))
    return out.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [60, 80, 120])
def test_everything_is_there_at_any_width_and_nothing_beyond_it(width: int) -> None:
    text = shown(OBSERVED, width)
    assert max(len(line) for line in text.splitlines()) <= width
    for part in (
        "gets 10% of the traffic", "09:08:00 UTC", "● 10%", "○ 100%", "blue 90%", "10% green", "observe step 1", "5:00 of 10:00, then step 2 of 2, 100%",
        "3/3 ●●●", "2/3 ●●○", "us-east-1a 2/2", "i-2 initial", "600", "60", "20 ms", "shop-5xx OK since 09:00",
        "viridian promote shop", "viridian brake shop -m WHY", "gets 10% of the traffic: Step 1 of 2.",
    ):  # fmt: skip
        assert part in flat(text), part


def test_the_bars_say_how_far_it_is() -> None:
    def bar(**fields: Any) -> str:
        line = next(line for line in shown(replace(OBSERVED, **fields)).splitlines() if "blue " in line)
        return line.split("% ", 1)[1].split(" ")[0]

    assert (bar().count("█"), bar().count("▒")) == (54, 6)
    assert set(bar(percent=0)) == {"█"}
    assert set(bar(percent=100)) == {"▒"}
    assert bar(percent=0, others=50).count("?") in (21, 22, 23, 24, 25, 26, 27, 28, 29, 30)


def test_colour_says_nothing_that_the_words_do_not() -> None:
    coloured = shown(OBSERVED, force_terminal=True, color_system="standard")
    plain = shown(OBSERVED, force_terminal=True, color_system="standard", no_color=True)
    assert "\x1b[3" in coloured
    assert "\x1b[3" not in plain
    assert "\x1b" not in shown(OBSERVED)


def test_a_terminal_that_knows_ascii_alone_gets_nothing_else() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=out, width=100).print(Screen(OBSERVED))
    out.seek(0)
    text = out.read()
    assert "* 10%" in text
    assert "3/3 ooo" in text
    assert "2/3 oo." in text


def test_a_low_terminal_keeps_what_may_be_typed_and_loses_what_is_past() -> None:
    high, low = shown(OBSERVED, 100, 60), shown(OBSERVED, 100, 24)
    assert high.index("Fleets") < high.index("You may") < high.index("Lately")
    assert low.index("You may") < low.index("Fleets")
    assert len(low.splitlines()) <= 24
    assert len(high.splitlines()) > 24


def test_the_lowest_terminal_still_shows_all_that_may_be_typed() -> None:
    lowest = shown(OBSERVED, 60, 18).splitlines()[:18]
    typed = [line for line in lowest if line.startswith("  viridian ")]
    assert len(typed) == len(OBSERVED.orders)


def test_a_fleet_of_which_nobody_stands_has_no_line_of_zones() -> None:
    empty = replace(OBSERVED, fleets=(replace(OBSERVED.fleets[1], zones=(), healthy=0),))
    assert "green: \n" not in shown(empty, 60).replace(" \n", "\n")
    assert "green: us-east-1a" in shown(OBSERVED, 60)


def test_what_is_not_known_says_why_in_its_place() -> None:
    unknown = {part: f"no {part}" for part in ("state", "route", "fleets", "measures", "alarms", "events")}
    text = shown(picture.drawn(seen(carrying(10), 8, unknown=unknown)))
    for part in unknown:
        assert f"{part} not known: no {part}" in text
    assert "gets 10% of the traffic" in text
    assert "viridian rollback" in text


def test_a_lost_connection_is_said_with_the_age_of_what_is_shown() -> None:
    text = flat(shown(replace(OBSERVED, lost="AWS can't be reached: no route.", age=75)))
    assert (
        "CONNECTION LOST. AWS can't be reached: no route. What is shown is 1:15 old; it is tried again."
        in text
    )
    assert "gets 10% of the traffic" in text


def test_a_red_alarm_says_its_reason_and_the_way_back_its_cause() -> None:
    red = replace(GUARD, state="ALARM", reason="9% of 500 requests")
    text = shown(picture.drawn(seen(back(restored_at=at(6)), 7, alarms=(red,))))
    assert "shop-5xx ALARM since 09:00" in text
    assert "shop-5xx: 9% of 500 requests" in text
    assert "GreenFailed: 9% errors." in text


def test_hands_off_and_foreign_weights_stand_out() -> None:
    text = shown(picture.drawn(seen(carrying(10, hands_off="audit"), 8)))
    assert "HANDS OFF: audit. Viridian writes nothing." in text
    assert "30% to others" in shown(replace(OBSERVED, others=30))


def test_the_newest_event_comes_first() -> None:
    entries = (wrote(10, 3), entry("UpdateAutoScalingGroup", "shop-1", 4), paused(5, 65))
    text = shown(picture.drawn(seen(carrying(10), 8, entries=entries)))
    past = text[text.index("Lately") :]
    assert past.index("is paused at 10% of the traffic: Paused by mara") < past.index(
        "update auto scaling group shop-1"
    )
    assert past.index("update auto scaling group shop-1") < past.index("gets 10% of the traffic: Step 1")
