"""One release per route at a time: whoever comes second is refused with the holder's name, and changes nothing."""

from local import seed
from tests.workflow.world import Release, World


def ensure_refused_by_name(world: World, second: Release, holder: Release) -> None:
    assert second.wait().end == "Refused"
    assert holder.id in second.cause
    assert "service shop" in second.cause
    assert world.mutations(second.arn) == []
    assert second.record == {}


def test_a_second_release_of_the_service_is_refused_with_the_holders_name(world: World) -> None:
    first = world.start().until("CheckImage")
    second = world.start("3.0.0")
    ensure_refused_by_name(world, second, first)
    assert first.wait().end == "Promoted"
    assert world.calls(second.arn) == []


def test_another_services_release_on_the_same_route_is_refused_with_the_holders_name(world: World) -> None:
    seed.registered(world.cloud, "blog", world.shop.profile)
    first = world.start().until("CheckImage")
    second = world.start("3.0.0", service="blog")
    ensure_refused_by_name(world, second, first)
    assert world.calls(second.arn) == []


def test_of_twenty_releases_at_once_one_runs_and_nineteen_are_refused_without_a_touch(world: World) -> None:
    request = {"service": "shop", "version": "2.0.0", "source": world.ami()}
    releases = [world.submit(request) for _ in range(20)]
    for release in releases:
        release.wait()
    ends = sorted(release.end for release in releases)
    assert ends == ["Promoted", *["Refused"] * 19]
    winner = next(release for release in releases if release.end == "Promoted")
    for release in releases:
        if release is not winner:
            assert winner.id in release.cause
            assert world.mutations(release.arn) == []
            assert release.record == {}
            assert asked(release) in (["PlanRelease"], ["PlanRelease", "AcquireLock"])
            assert release.states[-1] == "Refused"
    assert world.holder() is None
    assert world.weights() == {winner.green: 100}
    assert world.orphans() == []


def asked(release: Release) -> list[str]:
    """The states in which it did more than choose its way."""
    return [state for state in release.states[:-1] if state not in ("IsDryRun", "Release")]


def test_releases_that_planned_at_the_same_moment_meet_at_the_lock(world: World) -> None:
    """Both plans saw a free route; the ledger's transaction decides."""
    source = {"type": "instance", "instance_id": world.builder()}
    request = {"service": "shop", "version": "2.0.0", "source": source}
    world.faults.hangs("AcquireLockFunction", 20)
    first, second = world.submit(request), world.submit({**request, "version": "3.0.0"})
    first.until("AcquireLock")
    second.until("AcquireLock")
    world.cloud.until(lambda: not (first.running and second.running), 600)
    winner, loser = (first, second) if first.running else (second, first)
    assert loser.end == "Refused"
    assert loser.cause.startswith("RouteLocked: ")
    assert winner.id in loser.cause
    assert world.mutations(loser.arn) == []
    assert world.holder() == winner.id


def test_releases_of_two_routes_do_not_know_of_each_other(world: World) -> None:
    elb = world.cloud.client("elbv2")
    first = world.start().until("CheckImage")
    other = elb.create_rule(
        ListenerArn=world.shop.listener_arn,
        Priority=200,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/blog*"]}}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Rules"][0]["RuleArn"]
    seed.registered(world.cloud, "blog", {"route": other})
    second = world.start("3.0.0", service="blog").wait()
    assert second.end == "Refused"
    assert first.id not in second.cause
    assert "no target group" in second.cause


def test_a_start_under_a_name_that_was_used_is_not_a_second_release(world: World) -> None:
    """Step Functions answers with the execution there is: nothing runs twice."""
    source = {"type": "instance", "instance_id": world.builder()}
    request = {"service": "shop", "version": "2.0.0", "source": source}
    machine = world.outputs["ReleaseStateMachineArn"]
    first = world.cloud.start(machine, request, "shop-2.0.0")
    again = world.cloud.start(machine, request, "shop-2.0.0")
    assert first == again
    Release(world, first).until("CreateGreen")
    assert [call["call"] for call in world.mutations()].count("CreateImage") == 1
