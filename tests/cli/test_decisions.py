"""What a person decides about a release that waits, is held, or goes on."""

import pytest

from tests.cli.conftest import Command
from tests.workflow.world import World

WHY = ("--reason", "looked at the checkout by hand")


def test_a_held_release_is_resumed_or_resolved(world: World, viridian: Command) -> None:
    world.traffic(0)
    release = world.release(inconclusive={"minutes": 1, "then": "hold"}, source=world.ami())
    assert release.end == "Held"
    world.traffic(20)
    ran = viridian("resume", "shop", *WHY, "--wait")
    assert ran.code == 0, ran.err
    assert ran.out.endswith("Promoted.\n")


def test_resolve_declares_a_held_release_over(world: World, viridian: Command) -> None:
    world.traffic(0)
    release = world.release(inconclusive={"minutes": 1, "then": "hold"}, source=world.ami())
    ran = viridian("resolve", "shop", release.id, *WHY, "--wait")
    assert ran.code == 1, ran.err
    assert release.record["status"] == "RolledBack"


@pytest.mark.parametrize(("word", "end", "code"), [("approve", "Promoted", 0), ("reject", "RolledBack", 1)])
@pytest.mark.profile(approval={"before_traffic": True, "minutes": 60})
def test_people_answer_without_knowing_the_questions_id(
    world: World, viridian: Command, word: str, end: str, code: int
) -> None:
    release = world.start(source=world.ami()).until("AwaitApproval")
    world.pass_minutes(1)
    ran = viridian(word, "shop", *WHY)
    assert ran.code == 0, ran.err
    assert release.id in ran.out
    again = viridian(word, "shop", *WHY)
    assert again.code in (0, 3)
    assert release.wait().end == end


def test_resolve_leaves_a_release_alone_that_waits_for_nobody(world: World, viridian: Command) -> None:
    release = world.half_way()
    ran = viridian("resolve", "shop", *WHY)
    assert (ran.code, ran.err.startswith(f"release: {release.id} is Releasing: ")) == (3, True)
    assert release.wait().end == "Promoted"


def test_nobody_is_asked_anything(world: World, viridian: Command) -> None:
    release = world.half_way()
    ran = viridian("approve", "shop", *WHY)
    assert (ran.code, ran.err) == (
        3,
        f"release: {release.id} waits for nobody: `viridian status shop` says what it does.\n",
    )


def test_a_paused_release_stays_until_it_is_resumed(world: World, viridian: Command) -> None:
    release = world.half_way()
    ran = viridian("pause", "shop", *WHY, "--minutes", "30")
    assert (ran.code, ran.out.startswith("shop 2.0.0: paused by ")) == (0, True), ran.err
    world.pass_minutes(15)
    assert world.weights()[release.green] == 50
    resumed = viridian("resume", "shop", *WHY, "--json")
    assert (resumed.code, resumed.json["order"]) == (0, "resume"), resumed.err
    assert release.wait().end == "Promoted"


def test_a_person_promotes_what_was_observed_enough(world: World, viridian: Command) -> None:
    release = world.start(
        source=world.ami(),
        steps=[{"weight": 50, "observe_minutes": 300}, {"weight": 100, "observe_minutes": 300}],
    ).until("JudgeGreen")
    began = world.cloud.clock.now()
    ran = viridian("promote", "shop", *WHY)
    assert ran.code == 0, ran.err
    assert release.wait().end == "Promoted"
    assert world.cloud.clock.now() - began < 60 * 60
