"""The scenes end as they should in virtual time too, and what a release leaves behind is found."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bench import straight_line
from local.cloud import Cloud
from local.demo import figures, promises, scenes
from local.demo.figures import Evidence, Played
from local.demo.orphans import Entry, Left, entries, find, is_orphan, leftovers
from local.demo.scenes import (
    BY_NAME,
    CONTROL,
    FIRST,
    NAME,
    OLD,
    PARAMETERS,
    ROOT,
    SCENES,
    UPGRADES,
    Scene,
    Stop,
)
from local.demo.stage import Stage, losing
from local.demo.watch import Watch
from local.plane.load import Event
from tests.speed import fast
from viridian import request
from viridian_cli.course import states

RATE = 3.0  # requests a second; virtual time has no wall time to count them in


@pytest.fixture
def cloud() -> Iterator[Any]:
    with fast(), Cloud.virtual() as cloud:
        yield cloud


def answered(played: Played) -> Event:
    """One request that green answered before it was stopped."""
    return Event(
        due=0.0,
        cloud=played.began,
        kind="keep-alive",
        version=played.version,
        status=200,
        error=None,
        latency=0.1,
    )


def stage(
    cloud: Any,
    *cast: Scene,
    deployed: bool = True,
    launched: dict[str, Any] | None = None,
    name: str | None = None,
) -> Stage:
    lent = {**PARAMETERS, **({"RecordNames": name} if name else {})}
    stack = cloud.deploy(ROOT / "template.yaml", lent) if deployed else None
    watch = Watch(cloud)
    seeded = scenes.service(cloud, RATE, 1, launched)
    seeded = scenes.named(cloud, seeded) if name else seeded
    scenes.tighten(cloud, seeded)
    builders = scenes.builders(cloud, cast)
    scenes.await_calm(cloud, seeded)
    cloud.plane.traffic(RATE, name, resolvers=20 if name else 0)
    if any(scene.doubles for scene in cast):
        cloud.clock.sleep(480)  # what a load has grown to is told by what it was for five minutes
    here = Stage(cloud, seeded, stack, watch, builders)
    here.double = lambda: cloud.plane.traffic(2 * RATE)
    return here


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.version)
def test_a_scene_ends_as_it_should_and_leaves_nothing(cloud: Any, scene: Scene) -> None:
    here = stage(cloud, scene)
    played = here.play(scene, FIRST)
    after = here.after[scene.version]
    promoted = scene.expected == "Promoted"
    assert played.outcome == scene.expected, played.cause
    assert after.weights == {FIRST: 0 if promoted else 100, scene.version: 100 if promoted else 0}
    assert (after.left, after.balancer["elb_5xx"]) == ([], 0)
    assert played.history
    assert (after.balancer["target_5xx"] > 0) == (scene.fault == "third")
    if scene.stop:
        is_taken_back_in_time(here, played, scene, scene.stop)
    if scene.doubles:
        assert {FIRST: 6, scene.version: 6} == floors_at_the_last_change(here, played)


def floors_at_the_last_change(here: Stage, played: Played) -> dict[str, int] | None:
    measured = here.measure(played, seen(here, played))
    assert promises.broken_by_load(replace(measured, load_at_the_end=2.0)) == []
    return measured.floors_at_the_last_change


def seen(here: Stage, played: Played) -> Evidence:
    """What clients see of it is the demo's; here it is the writes that count."""
    return Evidence(
        speed=1,
        route=here.seeded.route_arn,
        guards=[],
        events=[answered(played)],
        calls=here.cloud.calls.entries,
        invocations=[],
        turns=[],
        sights=here.watch.sights,
        versions=here.watch.versions,
        told=here.cloud.names.told(),
    )


def is_taken_back_in_time(here: Stage, played: Played, scene: Scene, stop: Stop) -> None:
    evidence = seen(here, played)
    back = figures.way_back(played, evidence)
    changes = figures.weight_changes(played, evidence)
    assert back.by == stop.by
    assert back.aborted is not None
    assert [share.get(scene.version, 0) for _, share in changes] == [50, 0]
    assert 0 <= changes[-1][0] - back.aborted <= stop.within
    assert states(played.history)[-1][1] == "RolledBack"


@pytest.mark.parametrize(
    ("scene", "stood", "longest"), [(UPGRADES[0], 3, 5), (UPGRADES[1], 0, 300)], ids=["floor", "zero"]
)
def test_an_upgrade_is_promoted_and_taken_back_an_hour_later(
    cloud: Any, scene: Scene, stood: int, longest: float
) -> None:
    here = stage(cloud, scene, launched=OLD)
    played = here.play(scene, FIRST)
    found = here.measure(played, seen(here, played))
    assert scene.order is not None
    assert promises.broken_by_order(found, at_zero=scene.order.finds_blue_at_zero) == []
    assert (found.outcome, found.restored_by, found.orphans) == ("RolledBack", "order", []), played.cause
    assert found.final_weights == {FIRST: 100, scene.version: 0}
    assert found.balancer["elb_5xx"] + found.balancer["target_5xx"] == 0
    assert "Promoted" in [name for _, name in states(played.history)]
    assert found.in_service_at_the_order is not None
    assert found.in_service_at_the_order[FIRST] == stood
    assert found.seconds_rollback_command_to_blue is not None
    assert 0 <= found.seconds_rollback_command_to_blue["cloud"] < longest
    assert [found.fleets["green"][name] for name in found.fleets["green"]] == [
        "t3.small",
        "required",
        "shop-app",
        "18",
    ]
    assert [*found.fleets["blue"].values()] == ["t2.small", "optional", "shop-web", "9"]


def test_a_release_by_dns_splits_a_name_between_two_load_balancers(cloud: Any) -> None:
    scene, lost = BY_NAME[0], list[str]()
    here = stage(cloud, scene, name=NAME)
    cloud.plane.lost = lambda how, group, target, requests: lost.append(how)
    played = here.play(scene, FIRST)
    found = here.measure(played, seen(here, played))
    assert (played.outcome, found.orphans, lost) == (scene.expected, [], []), played.cause
    assert found.final_weights == {FIRST: 0, scene.version: 100}
    assert found.by_name is not None
    assert found.by_name.seconds_in_sync == {"cloud": 30.0, "wall": 30.0}
    assert [len(arns) for arns in found.by_name.certificates.values()] == [2, 2]
    followed = replace(found.by_name, seconds_followed={"cloud": 80.0, "wall": 80.0})
    told = replace(found, by_name=followed)
    assert promises.broken_by_name(told, scenes.STEPS, scenes.OBSERVE_MINUTES * 60) == []


def test_an_event_is_lost_only_while_it_is_to_be(cloud: Any) -> None:
    here = stage(cloud, SCENES[0])
    kind = "Step Functions Execution Status Change"
    before = cloud.events.courier
    with losing(cloud.events, kind) as lost:
        cloud.events.emit("aws.states", kind, {"status": "FAILED", "stateMachineArn": "x"}, [])
        arn = cloud.start(here.stack.outputs["ReleaseStateMachineArn"], {})
        cloud.wait(arn)
    assert lost.count == 1
    assert cloud.events.courier is before
    assert "GuardFunction" not in {entry["function"] for entry in cloud.lambda_invocations}


def test_the_control_loses_requests_at_the_load_balancer(cloud: Any) -> None:
    here = stage(cloud, CONTROL, deployed=False)

    def script(instance: str) -> None:
        straight_line.release(
            cloud.client,
            cloud.clock.sleep,
            route=here.seeded.route_arn,
            group=here.seeded.group_name,
            instance=instance,
            version=CONTROL.version,
            settle_seconds=0,
            scale_in_first=True,
        )

    here.play_script(CONTROL, FIRST, script)
    after = here.after[CONTROL.version]
    assert after.balancer["elb_5xx"] > 0
    assert after.weights == {FIRST: 0, CONTROL.version: 100}


def test_a_script_that_breaks_is_told(cloud: Any) -> None:
    here = stage(cloud, CONTROL, deployed=False)
    with pytest.raises(ZeroDivisionError):
        here.play_script(CONTROL, FIRST, lambda builder: 1 / 0)


@pytest.mark.parametrize(("speed", "rate"), [(30, 50), (30, 100), (1, 50), (120, 60)])
def test_the_profile_is_one_the_product_takes(speed: float, rate: float) -> None:
    route = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/shop/1/2/3"
    asked = request.parse(scenes.release_input("2.0.0", "i-0123456789abcdef0"))
    profile = request.merge(asked, {"route": route, **scenes.profile(speed, rate)})
    first = profile.steps[0]
    reached = rate * 60 / speed * first.weight / 100 * first.observe_minutes
    assert profile.thresholds.minimum_requests < reached


LEDGER = {
    "1.9.0-aaaaaa": Entry("Promoted", 100.0, "shop-1"),
    "2.0.0-bbbbbb": Entry("Promoted", 5000.0, "viridian-shop-1.9.0-aaaaaa"),
    "3.0.0-cccccc": Entry("RolledBack", None, "viridian-shop-2.0.0-bbbbbb"),
    "4.0.0-dddddd": Entry("Releasing", None, "viridian-shop-2.0.0-bbbbbb"),
}


@pytest.mark.parametrize(
    ("kind", "release", "now", "orphan"),
    [
        ("image", "3.0.0-cccccc", 200.0, True),
        ("target group", "9.9.9-unknown", 200.0, True),
        ("image", "4.0.0-dddddd", 200.0, False),
        ("alarm", "4.0.0-dddddd", 200.0, False),
        ("alarm", "2.0.0-bbbbbb", 200.0, True),
        ("target group", "2.0.0-bbbbbb", 200.0, False),
        ("target group", "1.9.0-aaaaaa", 4999.0, False),
        ("target group", "1.9.0-aaaaaa", 5001.0, True),
        ("image", "1.9.0-aaaaaa", 5001.0, False),
    ],
)
def test_what_should_be_gone_is_an_orphan(kind: str, release: str, now: float, orphan: bool) -> None:
    assert is_orphan(Left(kind, "x", release), LEDGER, now) == orphan


def test_a_blue_that_is_never_retired_is_overdue() -> None:
    entry = Entry("Promoted", 5000.0, "shop-1")
    assert not entry.overdue(5100.0)
    assert entry.overdue(7000.0)
    assert not Entry("Retired", 5000.0, "shop-1").overdue(7000.0)


def test_every_kind_of_thing_that_a_release_makes_is_found(cloud: Any) -> None:
    """While a release runs its things are there, and not orphans; if the ledger knew nothing of it, they would be."""
    here = stage(cloud, SCENES[0])
    table = here.stack.outputs["ReleasesTableName"]
    given = scenes.release_input("2.0.0", here.builders["2.0.0"])
    execution = cloud.start(here.stack.outputs["ReleaseStateMachineArn"], given)
    assert cloud.until(lambda: "RunSmokeTests" in cloud.execution(execution).states, 3600)
    found = {left.kind for left in leftovers(cloud)}
    assert {
        "target group",
        "rule",
        "Auto Scaling group",
        "alarm",
        "image",
        "launch template version",
    } <= found
    assert find(cloud, table, cloud.clock.now()) == []
    assert [entry.status for entry in entries(cloud, table).values()] == ["Releasing"]
