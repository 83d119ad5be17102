"""The step of the GitHub Actions example, run by a shell against the API: it ends as the release does, and says why."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from local.control.session import REGION
from tests.stack import ROOT
from tests.workflow.test_break_glass import over_http
from tests.workflow.world import World

WORKFLOW = yaml.safe_load((ROOT / "examples" / "github-actions" / "release.yml").read_text())
(STEP,) = (step for step in WORKFLOW["jobs"]["release"]["steps"] if step.get("name") == "Release")
LOOK = "sleep 15"
PAGE = (ROOT / "docs" / "github-actions.md").read_text(encoding="utf-8")


def evaluated(expression: str, **known: str) -> Any:
    """The document that GitHub's `format` makes of these values."""
    found = re.fullmatch(r"\$\{\{ format\('(.*)', (.*)\) \}\}", expression)
    assert found
    values = [json.dumps(known[name]) for name in re.findall(r"toJSON\(([\w.]+)\)", found[2])]
    return json.loads(found[1].format(*values))


def run(world: World, folder: Path, image: str) -> tuple[int, str, str]:
    """The step's exit code, what it prints, and the summary."""
    asked = evaluated(
        STEP["env"]["INPUT"],
        **{
            "inputs.version": "2.0.0",
            "inputs.image": image,
            "github.sha": "3f9c21a",
            "github.run_id": "1841",
        },
    )
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert asked == {**json.loads(shown), "source": {"type": "ami", "image_id": image}}
    summary = folder / "summary.md"
    assert LOOK in STEP["run"]
    with over_http() as endpoint:
        step = subprocess.Popen(
            ["bash", "-eo", "pipefail", "-c", STEP["run"].replace(LOOK, "sleep 0.2")],
            env={
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_REGION": REGION,
                "AWS_SECRET_ACCESS_KEY": "local",
                "GITHUB_STEP_SUMMARY": str(summary),
                "HOME": str(folder),
                "INPUT": json.dumps(asked),
                "MACHINE": world.outputs["ReleaseStateMachineArn"],
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while step.poll() is None:
            world.pass_minutes(5)
            time.sleep(0.1)
    printed = step.stdout.read() if step.stdout else ""
    return step.returncode, printed, summary.read_text() if summary.exists() else ""


def test_a_release_that_is_promoted_makes_the_job_green(world: World, tmp_path: Path) -> None:
    code, printed, summary = run(world, tmp_path, world.ami()["image_id"])
    assert code == 0, printed
    assert summary.startswith("### Promoted\n")
    (release,) = world.ledger("record")
    assert f"/{release['plan']['execution']}" in summary
    assert release["plan"]["key"] == "1841"


def test_a_release_that_is_rolled_back_fails_the_job_and_says_why(world: World, tmp_path: Path) -> None:
    code, printed, summary = run(world, tmp_path, world.ami(fault="third")["image_id"])
    assert code == 1
    (release,) = world.ledger("record")
    assert summary.startswith("### RolledBack\n")
    assert release["failure"].split(".")[0] in summary
    assert printed.splitlines()[-1].startswith("::error title=RolledBack::")
