"""Starts the local cloud with a service to release, and leaves it up for the AWS CLI, boto3 and a browser."""

import argparse
import json
import shlex
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import seed
from local.cloud import Cloud, PortTaken
from local.control.session import REGION
from local.demo import scenes
from local.demo.scenes import FIRST, PARAMETERS, ROOT, SCENES, SERVICE

RELEASE_ID = "stateExitedEventDetails.assignedVariables.release"  # PlanRelease assigns it
SHOWN = SCENES[:2]
NEXT = SHOWN[0].version
RATE = 50.0  # requests a wall second: without any, no release is ever proven good
OWN_RATE = 3 * RATE  # what the first step of a profile that nobody has written needs, at 5 %


@dataclass(frozen=True)
class App:
    """A person's own app: the command that each instance runs, and the path that the load balancer checks."""

    command: str
    health_path: str


def exports(cloud: Any, outputs: dict[str, str], seeded: seed.Seeded, **more: str) -> list[str]:
    """What the AWS CLI, boto3 and the `viridian` command need to reach this cloud, for a shell."""
    host, port = cloud.plane.address(seeded.load_balancer_dns, 80)
    variables = {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "RELEASE_STATE_MACHINE_ARN": outputs["ReleaseStateMachineArn"],
        "ROLLBACK_STATE_MACHINE_ARN": outputs["RollbackStateMachineArn"],
        "RELEASES_TABLE": outputs["ReleasesTableName"],
        "SHOP_URL": f"http://{host}:{port}/",
        **more,
    }
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def guide(builders: dict[str, str]) -> list[str]:
    """What to do with the service that is seeded."""
    lines = ["", f"# {SERVICE} {FIRST} answers here: curl $SHOP_URL"]
    for scene in SHOWN:
        lines += ["", f"# release {scene.title}", start_command(scene.version, builders[scene.version])]
    lines += ["", "# what the console would show, and the release's id", *history_commands()]
    lines += ["", "# take it back, while it runs or once it is promoted", *rollback_commands()]
    return lines


def guide_to_own(app: App, image: str) -> list[str]:
    """What to do with a service of one's own app, which nobody has lent or registered yet."""
    return [
        "",
        f"# {SERVICE} {FIRST} answers here, by `{app.command}`: curl $SHOP_URL",
        f"# an image of {NEXT} is ready: {image}; docs/start.md says how to release it",
    ]


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


def serve(speed: float, port: int, out: Path, app: App | None, stop: threading.Event) -> None:
    """Stays up until `stop` is set; what a shell needs is printed, and in `out` as `env`."""
    with Cloud.served(speed=speed, port=port, out=out) as cloud:
        stack = cloud.deploy(ROOT / "template.yaml", PARAMETERS)
        if app is None:
            rate = RATE
            seeded = scenes.service(cloud, rate, speed)
            builders = scenes.builders(cloud, SHOWN)
            shown, more = guide(builders), {}
        else:
            rate = OWN_RATE
            seeded = scenes.service(
                cloud,
                rate,
                speed,
                app=app.command,
                health_path=app.health_path,
                tagged=False,
                register=False,
            )
            image = seed.ready_image(cloud, NEXT, SERVICE, app.command)
            shown, more = guide_to_own(app, image), {"NEW_IMAGE": image}
        scenes.await_calm(cloud, seeded)
        variables = exports(cloud, stack.outputs, seeded, **more)
        with scenes.traffic(cloud, seeded, rate, out):
            (out / "env").write_text("\n".join(variables) + "\n", encoding="utf-8")
            print(*variables, *shown, sep="\n", flush=True)
            print(
                f"\n# {rate:g} requests a second; one second here is {speed:g} there; Ctrl-C ends it",
                flush=True,
            )
            stop.wait()
            (out / "env").unlink()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--speed", type=float, default=30.0, help="cloud seconds in a wall second")
    parser.add_argument("--port", type=int, default=5000, help="of the AWS API; 0 takes a free one")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "local")
    parser.add_argument("--app", help="the command that each instance runs, with {port} and {version}")
    parser.add_argument("--health-path", default="/", help="what the load balancer asks of that app")
    given = parser.parse_args()
    app = App(given.app, given.health_path) if given.app else None
    stop = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: stop.set())
    try:
        serve(given.speed, given.port, given.out, app, stop)
    except PortTaken as error:
        other = "python -m local --port 0 --out out/other"
        print(f"{error}; is another local cloud up? `{other}` takes a free port", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
