"""An order to the rollback machine that can't be meant is refused, and the field that is wrong is named."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.workflow.world import Release, opened

STEPS = [{"weight": 50, "observe_minutes": 60}, {"weight": 100, "observe_minutes": 4}]


@pytest.fixture(scope="module")
def release() -> Iterator[Release]:
    """A release at half, which nothing here may touch."""
    with opened() as world:
        yield world.half_way(steps=STEPS)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("overwite", True, "overwite: unknown field with value true. Remove it."),
        ("overwrite", "yes", "overwrite: yes. Expected `bool`, got `str`. Use true or false."),
        ("resolve", 1, "resolve: 1. Expected `bool`, got `int`. Use true or false."),
        ("reason", 7, "reason: 7. Expected `str`, got `int`."),
        ("release", "../2.0.0", "release: ../2.0.0. It has not the form asked for. Use the release's id"),
        ("steps", STEPS[:1], "steps[0].weight: 50. Let the last step be 100."),
        ("steps", STEPS, "steps: 2.0.0-"),
        ("service", None, "service: missing. Add it. Use the name it is registered by"),
    ],
)
def test_a_field_that_is_unknown_mistyped_or_missing_is_named(
    release: Release, field: str, value: Any, words: str
) -> None:
    world = release.world
    order = {"service": "shop", "release": release.id, "reason": "because of a test", field: value}
    asked = {name: value for name, value in order.items() if value is not None}
    rollback = Release(world, world.cloud.start(world.outputs["RollbackStateMachineArn"], asked)).wait()
    assert (rollback.execution.status, rollback.end) == ("FAILED", "Refused")
    assert rollback.cause.startswith(f"Refusal: {words}"), rollback.cause
    assert world.calls(rollback.arn) == []
    assert release.running
    assert release.record["status"] == "Releasing"
    assert world.weights() == {"shop-1": 50, release.green: 50}
