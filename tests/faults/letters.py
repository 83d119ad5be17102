"""Kinds that send a world what it can't mean: documents to its functions, inputs to its machines, before its release begins."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from local import seed
from local.control.calls import PERSON, made_by
from tests.faults import documents, scenarios
from tests.faults.documents import Paper
from tests.faults.kinds import kind
from tests.faults.place import STEPS, Place
from tests.faults.points import Fault
from tests.faults.refusals import Answer, Judge
from viridian.errors import Refusal
from viridian.messages import Brake, Guard
from viridian.request import Order, Profile, Request, Resume, parse

Send = Callable[[Any], Answer]
TOLD = 3  # failures of one run that are told


@kind("documents")
def sent(world: Place, fault: Fault) -> None:
    """Args count documents of args what (request, resume, profile, order, brake, guard) are sent to their function."""
    what = str(fault.args["what"])
    source = scenarios.ami(world, "3.0.0")
    form, send, *prefixes = _functions(world, source)[what]
    _each(world, fault, Judge(form, _writes(world), *prefixes), _fitting(world, form, source), send)


@kind("inputs")
def started(world: Place, fault: Fault) -> None:
    """Args count documents of args what (request, order) start their machine; none may go further than its refusal."""
    machine, form = ("Release", Request) if fault.args["what"] == "request" else ("Rollback", Order)
    arn, numbers = world.outputs[f"{machine}StateMachineArn"], itertools.count()

    def send(document: Any) -> Answer:
        if not documents.written_well(document) or _releases(form, document):
            return None, "", ""
        # Each document is drawn with the same chances: names that are drawn, too, would not be new.
        execution = world.cloud.wait(world.cloud.start(arn, document, f"input-{next(numbers)}"))
        if execution.status == "SUCCEEDED":
            return None, "", ""
        cause = str(execution.cause)
        if execution.error == "Refused" and cause.endswith(" never took its route: nothing was touched"):
            return None, "", ""
        named = (execution.error, cause.partition(": ")[0]) == ("Refused", "Refusal")
        return None, "Refusal" if named else str(execution.error), cause.removeprefix("Refusal: ")

    source = scenarios.ami(world, "3.0.0")
    _each(world, fault, Judge(form, _writes(world)), _fitting(world, form, source), send)


def prepare() -> None:
    """What drawing documents needs, loaded once for all processes."""
    for form in (Request, Resume, Profile, Order, Brake, Guard):
        documents.fitting(form)


def _each(world: Place, fault: Fault, judge: Judge, fit: st.SearchStrategy[Any], send: Send) -> None:
    failed: list[str] = []

    def look(paper: Paper) -> None:
        try:
            judge.look(paper, send(documents.decoded(paper.document)))
        except AssertionError as error:
            failed.append(str(error))

    with made_by(PERSON):
        documents.each(documents.papers(fit), int(fault.args["count"]), world.run.seed, look, shrink=False)
        seed.registered(world.cloud, "shop", world.shop.profile)
    world.fired(fault)
    world.facts["documents"] = dict(judge.counts)
    for words in failed[:TOLD]:
        world.checks.add("input", "viridian", f"{words} ({len(failed)} like it)"[:1200])


def _functions(world: Place, source: Any) -> dict[str, tuple[Any, ...]]:
    """What each kind of document is, how it is sent, and what its fields are called in a refusal."""
    machine = world.outputs["ReleaseStateMachineArn"].replace(":stateMachine:", ":execution:")
    now = datetime.now(UTC).isoformat()
    plan = {"execution": f"{machine}:a-document", "started_at": now, "planned_at": now}
    least = {"service": "shop", "version": "2.0.0", "source": source}
    order = {"execution": plan["execution"], "error": "RollbackOrdered", "cause": "no reason given"}

    def planned(document: Any) -> Answer:
        return _invoked(world, "PlanReleaseFunction", {**plan, "request": document})

    def registered(document: Any) -> Answer:
        seed.registered(world.cloud, "shop", document)
        return planned(least)

    return {
        "request": (Request, planned),
        "resume": (Resume, planned),
        "profile": (Profile, registered, "profile.", ""),
        "order": (Order, lambda each: _invoked(world, "RestoreBlueFunction", {**order, "order": each})),
        "brake": (Brake, lambda each: _invoked(world, "BrakeFunction", each)),
        "guard": (Guard, lambda each: _invoked(world, "GuardFunction", each)),
    }


def _fitting(world: Place, form: Any, source: Any) -> st.SearchStrategy[Any]:
    known = {
        "service": "shop",
        "version": "2.0.0",
        "source": source,
        "guards": [world.shop.guard_alarm],
        "steps": [dict(step) for step in STEPS],
        "route": world.shop.route_arn,
        "waive": None,
        "windows": {"time_zone": "UTC"},
        "dry_run": True,
    }
    return documents.fitting(form, {name: st.just(value) for name, value in known.items()})


def _invoked(world: Place, logical_id: str, event: Any) -> Answer:
    """What a function answers to exactly this event."""
    functions = world.cloud.functions
    name = next(name for name, code in functions._code.items() if code.logical_id == logical_id)
    answer = world.cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    told = json.loads(answer["Payload"].read())
    if "FunctionError" not in answer:
        return told, "", ""
    return None, str(told["errorType"]), str(told["errorMessage"])


def _writes(world: Place) -> Callable[[], list[str]]:
    """What functions have changed since it was last asked."""
    entries = world.cloud.calls.entries
    seen = [len(entries)]

    def since() -> list[str]:
        fresh, seen[0] = entries[seen[0] :], len(entries)
        return [
            each["call"] for each in fresh if each["mutating"] and str(each["principal"]).endswith("Function")
        ]

    return since


def _releases(form: Any, document: Any) -> bool:
    """Whether it is a request for a real release, which may go where it will."""
    if form is not Request:
        return False
    try:
        return not getattr(parse(document), "dry_run", True)
    except (Refusal, UnicodeError):
        return False
