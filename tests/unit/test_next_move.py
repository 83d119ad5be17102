"""The way back, as a decision: traffic first, then settled, then capacity, then what is left behind."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian import converge
from viridian.converge import Move, Picture
from viridian.fleet import Member, Side
from viridian.request import Step
from viridian.traffic import Forward

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def fleet(name: str, healthy: int, *, minimum: int = 3, desired: int = 3) -> Side:
    members = tuple(
        Member(instance=f"i-{n}", zone="a", health="healthy" if n < healthy else "unhealthy")
        for n in range(max(healthy, desired))
    )
    return Side(group=name, target_group=name, minimum=minimum, desired=desired, maximum=9, members=members)


def seen(blue: int | Side = 3, green: int | None = 3, **changes: Any) -> Picture:
    """What there is to see: so many healthy on each side, everything on blue and settled unless said otherwise."""
    weights = changes.pop("weights", {"blue": 100})
    picture: dict[str, Any] = {
        "now": NOW,
        "deadline": NOW + timedelta(minutes=60),
        "forward": Forward(weights=weights),
        "blue": blue if isinstance(blue, Side) else fleet("blue", blue),
        "green": None if green is None else fleet("green", green),
        "green_target_group": None if green is None else "green",
        "need": 3,
        "floor_before": 2,
        "settle_seconds": 120,
        "restored_at": NOW - timedelta(seconds=120),
        "written": (Forward(weights={"blue": 100}), Forward(weights=weights)),
        "hold": False,
        "overwrite": False,
        "evidence_kept": True,
        "leftovers": (),
    }
    return Picture(**{**picture, **changes})


HALF = {"blue": 50, "green": 50}
LATE: dict[str, Any] = {"now": NOW + timedelta(hours=1)}
FOREIGN: dict[str, Any] = {"written": (Forward(weights={"blue": 100}),)}

QUARTER = {"blue": 25, "green": 75}
STEPS = (
    Step(weight=25, observe_minutes=5),
    Step(weight=60, observe_minutes=1),
    Step(weight=100, observe_minutes=1),
)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


UNTOLD = "all weight is blue's, and Route 53 has not told all its servers"

MOVES: list[tuple[str, Picture, Move]] = [
    (
        "what was written is not told yet: it is waited for",
        seen(restored_at=None, told=False),
        Move(act="RestoreTraffic", reason="blue serves alone", again_in=60),
    ),
    (
        "and a person is needed once that takes longer than the way back may",
        seen(restored_at=None, told=False, **LATE),
        Move(act="End", end="RollbackIncomplete", reason=UNTOLD),
    ),
    (
        "a way back that begins late, and is told at once, goes on",
        seen(restored_at=None, **LATE),
        Move(act="RestoreTraffic", reason="blue serves alone", again_in=60),
    ),
    (
        "a promoted green serves until blue, which was at zero, has all its capacity",
        seen(2, weights={"green": 100}, restored_at=None, taken_back=True),
        Move(act="RaiseBlue", reason="blue carries 2 of 3 so far"),
    ),
    (
        "however little it is that blue still lacks",
        seen(99, 100, weights={"green": 100}, restored_at=None, taken_back=True, need=100),
        Move(act="RaiseBlue", reason="blue carries 99 of 100 so far"),
    ),
    (
        "until the time is over: then blue gets what it can carry",
        seen(2, weights={"green": 100}, restored_at=None, taken_back=True, **LATE),
        Move(act="RestoreTraffic", reason="blue carries 2 of 3: green keeps 34%", green_weight=34, page=True),
    ),
    (
        "and then blue gets everything at once",
        seen(3, weights={"green": 100}, restored_at=None, taken_back=True),
        Move(act="RestoreTraffic", reason="all traffic to blue"),
    ),
    (
        "in steps blue gets the first one's share",
        seen(3, weights={"green": 100}, restored_at=None, taken_back=True, steps=STEPS),
        Move(act="RestoreTraffic", reason="25% to blue, as the order's steps say", green_weight=75),
    ),
    (
        "and is observed with it",
        seen(3, weights=QUARTER, restored_at=None, taken_back=True, steps=STEPS, stepped_at=ago(270)),
        Move(act="AwaitBlue", reason="blue has 25%, and is observed", again_in=30),
    ),
    (
        "also once green has shrunk with its own share",
        seen(
            3,
            2,
            weights={"blue": 60, "green": 40},
            restored_at=None,
            taken_back=True,
            steps=STEPS,
            stepped_at=ago(30),
        ),
        Move(act="AwaitBlue", reason="blue has 60%, and is observed", again_in=30),
    ),
    (
        "before it gets the next",
        seen(3, weights=QUARTER, restored_at=None, taken_back=True, steps=STEPS, stepped_at=ago(300)),
        Move(act="RestoreTraffic", reason="60% to blue, as the order's steps say", green_weight=40),
    ),
    (
        "and everything at the last",
        seen(
            3,
            weights={"blue": 60, "green": 40},
            restored_at=None,
            taken_back=True,
            steps=STEPS,
            stepped_at=ago(60),
        ),
        Move(act="RestoreTraffic", reason="all traffic to blue"),
    ),
    (
        "a green that falls short in between is waited for no longer",
        seen(3, 2, weights=QUARTER, restored_at=None, taken_back=True, steps=STEPS, stepped_at=ago(10)),
        Move(act="RestoreTraffic", reason="all traffic to blue"),
    ),
    (
        "nor is the order's deadline",
        seen(3, weights=QUARTER, restored_at=None, taken_back=True, steps=STEPS, stepped_at=ago(10), **LATE),
        Move(act="RestoreTraffic", reason="all traffic to blue"),
    ),
    (
        "a blue that dies in between gives its share back",
        seen(0, weights=QUARTER, restored_at=None, taken_back=True, steps=STEPS, stepped_at=ago(10)),
        Move(
            act="RestoreTraffic", reason="blue carries 0 of 3: green keeps 100%", green_weight=100, page=True
        ),
    ),
    (
        "a promoted green that fails gives blue what blue can carry",
        seen(2, 1, weights={"green": 100}, restored_at=None, taken_back=True),
        Move(act="RestoreTraffic", reason="blue carries 2 of 3: green keeps 34%", green_weight=34, page=True),
    ),
    (
        "a promoted green with nobody left waits for a blue that was at zero",
        seen(0, 0, weights={"green": 100}, restored_at=None, taken_back=True),
        Move(act="RaiseBlue", reason="blue carries 0 of 3 so far"),
    ),
    (
        "a blue that never comes up leaves the traffic on a promoted green",
        seen(0, weights={"green": 100}, restored_at=None, taken_back=True, **LATE),
        Move(
            act="End",
            end="Held",
            reason="blue carries 0 of 3 and never got more: all traffic is on green",
        ),
    ),
    (
        "a whole blue gets everything",
        seen(weights=HALF, restored_at=None),
        Move(act="RestoreTraffic", reason="all traffic to blue"),
    ),
    (
        "a short blue gets its share",
        seen(1, weights={"green": 100}),
        Move(act="RestoreTraffic", reason="blue carries 1 of 3: green keeps 67%", green_weight=67, page=True),
    ),
    (
        "what a short blue can carry it has already",
        seen(1, weights={"blue": 33, "green": 67}),
        Move(act="RaiseBlue", reason="blue carries 1 of 3 so far"),
    ),
    (
        "a short blue at its deadline",
        seen(1, weights={"blue": 33, "green": 67}, **LATE),
        Move(
            act="End",
            end="RollbackIncomplete",
            reason="blue carries 1 of 3 and never got more: green keeps 67%",
        ),
    ),
    (
        "a dead blue leaves it to green",
        seen(0, weights=HALF),
        Move(
            act="RestoreTraffic", reason="blue carries 0 of 3: green keeps 100%", green_weight=100, page=True
        ),
    ),
    (
        "a dead blue that may yet come",
        seen(0, weights={"green": 100}),
        Move(act="RaiseBlue", reason="blue carries 0 of 3 so far"),
    ),
    (
        "a dead blue at its deadline",
        seen(0, weights={"green": 100}, **LATE),
        Move(act="End", end="Held", reason="blue carries 0 of 3 and never got more: all traffic is on green"),
    ),
    (
        "nobody anywhere",
        seen(0, 0, weights=HALF),
        Move(
            act="End",
            end="Held",
            reason="neither side can carry anything: nothing was moved; blue carries 0 of 3",
        ),
    ),
    (
        "a dead green gives up everything",
        seen(1, 0, weights=HALF),
        Move(act="RestoreTraffic", reason="all traffic to blue"),
    ),
    (
        "foreign weights over a dead side",
        seen(3, 0, weights=HALF, **FOREIGN),
        Move(act="RestoreTraffic", reason="all traffic to blue", page=True),
    ),
    (
        "foreign weights, ordered away",
        seen(weights=HALF, overwrite=True, **FOREIGN),
        Move(act="RestoreTraffic", reason="all traffic to blue"),
    ),
    (
        "a blue that died once it had everything gives it to a green that can",
        seen(0, 3),
        Move(
            act="RestoreTraffic",
            reason="blue has nobody left: green keeps the service up until blue is back",
            green_weight=100,
            page=True,
        ),
    ),
    (
        "a green that can't either leaves it there",
        seen(0, 2),
        Move(act="AwaitBlue", reason="0 of 3 healthy in blue"),
    ),
    (
        "people want nothing written",
        seen(weights=HALF, hands_off="we are at it"),
        Move(act="End", end="Held", reason="hands off: we are at it. Nothing was written"),
    ),
    (
        "the profile lets nobody but a person go back",
        seen(0, weights={"blue": 40, "green": 60}, stay=True),
        Move(
            act="End",
            end="Held",
            reason="the profile says rollback: hold, so blue 40, green 60 stays as it is",
        ),
    ),
    (
        "where blue has everything there is nothing to hold",
        seen(fleet("blue", 3, minimum=2), stay=True),
        Move(act="End", end="RolledBack", reason="all traffic is on blue, nothing is left"),
    ),
    (
        "a person has given green everything, and says so",
        seen(weights={"green": 100}, resolved=True, **FOREIGN),
        Move(act="Promote", end="Promoted", reason="green serves alone, and a person has resolved it"),
    ),
    (
        "a person says that it is over, and it isn't",
        seen(weights={"blue": 40, "green": 60}, resolved=True),
        Move(
            act="End",
            end="Held",
            reason="give all weight to one side first: the rule shows blue 40, green 60",
        ),
    ),
    (
        "a person has given blue everything, and says so",
        seen(fleet("blue", 3, minimum=2), resolved=True),
        Move(act="End", end="RolledBack", reason="all traffic is on blue, nothing is left"),
    ),
    (
        "a late writer may write for longer than the load balancer takes",
        seen(settle_seconds=0, restored_at=NOW - timedelta(seconds=50)),
        Move(act="AwaitSettled", reason="the load balancer is settling", again_in=10),
    ),
    (
        "blue serves, nobody knows since when",
        seen(restored_at=None),
        Move(act="RestoreTraffic", reason="blue serves alone", again_in=60),
    ),
    (
        "not settled",
        seen(restored_at=NOW - timedelta(seconds=100)),
        Move(act="AwaitSettled", reason="the load balancer is settling", again_in=20),
    ),
    (
        "settled within the second",
        seen(restored_at=NOW - timedelta(seconds=119.9)),
        Move(act="AwaitSettled", reason="the load balancer is settling", again_in=1),
    ),
    (
        "to be held",
        seen(hold=True),
        Move(act="End", end="Held", reason="all traffic is on blue; green stands, for a person to decide"),
    ),
    (
        "blue wants too little",
        seen(blue=fleet("blue", 3, minimum=2, desired=2)),
        Move(act="RaiseBlue", reason="blue wants 2 of 3"),
    ),
    (
        "blue is whole, and a retirement that had begun keeps it from launching",
        seen(launches_suspended=True),
        Move(act="RaiseBlue", reason="blue's launches are suspended", again_in=0),
    ),
    ("blue isn't whole yet", seen(2), Move(act="AwaitBlue", reason="2 of 3 healthy in blue")),
    (
        "the evidence is still to keep",
        seen(evidence_kept=False, leftovers=("green",)),
        Move(act="KeepEvidence", reason="before green is deleted", again_in=0),
    ),
    (
        "something is left",
        seen(leftovers=("group g", "alarm a")),
        Move(act="RemoveGreen", reason="left: group g, alarm a", again_in=30),
    ),
    (
        "blue stands on our floor",
        seen(),
        Move(act="ReleaseFloors", reason="blue's minimum back to 2", again_in=0),
    ),
    (
        "something is left at the deadline",
        seen(leftovers=("group g",), blue=fleet("blue", 3, minimum=2), **LATE),
        Move(act="End", end="RollbackIncomplete", reason="delete by hand: group g"),
    ),
    (
        "blue isn't whole at the deadline",
        seen(2, floor_before=3, **LATE),
        Move(act="End", end="RollbackIncomplete", reason="2 of 3 healthy in blue"),
    ),
    (
        "nothing is left to do",
        seen(floor_before=3, green=None),
        Move(act="End", end="RolledBack", reason="all traffic is on blue, nothing is left"),
    ),
    (
        "its owner has moved the floor",
        seen(blue=fleet("blue", 3, minimum=5), green=None),
        Move(act="End", end="RolledBack", reason="all traffic is on blue, nothing is left"),
    ),
]


@pytest.mark.parametrize(("picture", "move"), [case[1:] for case in MOVES], ids=[case[0] for case in MOVES])
def test_each_picture_has_one_next_move(picture: Picture, move: Move) -> None:
    assert converge.next_move(picture) == move


@pytest.mark.parametrize("weights", [{"blue": 70, "green": 30}, {"blue": 50, "third": 50}, {"third": 100}])
def test_what_somebody_else_wrote_and_what_serves_is_left(weights: dict[str, int]) -> None:
    move = converge.next_move(seen(weights=weights, **FOREIGN))
    assert (move.act, move.end) == ("End", "Held")
    assert "somebody else wrote" in move.reason
    assert "--overwrite" in move.reason


def test_a_third_group_that_gets_traffic_is_foreign_even_where_we_wrote_beside_it() -> None:
    assert converge.next_move(seen(weights={"blue": 50, "green": 20, "third": 30})).end == "Held"


def test_a_minute_is_the_longest_that_anybody_waits_to_look_again() -> None:
    assert converge.next_move(seen(settle_seconds=900, restored_at=NOW)).again_in == 60


@given(
    blue=st.integers(0, 4),
    green=st.none() | st.integers(0, 4),
    weights=st.dictionaries(
        st.sampled_from(["blue", "green", "third"]), st.sampled_from([0, 1, 33, 50, 100]), min_size=1
    ).filter(lambda weights: any(weights.values())),
    age=st.none() | st.integers(0, 300),
    late=st.booleans(),
    flags=st.tuples(*[st.booleans()] * 4),
    leftovers=st.sampled_from([(), ("green",)]),
    ours=st.booleans(),
)
def test_whatever_there_is_to_see_the_promises_hold(
    blue: int,
    green: int | None,
    weights: dict[str, int],
    age: int | None,
    late: bool,
    flags: tuple[bool, ...],
    leftovers: tuple[str, ...],
    ours: bool,
) -> None:
    hold, overwrite, evidence_kept, _ = flags
    picture = seen(
        blue,
        green,
        weights=weights,
        restored_at=None if age is None else NOW - timedelta(seconds=age),
        deadline=NOW if late else NOW + timedelta(hours=1),
        hold=hold,
        overwrite=overwrite,
        evidence_kept=evidence_kept,
        leftovers=leftovers,
        **({} if ours else FOREIGN),
    )
    move = converge.next_move(picture)
    alone = picture.forward.alone("blue")
    if move.act == "RestoreTraffic" and not alone:
        assert (green or 0) > 0 if move.green_weight == 100 else blue > 0, "no traffic to where nobody is"
    if move.act in ("RemoveGreen", "ReleaseFloors", "KeepEvidence"):
        assert alone, "capacity goes only after traffic"
        assert age is not None
        assert age >= 120, "and after it has settled"
    if move.act == "RemoveGreen":
        assert blue >= picture.need, "never the last side able to serve"
        assert evidence_kept
    if move.end == "RolledBack":
        assert alone
        assert not leftovers
        assert blue >= picture.need
    assert (move.act == "End") == (move.end is not None)


@pytest.mark.parametrize(
    ("error", "cause", "told"),
    [
        ("GreenUnfit", '{"errorMessage": "0 of 3", "errorType": "GreenUnfit"}', "GreenUnfit: 0 of 3"),
        ("GreenFailed", "alarm a is in ALARM", "GreenFailed: alarm a is in ALARM"),
        ("States.Timeout", "", "States.Timeout"),
        ("Lambda.Unknown", '{"errorType": "x"}', 'Lambda.Unknown: {"errorType": "x"}'),
        ("Oops", "[1, 2]", "Oops: [1, 2]"),
        ("Oops", "7", "Oops: 7"),
        ("Oops", "{", "Oops: {"),
    ],
)
def test_the_first_error_keeps_its_name_and_its_words(error: str, cause: str, told: str) -> None:
    assert converge.first_error(error, cause) == told


def test_an_endless_cause_is_cut() -> None:
    assert len(converge.first_error("Oops", "x" * 40_000)) == 1000
