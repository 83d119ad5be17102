"""The page is whole by itself, draws what it was given, and lets nothing it shows break it."""

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from local.demo import view
from local.demo.figures import ByName, Figures
from local.demo.report import Chapter, render
from local.demo.view import Act, PlainView, Snapshot, name_words
from tests.cli.test_narrating import ended, story
from viridian_cli.course import Course, Slice
from viridian_cli.report import charts
from viridian_cli.report.charts import acts, draw

WEIGHTS_HEIGHT = charts.WEIGHTS[1] - charts.WEIGHTS[0]
STATES = [
    (0.0, "PlanRelease"),
    (10.0, "BakeImage"),
    (11.0, "WaitForImage"),
    (60.0, "CreateGreen"),
    (180.0, "RunSmokeTests"),
    (182.0, "ShiftTraffic"),
    (183.0, "Observe"),
    (480.0, "ShiftTraffic"),
    (483.0, "Observe"),
    (780.0, "Promote"),
    (785.0, "Promoted"),
]
COURSE = Course(
    since=0.0,
    until=900.0,
    blue="1.0.0",
    green="2.0.0",
    states=STATES,
    weights=[(182.5, {"1.0.0": 90, "2.0.0": 10}), (481.0, {"2.0.0": 100})],
    slices=[
        Slice(0.0, 300.0, {"1.0.0": 200.0}, {}, 0),
        Slice(300.0, 600.0, {"1.0.0": 180.0, "2.0.0": 20.0}, {"2.0.0": 5.0}, 0),
        Slice(600.0, 900.0, {"2.0.0": 150.0}, {}, 250),
    ],
)
FIGURES = Figures(
    name="good",
    version="2.0.0",
    blue="1.0.0",
    outcome="Promoted",
    requests=3000,
    requests_per_wall_second=100.0,
    lost=0,
    errors=25,
    served_by_green_while_bad=0,
    seconds_alarm_to_blue=None,
    seconds_abort_to_blue=None,
    seconds_rollback_command_to_blue=None,
    restored_by=None,
    seconds={"cloud": 785.0, "wall": 26.2},
    state_transitions=60,
    history_events=200,
    lambda_invocations=20,
    api_calls=300,
    final_weights={"1.0.0": 0, "2.0.0": 100},
    orphans=[],
    answered={"1.0.0": 1900, "2.0.0": 850},
    lost_to={},
    kinds={"long": 9},
    weight_changes=2,
    fewest_long_requests_at_a_change=4,
    need=3,
    lowest_blue=3,
    lowest_green=3,
)
CHAPTER = Chapter("2.0.0 is good", "Released.", FIGURES, COURSE, [])


def svg(course: Course = COURSE) -> ElementTree.Element:
    return ElementTree.fromstring(draw(course))


def marked(course: Course, element: str, kind: str) -> list[ElementTree.Element]:
    return [each for each in svg(course).iter(element) if kind in each.get("class", "").split()]


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = render("Releases", 30, [CHAPTER])
    assert not re.search(r"(src|href)=|url\(|@import|<script|https?:", re.sub(r"<a href=[^>]*>", "", page))
    assert "prefers-color-scheme: dark" in page


def test_what_is_shown_cannot_break_the_page() -> None:
    hostile = '<script>alert("x")</script>&'
    chapter = Chapter(
        hostile, hostile, replace(FIGURES, orphans=[hostile]), replace(COURSE, green=hostile), [hostile]
    )
    assert "<script" not in render(hostile, 30, [chapter])
    svg(replace(COURSE, green=hostile, states=[(0.0, hostile), (1.0, "BakeImage")]))


def test_what_the_release_says_of_itself_stands_apart_from_what_its_clients_saw() -> None:
    told = story(ended("Promoted"))
    page = render("x", 30, [replace(CHAPTER, story=told)])
    counted, said = page.split("<details><summary>What the release says of itself</summary>")
    assert "3,000 requests, 0 lost" in counted
    assert all(words in said for words in (told.why, told.next.splitlines()[0], told.cost[0]))
    assert "<details>" not in render("x", 30, [CHAPTER])


def test_hosts_and_latency_are_drawn_where_they_are_known_and_break_off_where_not() -> None:
    def known(each: Slice) -> Slice:
        return replace(each, healthy={"1.0.0": 3.0, "2.0.0": 2.0}, latency={"1.0.0": 0.05})

    first, second, third = COURSE.slices
    course = replace(COURSE, slices=[known(first), second, known(third)])
    assert not marked(COURSE, "path", "line")
    lines = marked(course, "path", "line")
    assert [line.get("class") for line in lines] == ["line blue", "line green", "line blue"]
    assert [(line.get("d") or "").count("M") for line in lines] == [2, 2, 2]
    words = {text.text for text in marked(course, "text", "scale")}
    assert {"3", "50"} <= words, "hosts by number, latency in milliseconds"


def test_states_are_gathered_into_acts() -> None:
    assert [(act.label, act.since, act.until) for act in acts(COURSE)] == [
        ("Plan", 0.0, 10.0),
        ("Bake", 10.0, 60.0),
        ("Make green", 60.0, 180.0),
        ("Smoke tests", 180.0, 182.0),
        ("10 %", 182.0, 480.0),
        ("100 %", 480.0, 780.0),
        ("Promote", 780.0, 785.0),
        ("Promoted", 785.0, 785.0),
    ]
    assert acts(COURSE)[1].states == ("BakeImage", "WaitForImage")


def test_the_way_back_is_one_act_and_cleaning_up_another() -> None:
    names = ["RestoreBlue", "IsItOver", "Converge", "IsItOver", "Converge", "RolledBack"]
    back = replace(COURSE, states=[(float(at), name) for at, name in enumerate(names)])
    assert [(act.label, act.since, act.until) for act in acts(back)] == [
        ("Restore blue", 0.0, 2.0),
        ("Clean up", 2.0, 5.0),
        ("", 5.0, 5.0),
    ]


def test_while_green_serves_blue_gets_its_capacity_and_nothing_is_cleaned_up() -> None:
    names = [
        "Promoted",
        "AcceptOrder",
        "RestoreBlue",
        "Converge",
        "Converge",
        "IsItOver",
        "Converge",
        "RolledBack",
    ]
    states = [(800.0 + index, name) for index, name in enumerate(names)]
    back = replace(COURSE, states=states, weights=[*COURSE.weights, (804.5, {"1.0.0": 100})])
    assert [(act.label, act.since, act.until) for act in acts(back)] == [
        ("Promoted", 800.0, 802.0),
        ("Restore blue", 802.0, 806.0),
        ("Clean up", 806.0, 807.0),
        ("", 807.0, 807.0),
    ]


def test_a_step_keeps_its_weight_though_the_brake_took_it_away() -> None:
    braked = replace(COURSE, weights=[*COURSE.weights[:1], (400.0, {"1.0.0": 100})], alarm=399.0)
    assert [act.label for act in acts(braked) if act.kind == "shift"] == ["10 %", "0 %"]


def test_every_state_has_its_tick_on_the_axis() -> None:
    assert len(marked(COURSE, "line", "tick")) == len(STATES)


def test_the_weights_share_their_band() -> None:
    bands = [
        rect
        for rect in svg().iter("rect")
        if charts.WEIGHTS[0] <= float(rect.get("y", 0)) < charts.WEIGHTS[1]
    ]
    shares = {(rect.get("class"), round(float(rect.get("height", 0)) / WEIGHTS_HEIGHT, 2)) for rect in bands}
    assert shares == {("blue", 1.0), ("blue", 0.9), ("green", 0.1), ("green", 1.0)}


def test_errors_and_losses_are_drawn_only_where_there_are_any() -> None:
    assert len(marked(COURSE, "rect", "error")) == 1
    assert (len(marked(COURSE, "rect", "lost")), len(marked(COURSE, "circle", "lost"))) == (1, 1)
    calm = replace(COURSE, slices=COURSE.slices[:1])
    assert not marked(calm, "rect", "error")
    assert not marked(calm, "circle", "lost")


def test_nothing_is_drawn_outside_the_picture() -> None:
    picture = svg()
    height = float(picture.get("viewBox", "").split()[-1])
    for rect in picture.iter("rect"):
        left, width = float(rect.get("x", 0)), float(rect.get("width", 0))
        top, tall = float(rect.get("y", 0)), float(rect.get("height", 0))
        assert left >= charts.LEFT
        assert left + width <= charts.WIDTH
        assert top >= 0
        assert top + tall <= height


def test_the_alarm_and_the_way_back_are_marked() -> None:
    assert not marked(COURSE, "line", "mark")
    back = replace(COURSE, alarm=500.0, all_blue=560.0)
    assert len(marked(back, "line", "mark")) == 2
    assert [text.text for text in marked(back, "text", "mark-label")] == ["alarm", "all on 1.0.0"]


def test_an_abort_is_marked_and_nobody_works_until_the_rollback() -> None:
    names = [(182.0, "ShiftTraffic"), (300.0, "Aborted"), (330.0, "AcceptOrder"), (331.0, "RestoreBlue")]
    stopped = replace(COURSE, states=[*names, (500.0, "RolledBack")], aborted=300.0, all_blue=340.0)
    assert [(act.label, act.since, act.until) for act in acts(stopped)] == [
        ("10 %", 182.0, 300.0),
        ("Aborted", 300.0, 331.0),
        ("Restore blue", 331.0, 500.0),
        ("", 500.0, 500.0),
    ]
    assert [text.text for text in marked(stopped, "text", "mark-label")] == ["aborted", "all on 1.0.0"]
    assert len(marked(stopped, "rect", "gone")) == 1


def test_how_long_it_took_and_who_did_it_are_on_the_page_and_in_the_terminal(capsys: Any) -> None:
    back = {"cloud": 41.6, "wall": 1.4}
    seen = replace(FIGURES, outcome="RolledBack", seconds_abort_to_blue=back, restored_by="sweeper")
    page = render("x", 30, [replace(CHAPTER, figures=seen)])
    assert "From the abort to the last request that 2.0.0 answered: 42 s. Taken back by the sweeper." in page
    assert '<th scope="row">abort to blue, cloud</th><td>42 s</td>' in page
    assert '<th scope="row">taken back by</th><td>the sweeper</td>' in page
    PlainView().table([seen])
    told = capsys.readouterr().out
    assert "…" not in told
    assert re.search(r"2\.0\.0 +RolledBack .* 42 s +sweeper ", told)


def test_an_upgrade_that_is_taken_back_is_drawn_and_told(capsys: Any) -> None:
    names = [(780.0, "Promoted"), (850.0, "AcceptOrder"), (851.0, "RestoreBlue"), (890.0, "RolledBack")]
    back = replace(COURSE, states=names, ordered=850.0, all_blue=870.0)
    assert [(act.label, act.since, act.until) for act in acts(back)][:2] == [
        ("Promoted", 780.0, 851.0),
        ("Restore blue", 851.0, 890.0),
    ]
    assert [text.text for text in marked(back, "text", "mark-label")] == ["ordered back", "all on 1.0.0"]
    fleet = {"instance_type": "t2.small", "max_size": "9"}
    seen = replace(
        FIGURES,
        outcome="RolledBack",
        seconds_rollback_command_to_blue={"cloud": 121.6, "wall": 4.1},
        restored_by="order",
        in_service_at_the_order={"1.0.0": 0, "2.0.0": 3},
        fleets={
            "blue": fleet,
            "green": {"instance_type": "t3.small", "max_size": "18"},
            "blue again": fleet,
        },
    )
    page = render("x", 30, [replace(CHAPTER, figures=seen)])
    assert "From the order to the write that gave 1.0.0 everything: 122 s." in page
    assert '<th scope="row">in service at the order</th><td>1.0.0: 0, 2.0.0: 3</td>' in page
    assert '<th scope="row">instance type</th><td>t2.small → t3.small</td>' in page
    assert "in service at the order" not in render("x", 30, [CHAPTER])
    PlainView().table([seen])
    told = capsys.readouterr().out
    assert "…" not in told
    assert re.search(r"2\.0\.0 +RolledBack .* 122 s +order ", told)


BY_NAME = ByName(
    weights=[(206.0, {"1.0.0": 90, "2.0.0": 10}), (675.0, {"2.0.0": 100})],
    balancers={"1.0.0": "shop", "2.0.0": "v-shop-1"},
    certificates={"1.0.0": ["arn:one", "arn:two"], "2.0.0": ["arn:one", "arn:two"]},
    seconds_in_sync={"cloud": 30.0, "wall": 1.0},
    seconds_followed={"cloud": 83.4, "wall": 2.8},
    standing=["shop", "v-shop-1"],
)


def test_a_release_by_dns_is_told_in_the_terminal_line_by_line() -> None:
    assert name_words(replace(FIGURES, by_name=BY_NAME)) == [
        "good",
        "  weights       3:26  1.0.0 90% / 2.0.0 10%",
        "                11:15  2.0.0 100%",
        "  last change   at all DNS servers after 30 s, at all clients after 83 s",
        "  answered      1.0.0  1,900",
        "                2.0.0  850",
        "  behind        1.0.0  shop",
        "                2.0.0  v-shop-1",
        "  at the end    shop, v-shop-1",
        "  certificates  the same on both sides:",
        "                arn:one",
        "                arn:two",
    ]
    assert name_words(FIGURES) == []


def test_certificates_that_differ_and_a_name_that_nobody_follows_are_told_as_such() -> None:
    other = {"1.0.0": ["arn:one"], "2.0.0": []}
    seen = replace(FIGURES, by_name=replace(BY_NAME, certificates=other, seconds_followed=None))
    told = name_words(seen)
    assert "  last change   not seen to arrive" in told
    assert told[-2:] == ["  certificates  1.0.0: arn:one", "                2.0.0: none"]
    page = render("x", 30, [replace(CHAPTER, figures=seen)])
    assert "<td>1 / 0, not the same</td>" in page


def test_a_release_by_dns_is_drawn_and_told() -> None:
    course = replace(COURSE, all_green=570.0)
    page = render("x", 30, [CHAPTER, Chapter("named", "", replace(FIGURES, by_name=BY_NAME), course, [])])
    assert "The last change of weights was at all DNS servers after 30 s, at all clients after 83 s." in page
    assert "1.0.0 behind shop, 2.0.0 behind v-shop-1." in page
    assert "the same on both sides:<br>arn:one<br>arn:two" in page
    assert "last change at all clients, cloud</th><td>–</td><td>83 s</td>" in page
    assert "<td>2 / 2, the same</td>" in page
    assert [each.text for each in marked(course, "text", "mark-label")] == ["all on 2.0.0"]
    assert "certificates" not in render("x", 30, [CHAPTER])


def test_the_floors_are_told_of_a_load_that_doubled() -> None:
    seen = replace(FIGURES, load_at_the_end=2.1, floors_at_the_last_change={"1.0.0": 6, "2.0.0": 6})
    page = render("x", 30, [CHAPTER, replace(CHAPTER, figures=seen)])
    assert "floors under a doubled load, blue / green</th><td>–</td><td>6 / 6</td>" in page
    assert "doubled load" not in render("x", 30, [CHAPTER])


@pytest.mark.parametrize(
    "course", [replace(COURSE, states=[], weights=[], slices=[]), replace(COURSE, until=0.0)]
)
def test_an_empty_scene_can_be_drawn(course: Course) -> None:
    svg(course)


def test_a_broken_promise_is_told() -> None:
    assert '<p class="broken">it ended Held</p>' in render(
        "x", 30, [replace(CHAPTER, broken=["it ended Held"])]
    )
    assert '<p class="broken">' not in render("x", 30, [CHAPTER])


def test_plain_lines_tell_each_thing_once(capsys: Any) -> None:
    view, before = PlainView(), Snapshot("good", "1.0.0", "2.0.0", 0.0, weights={"1.0.0": 100})
    view.show(before)
    after = replace(
        before, seconds=7.0, states=[(5.0, "PlanRelease"), (6.0, "IsDryRun")], alarms=["shop-errors"]
    )
    view.show(after)
    view.show(replace(after, seconds=61.0, rates={"1.0.0": 99.6}, lost=2))
    told = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()]
    assert told == ["weights 1.0.0 100%", "PlanRelease", "alarm shop-errors", "traffic 1.0.0 100/s, 2 lost"]


def test_a_loop_is_told_once_and_each_step_anew() -> None:
    names = [
        "ShiftTraffic",
        "Observe",
        "JudgeGreen",
        "IsGreenGood",
        "ShiftTraffic",
        "Converge",
        "IsItOver",
        "Converge",
    ]
    told = view.story([(float(at), name) for at, name in enumerate(names)])
    assert told == [Act(0.0, "ShiftTraffic"), Act(4.0, "ShiftTraffic"), Act(5.0, "Converge", 2)]
