"""Starts the local cloud with a service to release, and leaves it up for the AWS CLI, boto3 and a browser."""

import argparse
import json
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from local import seed
from local.cloud import Cloud, PortTaken
from local.control.session import REGION
from local.demo import scenes
from local.demo.scenes import FIRST, PARAMETERS, ROOT, SCENES, SERVICE

RELEASE_ID = "stateExitedEventDetails.assignedVariables.release"  # PlanRelease assigns it
SHOWN = SCENES[:2]
RATE = 50.0  # requests a wall second: without any, no release is ever proven good


def guide(cloud: Any, outputs: dict[str, str], seeded: seed.Seeded, builders: dict[str, str]) -> str:
    """What to paste into a shell, and what to do next."""
    host, port = cloud.plane.address(seeded.load_balancer_dns, 80)
    exports = {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "RELEASE_STATE_MACHINE_ARN": outputs["ReleaseStateMachineArn"],
        "ROLLBACK_STATE_MACHINE_ARN": outputs["RollbackStateMachineArn"],
        "RELEASES_TABLE": outputs["ReleasesTableName"],
        "SHOP_URL": f"http://{host}:{port}/",
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
    lines += ["", f"# {seeded.service} {FIRST} answers here: curl $SHOP_URL"]
    for scene in SHOWN:
        lines += ["", f"# release {scene.title}", start_command(scene.version, builders[scene.version])]
    lines += ["", "# what the console would show, and the release's id", *history_commands()]
    lines += ["", "# take it back, while it runs or once it is promoted", *rollback_commands()]
    return "\n".join(lines)


def start_command(version: str, builder: str) -> str:
    """Starts a release, and keeps its execution's ARN in a variable."""
    given = json.dumps(scenes.release_input(version, builder))
    start = "aws stepfunctions start-execution --state-machine-arn $RELEASE_STATE_MACHINE_ARN"
    return f"EXECUTION_ARN=$({start} --query executionArn --output text --input {shlex.quote(given)})"


def history_commands() -> list[str]:
    name = "stateEnteredEventDetails.name || stateExitedEventDetails.name"
    events = f"events[].[timestamp, type, {name}, {RELEASE_ID}]"
    return [
        "aws stepfunctions describe-execution --execution-arn $EXECUTION_ARN",
        f"aws stepfunctions get-execution-history --execution-arn $EXECUTION_ARN --query {shlex.quote(events)} --output text",
    ]


def rollback_commands() -> list[str]:
    """Finds the release's id in its execution's history, and starts a rollback of it."""
    query = shlex.quote(f"events[].{RELEASE_ID} | [0]")
    found = f"--execution-arn $EXECUTION_ARN --no-paginate --query {query} --output text | tr -d '\"'"
    order = {"service": SERVICE, "release": "$RELEASE_ID", "reason": "checkout is slow"}
    quoted = json.dumps(order).replace('"', '\\"')
    start = "aws stepfunctions start-execution --state-machine-arn $ROLLBACK_STATE_MACHINE_ARN"
    return [
        f"RELEASE_ID=$(aws stepfunctions get-execution-history {found})",
        f'{start} --input "{quoted}"',
    ]


def serve(speed: float, port: int, out: Path, stop: threading.Event) -> None:
    """Stays up until `stop` is set."""
    with Cloud.served(speed=speed, port=port, out=out) as cloud:
        stack = cloud.deploy(ROOT / "template.yaml", PARAMETERS)
        seeded = scenes.service(cloud, RATE, speed)
        builders = scenes.builders(cloud, SHOWN)
        scenes.await_calm(cloud, seeded)
        with scenes.traffic(cloud, seeded, RATE, out):
            print(guide(cloud, stack.outputs, seeded, builders), flush=True)
            print(
                f"\n# {RATE:g} requests a second; one second here is {speed:g} there; Ctrl-C ends it",
                flush=True,
            )
            stop.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--speed", type=float, default=30.0, help="cloud seconds in a wall second")
    parser.add_argument("--port", type=int, default=5000, help="of the AWS API; 0 takes a free one")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "local")
    given = parser.parse_args()
    stop = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: stop.set())
    try:
        serve(given.speed, given.port, given.out, stop)
    except PortTaken as error:
        other = "python -m local --port 0 --out out/other"
        print(f"{error}; is another local cloud up? `{other}` takes a free port", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
