"""What Viridian itself tells of a release: asked by its command, over HTTP, as a person would ask."""

import os
import subprocess
import sys
from typing import Any

import msgspec

from local.control.session import REGION
from local.demo.scenes import ROOT, SERVICE
from viridian_cli.story import Story


def story(cloud: Any, version: str) -> Story:
    """The story of the release of a version."""
    ran = subprocess.run(
        [sys.executable, "-m", "viridian_cli", "explain", SERVICE, version, "--json"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "functions")]),
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    return msgspec.json.decode(ran.stdout, type=Story)
