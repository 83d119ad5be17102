"""The forms of the report: whatever others wrote stays text in them, and nothing is cut off where there is little room."""

import os
import re
import subprocess
import sys
from dataclasses import replace as with_
from datetime import timedelta
from xml.etree import ElementTree

import msgspec
import pytest
from msgspec.structs import replace

from tests.cli.test_narrating import BEGAN, back, ended, story
from tests.stack import ROOT
from viridian_cli.report import markdown, page
from viridian_cli.story import Hand, Happened, Piece, Story

HOSTILE = "<script>alert('x')</script> | ``` @everyone ` [x](http://evil.example) &amp; \\ $1$ **b**\n# not a title\n```"


def hostile() -> Story:
    """One with somebody else's words wherever such can stand."""
    told = story(back())
    course = with_(told.course, blue=HOSTILE, weights=[(BEGAN.timestamp(), {HOSTILE: 100})])
    return replace(
        told,
        blue=HOSTILE,
        what=HOSTILE,
        why=HOSTILE,
        next=HOSTILE,
        happened=(Happened(at=BEGAN, what=HOSTILE, why=HOSTILE),),
        hands=(Hand(at=BEGAN, who=HOSTILE, did="x", why=HOSTILE),),
        evidence=(Piece(of=HOSTILE, text=HOSTILE),),
        cost=(HOSTILE,),
        lacks=(HOSTILE,),
        course=course,
    )


def outside_code(text: str) -> str:
    """Markdown without its code: fenced blocks first, then spans, each as long as its own backticks; HTML is none either."""
    text = re.sub(r"(?<=<summary><code>)[^<\n]*(?=</code></summary>$)", "", text, flags=re.M)
    rest = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.S | re.M)
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", rest)


def test_in_markdown_it_is_code_or_escaped() -> None:
    shown = markdown.render(hostile())
    rest = outside_code(shown)
    for markup in ("<script", "](http://evil", "@everyone", "**b**", "\n# ", "```"):
        assert markup not in rest
    rows = re.findall(r"(?:^\|.*\n)+", rest, re.M)
    assert len(rows) == 2, "a table ends where a row is broken"


def test_in_the_page_it_is_text() -> None:
    shown = page.render(hostile())
    assert "<script" not in shown
    assert "alert(&#x27;x&#x27;)" in shown
    body = shown[shown.index("<main>") : shown.index("</main>") + len("</main>")]
    elements = list(ElementTree.fromstring(body).iter())
    assert not {element.tag for element in elements} & {"b", "script", "img"}
    assert [element.get("href") for element in elements if element.tag == "a"] == [hostile().link]


@pytest.mark.parametrize(
    ("pieces", "length", "too_long"), [(1, 1_000_000, False), (60, 2_000, True), (60, 200, False)]
)
def test_markdown_with_much_evidence_fits_and_names_what_it_leaves_out(
    pieces: int, length: int, too_long: bool
) -> None:
    evidence = tuple(Piece(of=f"console of i-{n}", text="x" * length) for n in range(pieces))
    shown = markdown.render(replace(story(back()), evidence=evidence))
    assert len(shown) < 65_000
    assert "console of i-0" in shown
    assert ("too long for here" in shown) == too_long
    assert f"console of i-{pieces - 1}" in shown


@pytest.mark.parametrize(
    ("told", "mood", "mark"),
    [
        (story(ended("Promoted")), "good", "✅"),
        (story(back()), "bad", "❌"),
        (story(back("Held")), "bad", "❌"),
        (replace(story(ended("Promoted")), status="Releasing", ended=None), "", "⏳"),
    ],
)
def test_an_end_is_good_or_bad_and_what_runs_is_neither(told: Story, mood: str, mark: str) -> None:
    assert f'<span class="end {mood}">{told.status}</span>' in page.render(told)
    assert markdown.render(told).startswith(f"## {mark} ")


def test_a_day_of_observing_is_told_in_hours_and_the_next_day_by_its_date() -> None:
    shown = markdown.render(story(ended("Promoted", ended_at=BEGAN + timedelta(hours=25, minutes=3))))
    assert "25 h 03 min later" in shown
    assert "| 09:00:00 | is being released" in shown
    assert "| 2026-01-06 10:03:00 | is promoted" in shown


def test_a_narrow_terminal_without_colour_shows_everything() -> None:
    who = "arn:aws:sts::123456789012:assumed-role/Administrator/mara@example.com"
    told = replace(story(back()), hands=(Hand(at=BEGAN, who=who, did="started it", why=""),))
    show = "import sys, msgspec; from viridian_cli.report import terminal; from viridian_cli.story import Story; "
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            show + "terminal.show(msgspec.json.decode(sys.stdin.buffer.read(), type=Story))",
        ],
        input=msgspec.json.encode(told),
        env={**os.environ, "COLUMNS": "40", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    shown = ran.stdout.decode()
    assert "\x1b" not in shown
    assert "…" not in shown
    lines = shown[shown.index("Who\n") :].split("\n\n")[0].splitlines()[1:]
    since, until = lines[0].index("arn"), lines[0].index("start")
    assert "".join(line[since:until].strip() for line in lines) == who
