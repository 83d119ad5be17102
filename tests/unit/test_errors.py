"""Class names are the contract with Step Functions: every name that is caught or retried exists, and is raised."""

import ast
from collections.abc import Iterator
from typing import Any

import pytest

from tests import stack
from tests.stack import ROOT, State

ERRORS = ROOT / "functions" / "viridian" / "errors.py"
ENDS = {
    "ReleaseStateMachine": {"Promoted", "Planned", "Refused", "RolledBack", "Held", "RollbackIncomplete"},
    "RollbackStateMachine": {"Promoted", "Refused", "RolledBack", "Held", "RollbackIncomplete"},
    "RetireStateMachine": {"Emptied", "Retired", "Held", "RetirementIncomplete"},
}
OF_AWS = {
    "States.ALL",
    "States.DataLimitExceeded",
    "States.Timeout",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
}


def classes() -> set[str]:
    return {node.name for node in ast.parse(ERRORS.read_text()).body if isinstance(node, ast.ClassDef)}


def raised() -> set[str]:
    return {
        name for path in (ROOT / "functions").rglob("*.py") for name in _raised(ast.parse(path.read_text()))
    }


def _raised(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc:
            raising = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(raising, ast.Name):
                yield raising.id


def handlers(state: State) -> list[dict[str, Any]]:
    return [*state.body.get("Retry", []), *state.body.get("Catch", [])]


def failed_by_name() -> set[str]:
    """Errors that a Fail state inside a box gives to the box's Catch."""
    return {state.body["Error"] for state in stack.states() if state.body["Type"] == "Fail" and state.depth}


CAUGHT = sorted(
    {name for state in stack.states() for each in handlers(state) for name in each["ErrorEquals"]}
)


@pytest.mark.parametrize("name", CAUGHT)
def test_a_name_that_is_caught_can_happen(name: str) -> None:
    assert name in OF_AWS | failed_by_name() | (classes() & raised())


@pytest.mark.parametrize("name", sorted(classes()))
def test_a_named_error_is_raised_somewhere(name: str) -> None:
    assert name in raised()


def test_no_error_borrows_the_names_of_step_functions() -> None:
    given = {state.body["Error"] for state in stack.states() if state.body["Type"] == "Fail"}
    assert not [name for name in given | classes() if name.startswith(("States.", "Lambda."))]


@pytest.mark.parametrize("state", [state for state in stack.states() if handlers(state)], ids=str)
def test_catching_everything_comes_last_and_alone(state: State) -> None:
    for each in (state.body.get("Retry", []), state.body.get("Catch", [])):
        names = [catcher["ErrorEquals"] for catcher in each]
        for place, caught in enumerate(names):
            if "States.ALL" in caught:
                assert caught == ["States.ALL"]
                assert place == len(names) - 1


def test_the_box_lets_nothing_out() -> None:
    boxes = [state for state in stack.states() if state.body["Type"] == "Parallel"]
    assert boxes
    for box in boxes:
        names = [catcher["ErrorEquals"] for catcher in box.body["Catch"]]
        # States.ALL does not catch States.DataLimitExceeded.
        assert names[-2:] == [["States.DataLimitExceeded"], ["States.ALL"]]


def test_every_execution_ends_in_an_end_that_is_named_in_the_design() -> None:
    for state in stack.states():
        if state.depth == 0 and state.body["Type"] == "Succeed":
            assert state.name in ENDS[state.machine]
        if state.depth == 0 and state.body["Type"] == "Fail":
            assert state.body["Error"] in ENDS[state.machine]
            assert "Cause" in state.body
