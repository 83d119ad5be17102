"""The demo's scenes: a service, its traffic, and what is released onto it one after the other."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import seed
from local.control.session import ACCOUNT
from local.demo import figures, orphans
from local.demo.charts import RELEASED
from local.demo.figures import Evidence, Figures, Played
from local.demo.watch import Watch
from local.plane import load

SERVICE, FIRST = "shop", "1.0.0"
PARAMETERS = {"InstanceRoleArns": f"arn:aws:iam::{ACCOUNT}:role/{SERVICE}-instance"}
ROOT = Path(__file__).resolve().parents[2]
QUIET_SECONDS = 60.0  # cloud time that a scene goes on after its release
LOOK_SECONDS = 10.0
HEALTHY_SECONDS = 900.0
SCENE_SECONDS = 3 * 3600.0
DRAIN_WALL_SECONDS = 30.0


@dataclass(frozen=True)
class Scene:
    """A version to release, what is wrong with it, and how the release must end."""

    version: str
    story: str
    fault: str | None
    expected: str

    @property
    def title(self) -> str:
        return f"{self.version} {'is good' if self.fault is None else FAULTS[self.fault]}"


FAULTS = {
    "third": "passes its smoke tests, then fails a third of its requests",
    "unhealthy": "never becomes healthy",
}
SCENES = (
    Scene("2.0.0", "Released step by step and promoted.", None, "Promoted"),
    Scene("3.0.0", "The alarm goes off under traffic, and all of it goes back.", "third", "RolledBack"),
    Scene("4.0.0", "Rolled back before it gets any traffic.", "unhealthy", "RolledBack"),
)
CONTROL = Scene("2.0.0", "Released by a careless script: blue is gone before its traffic is.", None, RELEASED)


def profile(speed: float, rate: float) -> dict[str, Any]:
    """The service's profile, with a request floor that this load reaches in its first step."""
    first, observe = 10, 5
    expected = rate * 60 / speed * first / 100 * observe
    return {
        "steps": [
            {"weight": first, "observe_minutes": observe},
            {"weight": 50, "observe_minutes": observe},
            {"weight": 100, "observe_minutes": observe},
        ],
        "thresholds": {"error_percent": 5, "minimum_requests": max(5, int(expected * 0.4))},
        "smoke_tests": [{"path": "/", "contains": "version"}],
        "settle_seconds": 120,
        "deadlines": {"healthy_minutes": 8},
        "keep_minutes": 240,
    }


def service(cloud: Any, rate: float, speed: float) -> seed.Seeded:
    """Version 1.0.0, serving: its fleet is as large as its target tracking wants it under this load."""
    per_minute = rate * 60 / speed
    return seed.service(
        cloud,
        SERVICE,
        FIRST,
        instances=3,
        register=True,
        sticky=True,
        tracking_target=per_minute / 2.4,
        **profile(speed, rate),
    )


def builders(cloud: Any, scenes: Sequence[Scene]) -> dict[str, str]:
    """An instance to make each scene's image from, by version; all of them run."""
    made = {scene.version: seed.builder(cloud, scene.version, scene.fault, SERVICE) for scene in scenes}
    ec2 = cloud.client("ec2")

    def running() -> bool:
        found = ec2.describe_instances(InstanceIds=list(made.values()))["Reservations"]
        return all(
            each["State"]["Name"] == "running" for reservation in found for each in reservation["Instances"]
        )

    if not cloud.until(running, HEALTHY_SECONDS):
        raise TimeoutError(f"the builders don't run after {HEALTHY_SECONDS:g} cloud seconds")
    return made


def await_calm(cloud: Any, seeded: seed.Seeded) -> None:
    """Waits until what serves is whole and no guard is red; raises TimeoutError if that takes too long."""
    deadline = cloud.clock.now() + HEALTHY_SECONDS
    while unrest := _unrest(cloud, seeded):
        if cloud.clock.now() > deadline:
            raise TimeoutError(f"{unrest} after {HEALTHY_SECONDS:g} cloud seconds")
        cloud.until(lambda: False, LOOK_SECONDS)


def _unrest(cloud: Any, seeded: seed.Seeded) -> str | None:
    """What is not yet as it should be, as a person finds out."""
    for arn in route_weights(cloud, seeded):
        found = cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        states = [str(target["TargetHealth"]["State"]) for target in found]
        fleets = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        wanted = sum(fleet["DesiredCapacity"] for fleet in fleets if arn in fleet["TargetGroupARNs"])
        if states.count("healthy") != wanted or len(states) != wanted:
            return f"{states.count('healthy')} of {wanted} targets are healthy"
    guards = cloud.client("cloudwatch").describe_alarms(AlarmNames=[seeded.guard_alarm])["MetricAlarms"]
    return next((f"{each['AlarmName']} is red" for each in guards if each["StateValue"] == "ALARM"), None)


def route_weights(cloud: Any, seeded: seed.Seeded) -> dict[str, int]:
    """The production rule's weights by target group, as the ELBv2 API shows them to a person."""
    rules = cloud.client("elbv2").describe_rules(RuleArns=[seeded.route_arn])["Rules"]
    forward = rules[0]["Actions"][-1]["ForwardConfig"]["TargetGroups"]
    return {group["TargetGroupArn"]: group["Weight"] for group in forward}


def release_input(version: str, builder: str) -> dict[str, Any]:
    """What a person gives to the state machine."""
    return {
        "service": SERVICE,
        "version": version,
        "source": {"type": "instance", "instance_id": builder},
        "build": {"builder": "demo"},
    }


@contextmanager
def traffic(cloud: Any, seeded: seed.Seeded, rate: float, out: Path) -> Iterator[Path]:
    """Open-loop load from a process of its own while the block runs; its last requests are waited for."""
    log = out / "events.jsonl"
    log.unlink(missing_ok=True)
    host, port = cloud.plane.address(seeded.load_balancer_dns, 80)
    command = [sys.executable, "-m", "local.plane.load", "--url", f"http://{host}:{port}/"]
    command += ["--host", seeded.load_balancer_dns, "--out", str(log), "--rate", str(rate)]
    command += ["--speed", str(cloud.clock.speed), "--origin", f"{cloud.clock.now()},{cloud.clock.wall()}"]
    command += ["--seconds", str(8 * 3600), "--count", str(10**9)]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        _await_first(process, log)
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DRAIN_WALL_SECONDS + 300 / cloud.clock.speed)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_first(process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError("the load generator doesn't start")
        if log.exists() and log.stat().st_size:
            return
        time.sleep(0.05)
    raise RuntimeError("the load generator sends nothing")


class Stage:
    """Where scenes are played: the cloud, the service, and who looks on; `look` is called all the while."""

    def __init__(
        self, cloud: Any, seeded: seed.Seeded, stack: Any, watch: Watch, builders: Mapping[str, str]
    ) -> None:
        self.cloud = cloud
        self.seeded = seeded
        self.stack = stack
        self.watch = watch
        self.builders = builders
        self.look: Callable[[str | None], None] = lambda execution: None
        self.after: dict[str, tuple[dict[str, int], list[str], dict[str, int]]] = {}

    def play(self, scene: Scene, blue: str) -> Played:
        """Releases the scene's version once all is calm, and stays for a while after."""
        cloud = self.cloud
        await_calm(cloud, self.seeded)
        counted = self._balancer()
        began = cloud.clock.now()
        machine = self.stack.outputs["ReleaseStateMachineArn"]
        arn = cloud.start(machine, release_input(scene.version, self.builders[scene.version]))
        self._until(lambda: cloud.execution(arn).status != "RUNNING", arn)
        run, ran_until = cloud.execution(arn), cloud.clock.now()
        self._rest(QUIET_SECONDS, arn)
        self._look_back(scene, blue, counted)
        return Played(
            name=scene.title,
            version=scene.version,
            blue=blue,
            expected=scene.expected,
            began=began,
            ended=cloud.clock.now(),
            ran_until=ran_until,
            status=run.status,
            error=run.error,
            execution=arn,
            history=run.history,
            cause=run.cause,
        )

    def play_script(self, scene: Scene, blue: str, script: Callable[[str], Any]) -> Played:
        """The same, released by a script that is given the builder and knows nothing of Viridian."""
        cloud = self.cloud
        await_calm(cloud, self.seeded)
        counted = self._balancer()
        began = cloud.clock.now()
        ended: list[BaseException | None] = []
        cloud.clock.spawn(lambda: ended.append(_error_of(script, self.builders[scene.version])), "script")
        self._until(lambda: bool(ended), None)
        if ended[0] is not None:
            raise ended[0]
        ran_until = cloud.clock.now()
        self._rest(QUIET_SECONDS, None)
        self._look_back(scene, blue, counted)
        return Played(
            name=scene.title,
            version=scene.version,
            blue=blue,
            expected=scene.expected,
            began=began,
            ended=cloud.clock.now(),
            ran_until=ran_until,
            status=RELEASED,
            error=None,
            execution=None,
        )

    def measure(self, played: Played, evidence: Evidence) -> Figures:
        """The scene's figures, once every request is in the log."""
        weights, left, balancer = self.after[played.version]
        return figures.measure(played, evidence, weights, left, balancer)

    def evidence(self, events: Path) -> Evidence:
        return Evidence(
            speed=self.cloud.clock.speed,
            route=self.seeded.route_arn,
            guards=[self.seeded.guard_alarm],
            events=load.read(events)[0],
            calls=self.cloud.calls.entries,
            invocations=self.cloud.lambda_invocations,
            turns=self.watch.turns,
            sights=self.watch.sights,
            versions=self.watch.versions,
        )

    def _look_back(self, scene: Scene, blue: str, counted: dict[str, int]) -> None:
        shown = figures.percent(route_weights(self.cloud, self.seeded), self.watch.versions)
        weights = {blue: 0, scene.version: 0, **shown}
        table = self.stack.outputs["ReleasesTableName"] if self.stack else None
        left = orphans.find(self.cloud, table, self.cloud.clock.now()) if table else []
        now = self._balancer()
        self.after[scene.version] = weights, left, {name: now[name] - counted[name] for name in now}

    def _balancer(self) -> dict[str, int]:
        """What HAProxy itself has counted so far."""
        counts = self.cloud.plane.counts().values()
        return {
            "requests": sum(each.requests for each in counts),
            "target_5xx": sum(each.target_5xx for each in counts),
            "elb_5xx": sum(each.elb_5xx for each in counts) + self.cloud.plane.no_target_5xx(),
        }

    def _rest(self, seconds: float, arn: str | None) -> None:
        until = self.cloud.clock.now() + seconds
        self._until(lambda: self.cloud.clock.now() >= until, arn)

    def _until(self, condition: Callable[[], bool], arn: str | None) -> None:
        def looked() -> bool:
            self.look(arn)
            return condition()

        if not self.cloud.until(looked, SCENE_SECONDS):
            raise TimeoutError(f"the scene isn't over after {SCENE_SECONDS / 3600:g} cloud hours")


def _error_of(script: Callable[[str], Any], builder: str) -> BaseException | None:
    try:
        script(builder)
    except BaseException as error:
        return error
    return None
