"""Writes the plots of docs/architecture.md from the state machines as they are deployed.

Drawn are the states that do something and those that end it. A Wait or a Choice on the way is an arrow; a Choice that
several states lead to is a diamond.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
MACHINES = ("release", "rollback", "retire")

States = dict[str, dict[str, Any]]


def drawn(machine: str) -> str:
    """One machine as a Mermaid diagram, and what its states say of themselves."""
    definition = json.loads((ROOT / "statemachine" / f"{machine}.asl.json").read_text(encoding="utf-8"))
    lines = ["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in _plot(definition)), "```", ""]
    lines += ["| state | what it does |", "|---|---|"]
    lines += [f"| `{name}` | {comment} |" for name, comment in _comments(definition)]
    return "\n".join(lines)


def _plot(machine: dict[str, Any]) -> Iterator[str]:
    """The lines of a machine, or of a branch of it."""
    states: States = machine["States"]
    choices = [name for name in states if states[name]["Type"] == "Choice" and not _is_passed(states, name)]
    yield from (f"state {name} <<choice>>" for name in choices)  # Mermaid must know before it draws
    yield from (f"[*] --> {first}" for first in _reached(states, [machine["StartAt"]]))
    for name, state in states.items():
        if _is_passed(states, name):
            continue
        for branch in state.get("Branches", ()):
            yield f"state {name} {{"
            yield from (f"    {line}" for line in _plot(branch))
            yield "}"
        ways = _reached(states, _ways(state))
        yield from (f"{name} --> {reached}" for reached in ways or ["[*]"])
        yield from _caught(name, state, states, ways)


def _caught(name: str, state: dict[str, Any], states: States, ways: list[str]) -> Iterator[str]:
    """Where a state that fails leads to, if not to where it leads anyway."""
    for catch in state.get("Catch", ()):
        errors = [error for error in catch["ErrorEquals"] if error != "States.DataLimitExceeded"]
        for reached in _reached(states, [catch["Next"]]):
            if errors and reached not in ways:
                yield f"{name} --> {reached}: {', '.join(errors).replace('States.ALL', 'whatever fails')}"


def _reached(states: States, ways: list[str]) -> list[str]:
    """The drawn states that ways lead to."""
    found, ahead, seen = dict[str, None](), list(ways), set[str]()
    while ahead:
        way = ahead.pop(0)
        if not _is_passed(states, way):
            found[way] = None
        elif way not in seen:
            seen.add(way)
            ahead += _ways(states[way])
    return list(found)


def _is_passed(states: States, name: str) -> bool:
    """Whether it is only an arrow in the diagram."""
    kind = states[name]["Type"]
    entered = Counter(way for state in states.values() for way in {*_ways(state), *_failed(state)})
    return kind in ("Wait", "Pass") or (kind == "Choice" and entered[name] == 1)


def _ways(state: dict[str, Any]) -> list[str]:
    named = [state[key] for key in ("Next", "Default") if key in state]
    return [choice["Next"] for choice in state.get("Choices", ())] + named


def _failed(state: dict[str, Any]) -> list[str]:
    return [catch["Next"] for catch in state.get("Catch", ())]


def _comments(machine: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, state in machine["States"].items():
        if state["Type"] not in ("Wait", "Pass", "Choice"):
            yield name, state["Comment"]
        for branch in state.get("Branches", ()):
            yield from _comments(branch)


def written(page: str) -> str:
    """The page with each machine's part as it is now."""
    for machine in MACHINES:
        before, begin, rest = page.partition(f"<!-- make diagram: {machine} -->\n")
        _, end, after = rest.partition("\n<!-- end -->")
        if not end:
            raise ValueError(f"the page has no place for {machine}")
        page = before + begin + drawn(machine) + end + after
    return page


def main() -> int:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
