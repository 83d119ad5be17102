"""What the way back is sent to do, and where foreign weights end: the edges that a mutation found unwatched."""

from typing import Any

import pytest

from tests.unit.test_next_move import FOREIGN, LATE, fleet, seen
from viridian import converge, traffic
from viridian.converge import Errand, Move, Picture
from viridian.errors import Refusal
from viridian.request import Step
from viridian.traffic import Forward

STEPS = [{"weight": 100, "observe_minutes": 1}]
ORDER = {"service": "shop", "release": "2.0.0-2010a8", "reason": "2.0.0 loses orders"}


def wrote(**weights: int) -> dict[str, Any]:
    """Weights that the rule shows, and that this release has written itself."""
    return {"weights": weights, "written": (Forward(weights=weights),)}


@pytest.mark.parametrize(
    ("order", "error", "cause", "failure", "terms"),
    [
        (ORDER, "RollbackOrdered", "", "RollbackOrdered: 2.0.0 loses orders", {"ordered": True}),
        (ORDER, "GreenFailed", "alarm a", "GreenFailed: alarm a", {}),
        (ORDER, "Inconclusive", "49 requests", "Inconclusive: 49 requests", {"hold": True}),
        ({**ORDER, "epoch": 2}, "RollbackOrdered", "", "RollbackOrdered: 2.0.0 loses orders", {}),
        ({**ORDER, "overwrite": True}, "GreenFailed", "", "GreenFailed", {"overwrite": True}),
        ({**ORDER, "resolve": True}, "GreenFailed", "", "GreenFailed", {"resolved": True}),
        (
            {**ORDER, "steps": STEPS},
            "GreenFailed",
            "",
            "GreenFailed",
            {"steps": (Step(weight=100, observe_minutes=1),)},
        ),
    ],
)
def test_an_errand_says_what_failed_and_on_what_terms(
    order: dict[str, Any], error: str, cause: str, failure: str, terms: dict[str, Any]
) -> None:
    found = converge.errand(order, "arn:execution", error, cause)
    assert found == Errand(
        service="shop", release="2.0.0-2010a8", execution="arn:execution", failure=failure, **terms
    )
    nothing = dict.fromkeys(("hold", "overwrite", "ordered", "resolved"), False)
    assert found.terms() == {**nothing, "steps": (), **terms}


def test_an_order_that_means_nothing_is_refused() -> None:
    with pytest.raises(Refusal):
        converge.errand({"service": "shop"}, "arn:execution", "RollbackOrdered", "")


@pytest.mark.parametrize(
    ("picture", "left"),
    [
        (seen(3, 0, weights={"blue": 50, "third": 50, "green": 0}, **FOREIGN), True),
        (seen(3, 0, weights={"blue": 99, "green": 1}, **FOREIGN), False),
        (seen(3, 1, weights={"blue": 50, "green": 50}, **FOREIGN), True),
        (seen(0, 3, weights={"green": 100, "blue": 0}, **FOREIGN), True),
        (seen(0, 3, weights={"blue": 1, "green": 99}, **FOREIGN), False),
        (seen(1, 3, weights={"blue": 50, "green": 50}, **FOREIGN), True),
        (seen(3, 3, **wrote(blue=50, green=49, third=1)), True),
        (seen(3, 3, **wrote(blue=50, green=50, third=0)), False),
    ],
    ids=lambda value: str(value.forward.weights) if isinstance(value, Picture) else str(value),
)
def test_foreign_weights_are_written_over_only_where_a_side_with_traffic_is_dead(
    picture: Picture, left: bool
) -> None:
    move = converge.next_move(picture)
    if not left:
        assert move.act == "RestoreTraffic"
        return
    words = traffic.describe(picture.forward)
    assert move.end == "Held"
    assert move.reason == (
        f"somebody else wrote {words}; it serves, so it is left as it is. "
        "A rollback with `--overwrite` puts everything on blue"
    )


def test_a_person_who_orders_foreign_weights_away_changes_nothing_where_there_are_none() -> None:
    picture = seen(1, **wrote(blue=33, green=67), overwrite=True)
    assert converge.next_move(picture) == Move(act="RaiseBlue", reason="blue carries 1 of 3 so far")


@pytest.mark.parametrize(
    ("picture", "act", "green_weight"),
    [
        (seen(1, 3), "AwaitBlue", 0),
        (seen(fleet("blue", 0, minimum=1, desired=1), 1, need=1), "RestoreTraffic", 100),
        (seen(fleet("blue", 0, minimum=0, desired=0), 3, need=0, floor_before=0), "End", 0),
    ],
    ids=["one of blue lives", "one is all there is need for", "there is no need"],
)
def test_only_a_blue_without_anybody_gives_traffic_up(picture: Picture, act: str, green_weight: int) -> None:
    move = converge.next_move(picture)
    assert (move.act, move.green_weight) == (act, green_weight)


def test_a_person_is_told_of_the_least_that_green_keeps() -> None:
    picture = seen(fleet("blue", 99, desired=100), 3, **wrote(green=100), need=100)
    move = converge.next_move(picture)
    assert (move.green_weight, move.page) == (1, True)


def test_what_is_left_is_listed() -> None:
    picture = seen(leftovers=("group g", "alarm a"), blue=fleet("blue", 3, minimum=2), **LATE)
    assert converge.next_move(picture).reason == "delete by hand: group g, alarm a"


@pytest.mark.parametrize(("cause", "told"), [("\ud800x", "Oops: ?x"), ("X", "Oops: X"), (": ", "Oops")])
def test_words_that_can_not_be_written_are_marked(cause: str, told: str) -> None:
    assert converge.first_error("Oops", cause) == told
