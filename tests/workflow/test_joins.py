"""A request that comes again under its key, as a pipeline's retry does: one release, whose end every execution has."""

import json
import re
from typing import Any

from tests.stack import ROOT
from tests.workflow.world import Item, Release, World

PAGE = (ROOT / "docs" / "codepipeline.md").read_text(encoding="utf-8")
KEY = "d1f7b6c2-3a58-4e09-9c44-7b0e8f2a6d15"


def request(world: World, **asked: Any) -> Item:
    """What a pipeline sends, as docs/codepipeline.md has it, each time anew, until one of its executions is over."""
    known = {"Build.VERSION": "2.0.0", "Bake.AMI_ID": world.ami()["image_id"]}
    known["codepipeline.PipelineExecutionId"] = KEY
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    return {**json.loads(re.sub(r"#\{([\w.]+)\}", lambda variable: known[variable[1]], shown)), **asked}


def changed(world: World, execution: Release) -> list[str]:
    """Every changing call that an execution sent, the ledger's included."""
    return [call["call"] for call in world.cloud.calls.of(execution.arn) if call["mutating"]]


def ensure_joined(world: World, execution: Release, release: Release) -> None:
    """It has that release's end and cause, and has touched nothing for it."""
    assert (execution.end, execution.cause) == (release.end, release.cause)
    assert execution.execution.status == release.execution.status
    assert changed(world, execution) == []
    assert execution.record == {}


def test_a_retry_waits_for_the_release_that_runs_and_ends_as_it_does(world: World) -> None:
    asked = request(world)
    first = world.submit(asked).until("JudgeGreen")
    retried, aborted = world.submit(asked), world.submit(asked)
    for each in (retried, aborted):
        each.until("WaitForRelease")
    world.stop(aborted, error="Stopped", cause="by a person, from the console")
    world.pass_minutes(2)
    assert (first.running, retried.running) == (True, True)
    assert first.wait().end == "Promoted", first.cause
    ensure_joined(world, retried.wait(), first)
    told = {"service": "shop", "release": first.id, "version": "2.0.0", "outcome": "Promoted"}
    assert retried.execution.output == told
    assert first.execution.output.items() > told.items()
    assert changed(world, aborted) == []
    assert world.rollbacks() == []
    assert [item["pk"] for item in world.ledger("record")] == [f"release#shop#{first.id}"]


def test_a_retry_of_what_was_rolled_back_fails_at_once_for_the_same_cause(world: World) -> None:
    wrong = [{"path": "/", "contains": "another version"}]
    asked = request(world, smoke_tests=wrong)
    first = world.submit(asked).wait()
    assert first.end == "RolledBack"
    assert first.cause.startswith("SmokeTestsFailed: ")
    retried = world.submit(asked).wait()
    assert retried.states == ["PlanRelease", "IsDryRun", "HasItEnded", "RolledBack"]
    ensure_joined(world, retried, first)
    other = world.submit({**asked, "version": "3.0.0"}).wait()
    assert other.end == "Refused"
    assert other.cause.startswith("Refusal: version: 3.0.0. ")
    assert first.id in other.cause
    assert changed(world, other) == []


def test_of_two_executions_at_once_one_releases_and_the_other_joins_it(world: World) -> None:
    """Both have planned; the ledger's transaction decides."""
    asked = request(world)
    world.faults.hangs("AcquireLockFunction", 20, times=2)
    both = [world.submit(asked), world.submit(asked)]
    for each in both:
        each.until("AcquireLock")
    for each in both:
        assert each.wait().end == "Promoted", each.cause
    first, second = sorted(both, key=lambda each: "WaitForRelease" in each.states)
    assert second.states[:5] == ["PlanRelease", "IsDryRun", "Release", "AcquireLock", "PlanRelease"]
    assert second.execution.output["release"] == first.id
    assert world.mutations(second.arn) == []
    assert second.record == {}
    assert len(world.ledger("record")) == 1


def test_without_a_key_two_executions_are_two_releases(world: World) -> None:
    asked = {name: value for name, value in request(world).items() if name != "key"}
    first = world.submit(asked).until("WaitForImage")
    second = world.submit(asked).wait()
    assert second.end == "Refused"
    assert f"held by release {first.id}" in second.cause
