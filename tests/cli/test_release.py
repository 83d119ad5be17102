"""`viridian release`: what is typed becomes an execution, and its end an exit code."""

from tests.cli.conftest import Command
from tests.workflow.world import World


def test_it_waits_for_the_end_and_says_each_phase_on_the_way(world: World, viridian: Command) -> None:
    ran = viridian("release", "shop", "2.0.0", "--ami", world.ami()["image_id"], "--wait")
    assert (ran.code, ran.err) == (0, "")
    for phase in ("is being released", "gets its green fleet", "gets 100% of the traffic", "is promoted"):
        assert f"shop 2.0.0 {phase}" in ran.out
    assert ran.out.endswith("Promoted.\n")
