"""The local cloud left up for people: what it prints works when pasted, and a port that is taken is told."""

import json
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jmespath  # type: ignore[import-untyped]
import pytest

from local import __main__ as main
from local.cloud import Cloud, PortTaken
from local.demo.scenes import ROOT


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield door.getsockname()[1]


def test_a_second_one_on_a_taken_port_says_so_and_ends(taken: int, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = [sys.executable, "-m", "local", "--port", str(taken), "--out", str(out)]
    ended = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"port {taken} is taken; ")
    assert "Traceback" not in ended.stderr
    assert not out.exists(), "the one that is up writes there"


def test_a_taken_port_leaves_nothing_behind(taken: int, tmp_path: Path) -> None:
    with pytest.raises(PortTaken), Cloud.served(port=taken, out=tmp_path):
        pass
    with Cloud.virtual() as cloud:
        assert cloud.client("sqs").list_queues()["ResponseMetadata"]


def query(command: str) -> Any:
    """What a command asks for of the answer."""
    words = shlex.split(command.split("$(", 1)[-1].split(" | tr", 1)[0])
    return jmespath.compile(words[words.index("--query") + 1])


def test_the_history_shows_the_release_and_its_rollback_names_it(cloud: Cloud, workshop: Any) -> None:
    states = {
        "PlanRelease": {"Type": "Pass", "Assign": {"release": "2.0.0-3f9c21"}, "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 1, "End": True},
    }
    workshop.machine({"StartAt": "PlanRelease", "States": states})
    arn = cloud.run(workshop.deploy(cloud).resources["Machine"], {}).arn
    history = cloud.client("stepfunctions").get_execution_history(executionArn=arn)
    shown = query(main.history_commands()[1]).search(history)
    assert [line[2] for line in shown if line[2]] == ["PlanRelease", "PlanRelease", "Wait", "Wait"]
    assert [line[3] for line in shown if line[3]] == ['"2.0.0-3f9c21"']
    find, start = main.rollback_commands()
    assert query(find).search(history) == '"2.0.0-3f9c21"'
    script = f'aws() {{ for last; do :; done; printf %s "$last"; }}; RELEASE_ID=2.0.0-3f9c21; {start}'
    order = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert json.loads(order) == {"service": "shop", "release": "2.0.0-3f9c21", "reason": "checkout is slow"}
