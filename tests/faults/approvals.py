"""People who are asked: what they answer, when, who of them, and whether it is an answer at all."""

import json
import re
from collections.abc import Iterator
from typing import Any

from local import seed
from local.control.calls import PERSON, made_by, of_execution
from local.control.urls import Answer
from tests import hook
from tests.faults.kinds import kind
from tests.faults.moments import later
from tests.faults.place import Place
from tests.faults.points import Fault
from tests.faults.promises import alone, promise, route_writes
from tests.faults.sides import target_group_arn
from tests.person import Person
from tests.workflow.world import Release

MINUTES = 5
BOTH = {"before_traffic": True, "before_promote": True, "minutes": MINUTES}
LOOK = 10.0
YES = {"after": 20, "answer": "approve", "who": "mara"}
FORGED = {"id": "0" * 24}


def gated(world: Place) -> None:
    """The service has a hook before its first traffic, and wants a yes there and before promotion; people say it."""
    arn = hook.stands(world.cloud, {"verdict": "InProgress"}, {"verdict": "Successful"})
    hooks = {"before_traffic": {"arn": arn}}
    profile = {**world.shop.profile, "approval": BOTH, "hooks": hooks}
    seed.registered(world.cloud, world.shop.service, profile)
    people = {name: Person.named(world.cloud, name) for name in ("mara", "joe")}
    fault = next((fault for fault in world.run.faults if fault.kind == "answers"), None)
    said = fault.args["said"] if fault else [YES]
    heard: set[str] = set()
    world.facts["answers"] = []

    def look() -> None:
        for page in world.pages():
            if (found := re.search(r"-d '(\{.*?\})'", page.message)) and found[1] not in heard:
                heard.add(found[1])
                for each in said:
                    plan(json.loads(found[1]), each)
                if fault:
                    world.fired(fault)
        if any(run.status == "RUNNING" for run in world.executions()) or not heard:
            later(world, LOOK, look)

    def plan(question: dict[str, str], each: dict[str, Any]) -> None:
        later(world, float(each["after"]), lambda: say(question, each))

    def say(question: dict[str, str], each: dict[str, Any]) -> None:
        reply = {**question, "answer": each["answer"], "reason": "as it was agreed", **each.get("other", {})}
        with of_execution(None), made_by(PERSON):
            answer: Answer = people[each["who"]].post(world.outputs["ApprovalsUrl"], reply)
        world.facts["answers"].append([question["id"], each["answer"], answer.status])
        if answer.status >= 500:  # it failed on the way: people say it again
            plan(question, each)

    look()


@kind("answers")
def answers(world: Place, fault: Fault) -> None:
    """What people say to each question, instead of a yes after some seconds: args said; `gated` sees to it."""


@promise("F66")
def nothing_passes_a_gate_unanswered(world: Place, _: Release) -> Iterator[str]:
    """Green gets no traffic, and isn't promoted, before the ledger has a yes; and no question has two answers."""
    questions = {
        item["gate"]: json.loads(item["answered"])
        for item in world.items()
        if item["pk"].startswith("approval#") and "answered" in item
    }
    blue = target_group_arn(world, "blue")
    shifted = [each for each in route_writes(world) if not alone(each["after"], blue)]
    if shifted and questions.get("before_traffic", {}).get("answer") != "approve":
        yield f"green got traffic, and people said {questions.get('before_traffic')}"
    promoted = any(item.get("status") == "Promoted" for item in world.items() if item.get("sk") == "record")
    if promoted and questions.get("before_promote", {}).get("answer") != "approve":
        yield f"green was promoted, and people said {questions.get('before_promote')}"
    taken: dict[str, set[str]] = {}
    for id_, answer, status in world.facts.get("answers", []):
        if status == 200:
            taken.setdefault(id_, set()).add(answer)
    for id_, both in taken.items():
        if len(both) > 1:
            yield f"question {id_} took {' and '.join(sorted(both))}"
