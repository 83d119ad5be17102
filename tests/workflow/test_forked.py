"""No test of the prepared world sees what another did, and what becomes of it is told as of any other test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.world import ONE_STEP, ROOT, World

SEEN: list[int] = []
SAMPLES = """
import os, warnings
import pytest

def test_passes(world):
    warnings.warn("a warning of the test's")

def test_fails(world):
    print("what it printed")
    left = 1
    assert left == 2

def test_skips(world):
    pytest.skip("why it skips")

def test_dies(world):
    os._exit(0 if world is None else 7)

def test_leaves_a_failure(world):
    world.cloud.clock.failures.append("what a ticker met")
"""


@pytest.mark.parametrize("turn", [1, 2])
def test_whatever_one_test_does_the_next_has_a_new_world_and_a_new_process(world: World, turn: int) -> None:
    assert (SEEN, "LEFT_BY_A_TEST" in os.environ) == ([], False)
    assert (world.weights(), world.ledger("record"), world.paged()) == ({"shop-1": 100}, [], [])
    assert (world.group().in_service, world.nobody_lost_anything()) == (3, True)
    assert world.shop.profile["steps"] != ONE_STEP
    SEEN.append(turn)
    os.environ["LEFT_BY_A_TEST"] = str(turn)
    world.shop.profile["steps"] = ONE_STEP
    world.lose(*world.instances())
    assert world.release().end == "Refused"
    assert not world.nobody_lost_anything()


@pytest.mark.profile(steps=ONE_STEP)
def test_a_mark_names_the_profile_that_the_service_has(world: World) -> None:
    release = world.half_way()
    assert release.wrote_weights() == [{release.green: 100}]


def test_what_becomes_of_a_test_in_its_own_process_is_told_as_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "test_samples.py").write_text(SAMPLES)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT} {ROOT / 'functions'}\n")
    told = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-qrs",
            "-p",
            "tests.conftest",
            "--rootdir",
            tmp_path,
            tmp_path,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'functions'}"},
        text=True,
        capture_output=True,
        check=False,
    ).stdout
    assert "2 failed, 2 passed, 1 skipped, 1 warning, 1 error" in told, told
    for words in (
        ".FsF.E",
        "assert 1 == 2",
        "what it printed",
        "why it skips",
        "its process died: 7",
        "what a ticker met",
        "a warning of the test's",
    ):
        assert words in told, told
