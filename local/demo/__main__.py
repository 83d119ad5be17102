"""Plays the demo: releases under live traffic, a picture, the figures, and whether every promise was kept."""

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import straight_line
from local.cloud import Cloud
from local.demo import explain, figures, promises, report, scenes
from local.demo.figures import Evidence, Figures, Played
from local.demo.report import Chapter
from local.demo.scenes import CONTROL, FIRST, SCENES, Scene
from local.demo.stage import Stage
from local.demo.view import Fleet, Snapshot, View, name_words, open_view
from local.demo.watch import Watch
from local.plane import load
from viridian_cli.course import Course, Slice, percent, states
from viridian_cli.report import page
from viridian_cli.report.charts import RELEASED, SCRIPT

ROOT = Path(__file__).resolve().parents[2]
RATE = 100.0  # requests a wall second
LOOK_WALL_SECONDS = 0.25
SLICES = 90  # stretches of time in a drawn scene


@dataclass(frozen=True)
class Show:
    """What is played in one go: where its files go, its scenes, and what the service's template says beside."""

    folder: str
    title: str
    scenes: Sequence[Scene]
    launched: dict[str, Any] | None = None
    control: bool = False
    by_name: bool = False


DEMO = Show("demo", "Six releases, as their clients saw them", SCENES)
CARELESS = Show("demo-control", "A careless release, as its clients saw it", (scenes.CONTROL,), control=True)
UPGRADE = Show(
    "demo-upgrade", "Two upgrades taken back, as their clients saw them", scenes.UPGRADES, scenes.OLD
)


ROUTE53 = Show("demo-route53", "Two releases by DNS, as their clients saw them", scenes.BY_NAME, by_name=True)


class Onlooker:
    """Puts together, a few times a second, what the view shows."""

    def __init__(self, view: View, events: Path, stage: Stage, scene: Scene, blue: str) -> None:
        self._view, self._events, self._stage, self._scene, self._blue = view, events, stage, scene, blue
        self._began = stage.cloud.clock.now()
        self._offset = events.stat().st_size
        self._recent: list[tuple[float, load.Event]] = []
        self._requests = self._lost = 0
        self._next = 0.0

    def look(self, executions: Sequence[str]) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LOOK_WALL_SECONDS
        fresh, self._offset = load.read(self._events, self._offset)
        self._requests += len(fresh)
        self._lost += sum(event.lost is not None for event in fresh)
        self._recent = [(at, event) for at, event in self._recent if at > now - 1] + [(now, e) for e in fresh]
        self._view.show(self._snapshot(executions))

    def _snapshot(self, executions: Sequence[str]) -> Snapshot:
        stage = self._stage
        rates, failing = Counter[str](), Counter[str]()
        for _, event in self._recent:
            rates[event.version or "lost"] += 1
            failing[event.version or "lost"] += event.failed
        history = [event for arn in executions for event in stage.cloud.execution(arn).history]
        return Snapshot(
            title=self._scene.title,
            blue=self._blue,
            green=self._scene.version,
            seconds=stage.cloud.clock.now() - self._began,
            states=[(at - self._began, name) for at, name in states(history)],
            weights=percent(stage.watch.weights(stage.seeded.route_arn), stage.watch.versions),
            rates=dict(rates),
            failing=dict(+failing),
            requests=self._requests,
            lost=self._lost,
            fleets=[Fleet(s.version, s.in_service, s.desired) for s in stage.watch.fleets()],
            alarms=[name for name in stage.watch.alarming() if not name.startswith("TargetTracking")],
        )


def play(show: Show, speed: float, out: Path, rate: float) -> int:
    """The whole show; answers with the exit code."""
    view = open_view()
    out.mkdir(parents=True, exist_ok=True)
    for old in (out / "summary.json", *out.glob("*.html")):
        old.unlink(missing_ok=True)
    try:
        with Cloud.served(speed=speed, out=out) as cloud:
            stage = _set(show, cloud, view, rate)
            with scenes.traffic(cloud, stage.seeded, rate, out) as traffic:
                stage.double = traffic.double
                played = [*_perform(show, stage, view, traffic.log)]
            chapters = _chapters(show, stage, played, traffic.log)
            failures = list(cloud.clock.failures)
        return _tell(show, view, speed, out, chapters, failures)
    finally:
        view.close()


def _set(show: Show, cloud: Any, view: View, rate: float) -> Stage:
    view.say(f"local cloud up at {cloud.endpoint}; one second here is {cloud.clock.speed:g} there")
    given = {**scenes.PARAMETERS, **({"RecordNames": scenes.NAME} if show.by_name else {})}
    stack = None if show.control else cloud.deploy(ROOT / "template.yaml", given)
    watch = Watch(cloud)
    seeded = scenes.service(cloud, rate, cloud.clock.speed, show.launched)
    seeded = scenes.named(cloud, seeded) if show.by_name else seeded
    scenes.tighten(cloud, seeded)
    builders = scenes.builders(cloud, show.scenes)
    scenes.await_calm(cloud, seeded)
    view.say(f"{seeded.service} {FIRST} serves: three instances in two zones, {rate:g} requests a second\n")
    return Stage(cloud, seeded, stack, watch, builders)


def _perform(show: Show, stage: Stage, view: View, events: Path) -> Iterator[tuple[Scene, Played]]:
    blue = FIRST
    for scene in show.scenes:
        view.say(f"{scene.title}: expected {scene.expected}" if not show.control else scene.story)
        stage.look = Onlooker(view, events, stage, scene, blue).look
        played = stage.play_script(scene, blue, _careless(stage)) if show.control else stage.play(scene, blue)
        view.say(f"  ended {played.outcome} after {played.ran_until - played.began:.0f} s of cloud time\n")
        if played.outcome != scene.expected:
            view.say(f"  {played.cause}\n", good=False)
        yield scene, played
        blue = scene.version if played.outcome == "Promoted" else blue


def _careless(stage: Stage) -> Callable[[str], Any]:
    """A release that scales blue in before it moves the traffic, and doesn't wait for anything to settle."""
    return lambda builder: straight_line.release(
        stage.cloud.client,
        stage.cloud.clock.sleep,
        route=stage.seeded.route_arn,
        group=stage.seeded.group_name,
        instance=builder,
        version=CONTROL.version,
        observe_seconds=240,
        settle_seconds=0,
        scale_in_first=True,
    )


def _chapters(
    show: Show, stage: Stage, played: Sequence[tuple[Scene, Played]], events: Path
) -> list[Chapter]:
    evidence = stage.evidence(events)
    chapters = []
    for scene, each in played:
        found = stage.measure(each, evidence)
        broken = [] if show.control else promises.broken(found, scene.expected)
        if scene.fault and not show.control:
            broken += promises.broken_by_fault(found, before_traffic=scene.fault == "unhealthy")
        if scene.stop:
            broken += promises.broken_by_stop(found, scene.stop.by, scene.stop.within)
        if scene.doubles:
            broken += promises.broken_by_load(found)
        if scene.order:
            broken += promises.broken_by_order(found, at_zero=scene.order.finds_blue_at_zero)
        if show.by_name:
            shares = scenes.STEPS if scene.expected == "Promoted" else (scenes.STEPS[0], 0)
            broken += promises.broken_by_name(found, shares, scenes.OBSERVE_MINUTES * 60)
        told = None if show.control else explain.story(stage.cloud, each.version)
        seen = course(each, evidence, found)
        chapters.append(Chapter(scene.title, scene.story, found, seen, broken, told))
    return chapters


def course(played: Played, evidence: Evidence, found: Figures) -> Course:
    """The scene over time, for the picture."""
    name = found.by_name
    followed = name.seconds_followed if name and played.outcome == "Promoted" else None
    seconds = (played.ended - played.began) / SLICES
    mine = [event for event in evidence.events if played.began <= event.cloud < played.ended]
    back = figures.way_back(played, evidence)
    script = [(played.began, SCRIPT), (played.ran_until, RELEASED)]
    return Course(
        since=played.began,
        until=played.ended,
        blue=played.blue,
        green=played.version,
        states=states(played.history) if played.executions else script,
        weights=figures.weight_changes(played, evidence),
        slices=[
            _slice(bucket, played, seconds) for bucket in load.summarise(mine, bucket_seconds=seconds).buckets
        ],
        alarm=back.alarm,
        aborted=back.aborted,
        ordered=back.ordered,
        all_blue=back.all_blue,
        all_green=played.began + name.weights[-1][0] + followed["cloud"] if name and followed else None,
    )


def _slice(bucket: load.Bucket, played: Played, seconds: float) -> Slice:
    since, until = max(bucket.at, played.began), min(bucket.at + seconds, played.ended)
    minutes = max(until - since, seconds / 10) / 60

    def rates(counts: Counter[str]) -> dict[str, float]:
        return {version: count / minutes for version, count in counts.items()}

    return Slice(since, until, rates(bucket.requests), rates(bucket.errors), bucket.lost)


def _tell(
    show: Show,
    view: View,
    speed: float,
    out: Path,
    chapters: Sequence[Chapter],
    failures: Sequence[str],
) -> int:
    found = [chapter.figures for chapter in chapters]
    (out / "report.html").write_text(report.render(show.title, speed, chapters), encoding="utf-8")
    for story in (chapter.story for chapter in chapters if chapter.story is not None):
        (out / f"{story.version}.html").write_text(page.render(story), encoding="utf-8")
    (out / "summary.json").write_text(
        json.dumps(figures.summary(speed, found), indent=2) + "\n", encoding="utf-8"
    )
    view.table(found)
    for each in found:
        if back := each.seconds_rollback_command_to_blue:
            view.say(f"seconds_rollback_command_to_blue  {each.version}: {back['cloud']:g}")
        for line in name_words(each):
            view.say(line)
    view.say(f"\npicture  {_short(out / 'report.html')}\nfigures  {_short(out / 'summary.json')}\n")
    broken = [f"{chapter.figures.version}: {words}" for chapter in chapters for words in chapter.broken]
    broken += promises.broken_by_control(found) if show.control else []
    broken += [f"the local cloud stumbled: {failure}" for failure in failures]
    for words in broken:
        view.say(f"not kept: {words}", good=False)
    if not broken:
        view.say(_kept(found, control=show.control), good=True)
    return 1 if broken else 0


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _kept(found: Sequence[Figures], *, control: bool) -> str:
    lost = sum(figures.lost for figures in found)
    if control:
        return f"The careless release lost {lost:,} of {found[0].requests:,} requests: what is lost is seen."
    return f"Every promise was kept: {sum(figures.requests for figures in found):,} requests, none lost."


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--speed", type=float, default=30.0, help="cloud seconds in a wall second")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a wall second")
    shows = parser.add_mutually_exclusive_group()
    for name, show, words in (
        ("--control", CARELESS, "the good version, released carelessly"),
        ("--upgrade", UPGRADE, "upgrades of the fleet, taken back an hour after their promotion"),
        ("--route53", ROUTE53, "releases by the weighted records of a name, with a load balancer each"),
    ):
        shows.add_argument(name, dest="show", action="store_const", const=show, help=words)
    parser.set_defaults(show=DEMO)
    parser.add_argument("--out", type=Path, help="default: out/ and the name of the show")
    given = parser.parse_args()
    out = given.out or ROOT / "out" / given.show.folder
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return play(given.show, given.speed, out, given.rate)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
