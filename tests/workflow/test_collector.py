"""The collector, in the stack: of two promoted releases and one that was rolled back, what nobody needs goes."""

from tests.workflow.test_retirement import KEEP, retired
from tests.workflow.world import Release, World

DAYS = 4


def promoted(world: World, version: str) -> Release:
    """A release whose own image alone is to be kept, and whose blue has retired."""
    release = world.release(version, keep_minutes=KEEP, retain_days=0, keep_images=1)
    assert release.end == "Promoted", release.cause
    return retired(world, release)


def leave_an_alarm(world: World, release: Release) -> str:
    """What a rollback could not delete: an alarm of a release that has ended."""
    alarm = f"viridian-shop-{release.id}-errors"
    tags = {"viridian:managed": "true", "viridian:service": "shop", "viridian:release": release.id}
    world.cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return alarm


def kinds(lines: list[str]) -> list[str]:
    return [line.split(": ", 1)[0] for line in lines]


def test_what_nobody_needs_any_more_goes_and_what_serves_stays(world: World) -> None:
    first, second = promoted(world, "2.0.0"), promoted(world, "3.0.0")
    bad = world.release("4.0.0", fault="third", keep_images=1)
    assert bad.end == "RolledBack", bad.cause
    alarm = leave_an_alarm(world, bad)
    young = world.collect()
    assert (young["removed"], young["reported"], young["failed"]) == ([], [], [])

    world.age(DAYS)
    stood = world.group(second.group), world.weights(), world.healthy(second.green)
    image, version = world.image(first).id, first.record["launch_template_version"]
    template = first.plan["blue_launch_template"]["template"]
    wanted = [
        f"alarm {alarm} of release {bad.id} of shop",
        f"launch template version {template} {version} of release {first.id} of shop",
        f"image {image} of release {first.id} of shop",
    ]
    dry = world.collect(dry_run=True)
    assert (kinds(dry["left"]), dry["removed"]) == (wanted, [])
    before = len(world.cloud.calls.entries)
    answer = world.collect()
    assert (kinds(answer["removed"]), answer["failed"], answer["left"]) == (wanted, [], [])
    sent = [each for each in world.mutations() if each["n"] > before and each["call"] != "Publish"]
    assert [each["call"] for each in sent] == [
        "DeleteAlarms", "DeleteLaunchTemplateVersions", "DeregisterImage",
    ]  # fmt: skip
    assert world.paged()[-1] == "viridian: leftovers: 3 removed, 0 for a person"
    assert world.leftovers(first) == world.leftovers(bad) == []

    world.pass_minutes(5)
    assert (world.group(second.group), world.weights(), world.healthy(second.green)) == stood
    assert world.image(second).id
    again = world.collect()
    assert (again["removed"], again["left"], again["reported"]) == ([], [], [])
