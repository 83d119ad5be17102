"""Joining: what a request under a key comes to, by how the release of that key stands."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.stack import ROOT, machines
from viridian import joining, request
from viridian.errors import Refusal
from viridian.joining import Joined
from viridian.plan import Plan
from viridian.record import Record
from viridian.request import Request

KEY = "pipeline/1842"
WAITED = timedelta(minutes=1)


def sample(name: str, part: str) -> dict[str, Any]:
    return {**json.loads((ROOT / "events" / f"{name}.json").read_text())[part], "key": KEY}


def wanted(**differently: Any) -> Request:
    """The request of the sample plan, with these fields otherwise, or left out where None."""
    asked = {**sample("plan_release", "request"), **differently}
    return request.parse({name: value for name, value in asked.items() if value is not None})


def record(status: str, **fields: Any) -> Record:
    plan = msgspec.convert(sample("acquire_lock", "plan"), Plan)
    return Record(plan=plan, status=status, epoch=1, **fields)


@pytest.mark.parametrize("status", ["Releasing", "RollingBack"])
def test_what_is_under_way_is_looked_at_again(status: str) -> None:
    assert joining.join(wanted(), record(status), WAITED) == Joined(again_in=30)


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("Promoted", "Promoted"),
        ("Retired", "Promoted"),
        ("RolledBack", "RolledBack"),
        ("Held", "Held"),
        ("RollbackIncomplete", "RollbackIncomplete"),
    ],
)
def test_what_is_over_is_answered_at_once_with_its_first_cause(status: str, end: str) -> None:
    over = record(status, failure="GreenFailed: alarm a", outcome="all traffic is on blue")
    assert joining.join(wanted(), over, WAITED) == Joined(
        end=end,  # type: ignore[arg-type]
        cause="GreenFailed: alarm a. all traffic is on blue",
    )


def test_however_long_it_takes_an_executions_history_has_room_for_the_looks() -> None:
    waited, looks = 0, 0
    while waited < machines()["ReleaseStateMachine"]["TimeoutSeconds"]:
        waited += joining.join(wanted(), record("Releasing"), timedelta(seconds=waited)).again_in
        looks += 1
    assert looks * 11 < 25_000 / 2  # a look is two Choices, a Wait and a Task


@pytest.mark.parametrize("status", ["Releasing", "Promoted", "RolledBack"])
@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("version", "3.0.0", "3.0.0"),
        ("source", {"type": "ami", "image_id": "ami-0abc1234"}, '"image_id": "ami-0abc1234"'),
        ("build", {"commit": "0a1b"}, '"commit": "0a1b"'),
        ("fleet", {"min_size": 3}, '"min_size": 3'),
        ("steps", [{"weight": 100, "observe_minutes": 10}], '"weight": 100'),
        ("keep_minutes", 5, "5"),
    ],
)
def test_another_request_under_the_same_key_is_refused_by_its_field(
    status: str, field: str, value: Any, shown: str
) -> None:
    with pytest.raises(Refusal) as refused:
        joining.join(wanted(**{field: value}), record(status), WAITED)
    assert refused.value.field == field
    assert shown in str(refused.value)
    assert f"has begun under the key {KEY}" in refused.value.fix


def test_what_the_request_leaves_to_the_profile_contradicts_nothing() -> None:
    assert joining.join(wanted(steps=None, keep_minutes=None), record("Promoted"), WAITED).end == "Promoted"
