"""docs/smoke-tests.md: its example is a release that is let through, and its preview leads a person to green."""

import http.client
import json
import re
import shlex
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.plane import network
from tests.stack import ROOT
from tests.workflow.world import ONE_STEP, Release, World

PAGE = (ROOT / "docs" / "smoke-tests.md").read_text(encoding="utf-8")


def example() -> dict[str, Any]:
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    return dict(json.loads(shown))


def output(release: Release, state: str) -> dict[str, Any]:
    """What a state put out, the last time, as the console shows it."""
    exits = [each.get("stateExitedEventDetails", {}) for each in release.execution.history]
    return dict(json.loads([each["output"] for each in exits if each.get("name") == state][-1]))


def follow(preview: str, *, header: bool = True) -> str:
    """The version that answers whoever pastes what a preview says."""
    words = shlex.split(re.findall(r"\((curl .*)\)$", preview)[0])
    name, _, value = words[words.index("--header") + 1].partition(": ")
    url = urlsplit(words[-1])
    assert preview.startswith(f"{words[-1]} with the header {name}: {value} (")
    assert url.hostname
    balancer = network.address(url.hostname, url.port or 80)
    connection = http.client.HTTPConnection(*balancer, timeout=5)
    try:
        connection.request("GET", url.path, headers={name: value} if header else {})
        return str(json.loads(connection.getresponse().read())["version"])
    finally:
        connection.close()


def test_the_example_of_the_page_lets_a_good_green_through_and_its_preview_leads_to_it(world: World) -> None:
    release = world.start(**example(), steps=ONE_STEP).until("ShiftTraffic")
    assert output(release, "RunSmokeTests") == {"verdict": "Successful", "reason": "5 smoke tests passed"}
    asked = sum(test.get("requests", 1) for test in example()["smoke_tests"])
    assert world.cloud.plane.by_version()["2.0.0"].requests == asked
    preview = output(release, "CheckGreen")["preview"]
    assert preview == release.plan["preview"]
    assert follow(preview) == "2.0.0"
    assert follow(preview, header=False) == "1.0.0", "everybody else is still on blue"


def test_the_preview_of_a_dry_run_has_its_place_in_the_output(world: World) -> None:
    told = world.release(dry_run=True).execution.output
    assert told["preview"] == told["plan"]["preview"]
    assert told["plan"]["standby"]["value"] in told["preview"]


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (
            {"path": "/", "expect": 'version = "3.0.0"', "attempts": 2},
            'GET /: expected version = "3.0.0", which is false: version is "2.0.0" (2 attempts)',
        ),
        (
            {"path": "/", "requests": 5, "status": [201, 202]},
            "GET /, request 1 of 5: status 200, expected 201 or 202",
        ),
    ],
)
def test_a_green_that_answers_otherwise_is_rolled_back_with_what_came(
    world: World, test: dict[str, Any], words: str
) -> None:
    release = world.release(smoke_tests=[test])
    assert release.end == "RolledBack"
    assert release.cause.startswith(f"SmokeTestsFailed: {words}")
    assert release.wrote_weights() == []


def test_a_test_that_nobody_can_pass_is_refused_before_anything_is_made(world: World) -> None:
    release = world.release(smoke_tests=[{"path": "/", "method": "HEAD", "contains": "2.0.0"}])
    assert release.end == "Refused"
    assert release.cause.startswith("Refusal: smoke_tests[0].contains: HEAD.")
    assert world.ledger("") == []
