"""What `make bench` writes: no figure in docs/performance.md is typed by hand, and a bound that is missed is told."""

import json
import re

import pytest

from bench import __main__ as bench
from bench import prices, tape
from bench.release import AtOnce
from bench.tape import Invocation
from tests.stack import ROOT


@pytest.fixture(scope="module")
def text() -> str:
    return bench.PAGE.read_text(encoding="utf-8")


def test_the_pages_table_is_what_the_command_made_of_its_last_run(text: str) -> None:
    rows = bench.read(json.loads(bench.KEPT.read_text(encoding="utf-8")))
    assert len(rows) > 20
    assert bench.page(text, rows) == text
    assert [row.what for row in rows if row.missed] == []


def test_the_bounds_are_those_that_were_asked_for() -> None:
    rows = bench.read(json.loads(bench.KEPT.read_text(encoding="utf-8")))
    assert sorted(row.most for row in rows if row.most is not None) == [1.3, 1.5, 5, 5000]


def test_there_is_no_figure_outside_of_the_table(text: str) -> None:
    before, rest = text.split(bench.BEGIN)
    assert re.findall(r"\d", before + rest.split(bench.END)[1]) == []


def test_a_figure_above_its_bound_is_missed_and_one_without_a_bound_never_is() -> None:
    assert bench.Row("calls", 1.31, 1.3).missed
    assert not bench.Row("calls", 1.3, 1.3).missed
    assert not bench.Row("calls", 1000).missed


def test_a_new_table_takes_the_place_of_the_old_one_alone() -> None:
    old = f"before\n{bench.BEGIN}\n\nold\n\n{bench.END}\nafter\n"
    made = bench.page(old, [bench.Row("calls", 1234, 5000)])
    assert made.startswith("before\n")
    assert made.endswith("\nafter\n")
    assert "| calls | 1,234 | 5,000 | counted |" in made
    assert "old" not in made


def test_every_price_stands_in_the_table_with_its_page() -> None:
    made = bench.table([])
    for price in prices.PRICES.values():
        assert price.source in made
    assert prices.READ in made


def test_dollars_are_units_by_their_prices() -> None:
    assert prices.dollars({"transitions": 2000, "metrics": 1000}) == pytest.approx(0.06)


def test_releases_at_once_that_fail_or_are_throttled_are_no_figures() -> None:
    alone = AtOnce(releases=1, promoted=1, calls=100, busiest_minute=50, throttled=0)
    twice = AtOnce(releases=10, promoted=10, calls=105, busiest_minute=500, throttled=0)
    assert bench.beside(twice, alone).value == 1.05
    with pytest.raises(RuntimeError, match="9 were promoted"):
        bench.beside(AtOnce(releases=10, promoted=9, calls=1, busiest_minute=1, throttled=0), alone)
    with pytest.raises(RuntimeError, match="1 throttled"):
        bench.beside(AtOnce(releases=10, promoted=10, calls=1, busiest_minute=1, throttled=1), alone)


def test_every_handler_is_started_cold_with_its_first_invocation_where_there_is_one() -> None:
    def made(function: str, at: float) -> Invocation:
        return Invocation(function, f"handlers.{function.lower()}", None, {}, at, {})

    found = bench.firsts([made("Promote", 1), made("Promote", 2), made("RunSmokeTests", 3)])
    assert found["handlers.promote"] is not None
    assert found["handlers.promote"].at == 1
    assert found["handlers.run_smoke_tests"] is None, "it asks the world, which isn't there"
    assert len(found) == len(list((ROOT / "functions" / "handlers").glob("[a-z]*.py")))
    assert tape.Invocation(
        "A", "a", None, {}, 0.0, {}, answers=[("ec2", "X", {}), ("ec2", "Y", {})]
    ).services == ["ec2"]
