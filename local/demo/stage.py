"""Plays a scene on the local cloud: releases, stops what is to be stopped, and keeps what was to be seen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from local import seed
from local.control.delivery import Delivery
from local.demo import figures, orphans, scenes
from local.demo.figures import Evidence, Figures, Played
from local.demo.scenes import Order, Scene, Side, Stop
from local.demo.watch import Watch
from local.plane import load
from viridian_cli.course import percent
from viridian_cli.report.charts import RELEASED

QUIET_SECONDS = 60.0  # cloud time that a scene goes on after its release
STANDING_SECONDS = 60.0  # and that both sides serve before an execution is stopped
SCENE_SECONDS = 3 * 3600.0
RESCUED_SECONDS = 3600.0
HALF_WAY = {"weight": scenes.HALF, "observe_minutes": 5}
ALL_THE_WAY = {"weight": 100, "observe_minutes": 5}
SEEN_MINUTES = (
    10  # until a doubled load fills the five minutes by which it is measured, and CloudWatch shows them
)


@dataclass(frozen=True)
class Ran:
    """What was run in a scene, and how the last of it ended; `fleets` and `sides` as `figures.Played` has them."""

    outcome: str
    executions: tuple[str, ...] = ()
    history: Sequence[Mapping[str, Any]] = ()
    cause: str | None = None
    fleets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sides: Mapping[str, Side] = field(default_factory=dict)


@dataclass
class After:
    """What stands when a scene is over."""

    weights: dict[str, int]
    left: list[str]
    balancer: dict[str, int]
    standing: list[str]


@dataclass
class Lost:
    """Events that never arrive: a fault of the world, which Viridian knows nothing of."""

    events: Any
    kind: str
    count: int = 0

    def __call__(self, delivery: Delivery, hand_over: Callable[[], None]) -> None:
        if delivery.event is not None and delivery.event["detail-type"] == self.kind:
            self.count += 1
        else:
            hand_over()


@contextmanager
def losing(events: Any, kind: str) -> Iterator[Lost]:
    """While the block runs, events of this kind reach no target of any rule."""
    lost, before = Lost(events, kind), events.courier
    events.courier = lost
    try:
        yield lost
    finally:
        events.courier = before


class Stage:
    """Where scenes are played: the cloud, the service, and who looks on.

    `look` is called all the while, `double` to double the load.
    """

    def __init__(
        self, cloud: Any, seeded: seed.Seeded, stack: Any, watch: Watch, builders: Mapping[str, str]
    ) -> None:
        self.cloud = cloud
        self.seeded = seeded
        self.stack = stack
        self.watch = watch
        self.builders = builders
        self.look: Callable[[Sequence[str]], None] = lambda executions: None
        self.double: Callable[[], None] = lambda: None
        self.after: dict[str, After] = {}

    def play(self, scene: Scene, blue: str) -> Played:
        """Releases the scene's version once all is calm, and stays for a while after."""
        return self._play(scene, blue, lambda: self._run_scene(scene))

    def play_script(self, scene: Scene, blue: str, script: Callable[[str], Any]) -> Played:
        """The same, released by a script that is given the builder and knows nothing of Viridian."""
        return self._play(scene, blue, lambda: self._run(script, self.builders[scene.version]))

    def measure(self, played: Played, evidence: Evidence) -> Figures:
        """The scene's figures, once every request is in the log."""
        after = self.after[played.version]
        return figures.measure(played, evidence, after.weights, after.left, after.balancer, after.standing)

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
            told=self.cloud.names.told(),
        )

    # --- one scene ----------------------------------------------------------------------------------------

    def _play(self, scene: Scene, blue: str, run: Callable[[], Ran]) -> Played:
        cloud = self.cloud
        scenes.await_calm(cloud, self.seeded)
        counted = self._balancer()
        began = cloud.clock.now()
        ran = run()
        ran_until = cloud.clock.now()
        self._rest(QUIET_SECONDS, ran.executions)
        self.after[scene.version] = self._look_back(scene, blue, counted)
        return Played(
            name=scene.title,
            version=scene.version,
            blue=blue,
            expected=scene.expected,
            bad=scene.fault is not None,
            began=began,
            ended=cloud.clock.now(),
            ran_until=ran_until,
            outcome=ran.outcome,
            executions=ran.executions,
            history=ran.history,
            cause=ran.cause,
            fleets=ran.fleets,
            sides=ran.sides,
        )

    def _run_scene(self, scene: Scene) -> Ran:
        if scene.stop is not None:
            return self._stop(scene, scene.stop)
        if scene.order is not None:
            return self._take_back(scene, scene.order)
        return self._grow(scene) if scene.doubles else self._release(scene)

    def _release(self, scene: Scene) -> Ran:
        arn, sides = self._start(scene), dict[str, Side]()
        if scenes.is_named(self.seeded):
            self._until(lambda: self._share(scene) > 0 or self._is_over(arn), [arn])
            found = scenes.sides(self.cloud, self.seeded)
            sides = {self.watch.versions[side.target_group]: side for side in found}
        self._until(lambda: self._is_over(arn), [arn])
        return replace(self._ended(arn), sides=sides)

    def _grow(self, scene: Scene) -> Ran:
        """Doubles the load at half the traffic, and leaves the release to deal with it."""
        arn = self._start(scene, steps=[{**HALF_WAY, "observe_minutes": SEEN_MINUTES}, ALL_THE_WAY])
        self._until_half(scene, arn)
        self.double()
        self._until(lambda: self._is_over(arn), [arn])
        return self._ended(arn)

    def _until_half(self, scene: Scene, arn: str) -> None:
        self._until(lambda: self._share(scene) == scenes.HALF or self._is_over(arn), [arn])
        self._rest(STANDING_SECONDS, [arn])

    def _stop(self, scene: Scene, stop: Stop) -> Ran:
        """Stops the execution at half the traffic, as a person does, and waits until somebody has taken it back."""
        arn, cloud = self._start(scene, steps=[HALF_WAY, ALL_THE_WAY]), self.cloud
        self._until_half(scene, arn)
        if self._is_over(arn):
            return self._ended(arn)
        before = self._rollbacks()

        def rescuers() -> list[str]:
            return [arn for arn in self._rollbacks() if arn not in before]

        def is_taken_back() -> bool:
            return bool(rescuers()) and all(map(self._is_over, rescuers()))

        kind = "Step Functions Execution Status Change"
        with nullcontext() if stop.told else losing(cloud.events, kind) as lost:
            words = {"error": "Stopped", "cause": "by a person, at half the traffic"}
            cloud.client("stepfunctions").stop_execution(executionArn=arn, **words)
            self._until(is_taken_back, [arn], RESCUED_SECONDS, rescuers)
        if lost is not None and not lost.count:
            raise RuntimeError("no event was lost on its way: the scene shows nothing")
        return self._ended(arn, *rescuers())

    def _take_back(self, scene: Scene, order: Order) -> Ran:
        """Orders a promoted release back, as a person does who has found out later."""
        ran, cloud = self._release(scene), self.cloud
        if ran.outcome != "Promoted":
            return ran
        (arn,), blue = ran.executions, self.seeded.group_name
        green = next(sight.group for sight in self.watch.fleets() if sight.version == scene.version)
        fleets = {"blue": scenes.fleet(cloud, blue), "green": scenes.fleet(cloud, green)}
        self._rest(order.after_minutes * 60, [arn])
        known = orphans.entries(cloud, self.stack.outputs["ReleasesTableName"])
        release = next(name for name in known if name.startswith(f"{scene.version}-"))
        given = {"service": scenes.SERVICE, "release": release, "reason": "customers see old prices"}
        rollback = str(cloud.start(self.stack.outputs["RollbackStateMachineArn"], given))
        self._until(lambda: self._is_over(rollback), [arn, rollback])
        fleets["blue again"] = scenes.fleet(cloud, blue)
        return replace(self._ended(arn, rollback), fleets=fleets)

    def _run(self, script: Callable[[str], Any], builder: str) -> Ran:
        ended: list[BaseException | None] = []
        self.cloud.clock.spawn(lambda: ended.append(_error_of(script, builder)), "script")
        self._until(lambda: bool(ended), [])
        if ended[0] is not None:
            raise ended[0]
        return Ran(RELEASED)

    # --- executions ---------------------------------------------------------------------------------------

    def _start(self, scene: Scene, **asked: Any) -> str:
        machine = self.stack.outputs["ReleaseStateMachineArn"]
        wanted = {**scenes.asked(self.cloud, scene), **asked}
        given = scenes.release_input(scene.version, self.builders[scene.version], **wanted)
        return str(self.cloud.start(machine, given))

    def _rollbacks(self) -> list[str]:
        return list(self.cloud.executions(self.stack.outputs["RollbackStateMachineArn"]))

    def _is_over(self, arn: str) -> bool:
        return bool(self.cloud.execution(arn).status != "RUNNING")

    def _ended(self, *arns: str) -> Ran:
        """A release is as its last execution ended: the rollback's, where there was one."""
        runs = [self.cloud.execution(arn) for arn in arns]
        last = runs[-1]
        outcome = last.states[-1] if last.status == "SUCCEEDED" else last.error or last.status
        history = [event for run in runs for event in run.history]
        return Ran(outcome, tuple(arns), history, last.cause)

    def _share(self, scene: Scene) -> int:
        """The version's percent of the traffic."""
        weights = percent(self.watch.weights(self.seeded.route_arn), self.watch.versions)
        return weights.get(scene.version, 0)

    # --- looking on ---------------------------------------------------------------------------------------

    def _look_back(self, scene: Scene, blue: str, counted: dict[str, int]) -> After:
        shown = percent(scenes.route_weights(self.cloud, self.seeded), self.watch.versions)
        weights = {blue: 0, scene.version: 0, **shown}
        table = self.stack.outputs["ReleasesTableName"] if self.stack else None
        left = orphans.find(self.cloud, table, self.cloud.clock.now()) if table else []
        now = self._balancer()
        standing = self.cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
        names = sorted(str(each["LoadBalancerName"]) for each in standing)
        return After(weights, left, {name: now[name] - counted[name] for name in now}, names)

    def _balancer(self) -> dict[str, int]:
        """What HAProxy itself has counted so far."""
        counts = self.cloud.plane.counts().values()
        return {
            "requests": sum(each.requests for each in counts),
            "target_5xx": sum(each.target_5xx for each in counts),
            "elb_5xx": sum(each.elb_5xx for each in counts) + self.cloud.plane.no_target_5xx(),
        }

    def _rest(self, seconds: float, executions: Sequence[str]) -> None:
        until = self.cloud.clock.now() + seconds
        self._until(lambda: self.cloud.clock.now() >= until, executions)

    def _until(
        self,
        condition: Callable[[], bool],
        executions: Sequence[str],
        seconds: float = SCENE_SECONDS,
        others: Callable[[], Sequence[str]] = list,
    ) -> None:
        def looked() -> bool:
            self.look([*executions, *others()])
            return condition()

        if not self.cloud.until(looked, seconds):
            raise TimeoutError(f"the scene isn't over after {seconds / 3600:g} cloud hours")


def _error_of(script: Callable[[str], Any], builder: str) -> BaseException | None:
    try:
        script(builder)
    except BaseException as error:
        return error
    return None
