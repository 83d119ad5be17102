"""Every JSONata expression of the state machines parses, stands alone in its string, and knows its variables."""

import re
from typing import Any

import jsonata
import pytest

from tests import stack

# What JSONata has built in and the machines use, and what Step Functions adds.
BUILT_IN = {
    "append",
    "contains",
    "count",
    "exists",
    "max",
    "merge",
    "min",
    "not",
    "now",
    "parse",
    "states",
    "string",
    "type",
}
WHOLE = re.compile(r"\{%(.*)%\}", re.DOTALL)
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


def found() -> list[Any]:
    return [
        pytest.param(state.machine, text, id=f"{state}-{number}")
        for state in stack.states()
        for number, text in enumerate(stack.strings(own(state.body)))
        if "{%" in text or "%}" in text
    ]


def own(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "Branches"}


def assigned(machine: str) -> set[str]:
    blocks = [state.body for state in stack.states() if state.machine == machine]
    inner = [choice for body in blocks for kind in ("Catch", "Choices") for choice in body.get(kind, [])]
    return {name for block in [*blocks, *inner] for name in block.get("Assign", {})}


@pytest.mark.parametrize(("machine", "text"), found())
def test_an_expression_parses_and_knows_its_variables(machine: str, text: str) -> None:
    whole = WHOLE.fullmatch(text)
    assert whole, "an expression must be the whole string, or Step Functions takes it for text"
    jsonata.Jsonata(whole[1])
    bare = QUOTED.sub("''", whole[1])
    bound = set(re.findall(r"\$(\w+)\s*:=", bare)) | {
        name
        for parameters in re.findall(r"function\(([^)]*)\)", bare)
        for name in re.findall(r"\$(\w+)", parameters)
    }
    assert set(re.findall(r"\$([A-Za-z_]\w*)", bare)) <= BUILT_IN | bound | assigned(machine)


def test_the_machines_have_expressions_at_all() -> None:
    assert len(found()) > 50
