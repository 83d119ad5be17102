"""A dry run through the machine: it ends Planned with lists that people can read, or Refused, and changes nothing."""

from typing import Any

import pytest

from local.strict import quotas
from tests.workflow.world import Release, World

LISTS = ("steps", "timetable", "makes", "changes", "keeps", "head_room", "cost")


def changed(world: World, release: Release) -> list[str]:
    """Every changing call of a dry run's, the ledger's included; Step Functions' own calls of functions are none."""
    return [call["call"] for call in world.cloud.calls.of(release.arn) if call["mutating"]]


@pytest.mark.parametrize("steps", [None, [{"weight": 100, "observe_minutes": 5}]], ids=["steps", "one step"])
def test_a_dry_run_ends_with_the_plan_in_lists_and_changes_nothing(world: World, steps: Any) -> None:
    release = world.release(dry_run=True, **({"steps": steps} if steps else {}))
    assert release.states == ["PlanRelease", "IsDryRun", "Planned"]
    output = release.execution.output
    assert (output["service"], output["release"]) == ("shop", output["plan"]["release"])
    for part in LISTS:
        assert output[part] == output["plan"][part], part
        assert isinstance(output[part], list), part
        assert output[part], part
    assert output["head_room"][-1] == "On-Demand vCPUs (L-1216C47A): 6 in use, 6 more needed, 256 allowed"
    assert output["cost"][0] == "blue: 3 t3.small at $0.0208: $0.0624 an hour"
    assert changed(world, release) == []
    assert world.ledger("") == []


def test_a_dry_run_of_what_does_not_fit_is_refused_with_the_quota_and_changes_nothing(world: World) -> None:
    quotas.grant("groups", 1)
    release = world.release(dry_run=True)
    assert release.end == "Refused"
    words = "quota: Auto Scaling groups in the Region: 1 in use, 1 more needed, 1 allowed. Ask AWS for more"
    assert release.cause.startswith(f"Refusal: {words}")
    assert changed(world, release) == []
    assert world.ledger("") == []


def test_a_release_without_prices_and_figures_is_promoted_all_the_same(world: World) -> None:
    for call in ("GetProducts", "GetServiceQuota", "DescribeInstanceTypes"):
        world.faults.denies(call)
    release = world.release()
    assert release.end == "Promoted", release.cause
    assert release.plan["cost"] == ["not known: GetProducts: AccessDenied"]
    assert release.plan["head_room"][-1].startswith("On-Demand vCPUs: use not known")
