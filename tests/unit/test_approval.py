"""Approval: which answer counts, and what people are told."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from viridian import approval, door
from viridian.approval import Answered, Question, Reply
from viridian.gates import Passage

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=1)
MARA, JOE = "arn:aws:iam::123456789012:user/mara", "arn:aws:iam::123456789012:user/joe"
ID = "5f1c2a9be07d4463a8c1d2e4"
YES = Answered(answer="approve", at=NOW, by=MARA, reason="looked at it by hand")
QUESTION = Question(
    id=ID, service="shop", release="2.0.0-2010a8", epoch=1, gate="before_traffic", until=UNTIL
)


def question(**fields: Any) -> Question:
    return Question(**{name: getattr(QUESTION, name) for name in QUESTION.__struct_fields__} | fields)


@pytest.mark.parametrize(
    ("answered", "minutes", "words"),
    [
        (None, 0, ""),
        (None, 59.9, ""),
        (None, 60, "it was open until 2026-01-05T10:00:00Z"),
        (YES, 1, "it is closed: approved by arn:aws:iam::123456789012:user/mara"),
        (Answered(answer="none", at=UNTIL), 61, "it is closed: nobody answered in time"),
    ],
)
def test_a_question_is_open_until_its_first_answer_or_its_time(
    answered: Answered | None, minutes: float, words: str
) -> None:
    found = approval.closed(question(answered=answered), NOW + timedelta(minutes=minutes))
    assert found.startswith(words)
    assert bool(found) == bool(words)


@pytest.mark.parametrize(
    ("answer", "by", "repeated"),
    [("approve", MARA, True), ("reject", MARA, False), ("approve", JOE, False)],
)
def test_only_the_same_person_says_the_same_thing_again(answer: Any, by: str, repeated: bool) -> None:
    said = Answered(answer=answer, at=UNTIL, by=by, reason="another time")
    assert approval.is_repeated(question(answered=YES), said) is repeated
    assert not approval.is_repeated(question(), said)


@pytest.mark.parametrize(
    ("answered", "follows"),
    [
        (YES, "open"),
        (Answered(answer="reject", at=NOW, by=JOE, reason="not on a Friday"), "closed"),
        (Answered(answer="none", at=UNTIL), "closed"),
    ],
)
def test_a_yes_opens_the_gate_and_anything_else_closes_it(answered: Answered, follows: str) -> None:
    passage = Passage(gate="before_traffic", reached_at=NOW, approval=ID, until=UNTIL)
    assert approval.move(passage, answered, UNTIL).next == follows


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 300), (54, 300), (58, 120), (59.999, 1), (60, 1)])
def test_while_people_think_the_release_looks_around_every_five_minutes(minutes: float, seconds: int) -> None:
    passage = Passage(gate="before_traffic", reached_at=NOW, approval=ID, until=UNTIL)
    move = approval.move(passage, None, NOW + timedelta(minutes=minutes))
    assert (move.next, move.again_in) == ("ask", seconds)


ROLE = "arn:aws:sts::123456789012:assumed-role"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (MARA, MARA, True),
        (MARA, JOE, False),
        (f"{ROLE}/Dev/mara@example.com", f"{ROLE}/Admin/mara@example.com", True),
        (f"{ROLE}/Dev/mara@example.com", f"{ROLE}/Dev/joe@example.com", False),
        (f"{ROLE}/Dev/mara", MARA, False),
    ],
)
def test_a_person_stays_the_same_under_another_role(one: str, other: str, same: bool) -> None:
    assert approval.same_person(one, other) is same


def test_people_are_told_what_to_look_at_and_what_to_type() -> None:
    told = approval.message(QUESTION, "http://shop/ with the header x: y", "https://a.on.aws/", "eu-west-1")
    assert "It waits until 2026-01-05T10:00:00Z; silence is a no" in told
    assert "http://shop/ with the header x: y" in told
    assert "--aws-sigv4 aws:amz:eu-west-1:lambda" in told
    reply = json.loads(told[told.index("-d '") + 4 : told.rindex("'")])
    assert door.read("POST", json.dumps(reply), Reply).id == ID
