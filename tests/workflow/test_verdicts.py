"""What becomes of a green that is no good, of one that nobody can judge, and of an image that never comes."""

from typing import Any

from local import seed
from local.reality import Reality
from tests.workflow.world import Release, World, opened


def ensure_rolled_back(world: World, release: Release, first_error: str) -> None:
    """RolledBack, the first error's name and words first; blue as it was before; nothing left; the route free."""
    assert (release.execution.status, release.end) == ("FAILED", "RolledBack"), release.cause
    assert release.cause.startswith(first_error), release.cause
    assert release.record["status"] == "RolledBack"
    assert str(release.record["failure"]).startswith(first_error)
    assert world.weights() == {"shop-1": 100}
    blue = world.group()
    assert (blue.minimum, blue.maximum) == (2, 9)
    assert world.healthy("shop-1") >= 3
    assert world.leftovers(release) == []
    assert world.standby() is None
    assert set(world.alarms()) <= {"shop-errors", "shop-cpu"}
    assert world.holder() is None


def test_a_green_that_is_never_healthy_is_rolled_back_before_any_traffic(world: World) -> None:
    release = world.release(fault="unhealthy", deadlines={"healthy_minutes": 5})
    ensure_rolled_back(world, release, "DeadlinePassed: green is not healthy after 5 minutes: 0 of 3 healthy")
    assert release.wrote_weights() == []
    assert "2.0.0" not in world.cloud.plane.by_version()


def test_a_green_that_fails_its_smoke_tests_is_rolled_back_before_any_traffic(world: World) -> None:
    tests = [{"path": "/", "contains": "3.0.0", "attempts": 2}]
    release = world.release(smoke_tests=tests)
    ensure_rolled_back(world, release, "SmokeTestsFailed: GET /: the first")
    assert "doesn't contain '3.0.0'" in release.cause or "don't contain '3.0.0'" in release.cause
    assert release.wrote_weights() == []
    assert world.cloud.plane.by_version()["2.0.0"].requests == 2


def test_smoke_tests_reach_green_alone_while_blue_serves_everybody_else(world: World) -> None:
    release = world.start(smoke_tests=[{"path": "/", "contains": '"version": "2.0.0"'}])
    release.until("ShiftTraffic")
    assert world.standby() == {release.green: 100, "shop-1": 0}
    assert world.cloud.plane.by_version()["2.0.0"].requests == 1


def test_an_image_that_fails_is_rolled_back_before_green_is_made(world: World) -> None:
    release = world.start().until("WaitForImage")
    image = world.image(release)
    image.state = "failed"
    release.wait()
    ensure_rolled_back(world, release, f"ImageFailed: image {image.id} is failed")
    assert "CreateGreen" not in release.states
    assert "CreateAutoScalingGroup" not in [call["call"] for call in release.mutations()]


def test_an_image_that_pends_past_its_deadline_is_rolled_back() -> None:
    with opened(reality=Reality(image_seconds=6 * 3600)) as world:
        release = world.release(deadlines={"image_minutes": 3})
        ensure_rolled_back(world, release, "DeadlinePassed: image ami-")
        assert "still pending after 3 minutes" in release.cause
        assert "CreateGreen" not in release.states


def test_an_image_that_is_gone_before_green_is_made_is_rolled_back(world: World) -> None:
    release = world.start(deadlines={"image_minutes": 3}).until("WaitForImage")
    image = world.image(release).id
    world.cloud.client("ec2").deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    release.wait()
    assert release.end == "RolledBack"
    assert world.leftovers(release) == []


def test_a_green_that_nobody_visits_is_never_promoted(world: World) -> None:
    """The smoke test's request is no visit. Held: traffic all on blue, green kept for a person to look at, the lock kept under the release's name."""
    world.traffic(0)
    release = world.release(inconclusive={"minutes": 2, "then": "hold"})
    assert (release.execution.status, release.end) == ("FAILED", "Held")
    assert release.cause.startswith("Inconclusive: 0 requests to green, 50 needed")
    assert world.weights() == {"shop-1": 100}
    assert world.group(release.group).in_service == 3
    assert world.healthy(release.green) == 3
    assert world.holder() == release.id
    assert release.record["status"] == "Held"
    assert world.group().minimum == 3

    assert world.paged() == [f"viridian: shop {release.id} has ended Held"]
    assert "Inconclusive: 0 requests to green, 50 needed" in world.pages()[0].message

    refused = world.release("3.0.0")
    assert refused.end == "Refused"
    assert release.id in refused.cause

    rollback = world.rollback(release, reason="nobody came")
    assert (rollback.execution.status, rollback.states[-1]) == ("SUCCEEDED", "RolledBack")
    assert world.leftovers(release) == []
    assert world.holder() is None
    assert world.group().minimum == 2
    assert release.record["status"] == "RolledBack"
    assert str(release.record["failure"]).startswith("Inconclusive: 0 requests")


def test_a_page_that_cannot_be_sent_keeps_no_release_from_its_end(world: World) -> None:
    world.traffic(0)
    world.faults.denies("Publish")
    release = world.release(inconclusive={"minutes": 2, "then": "hold"})
    assert release.end == "Held"
    assert release.record["status"] == "Held"
    assert world.faults.answered["Publish"] >= 1


def test_an_inconclusive_release_rolls_back_where_its_profile_says_so(world: World) -> None:
    world.traffic(0)
    release = world.release(inconclusive={"minutes": 2, "then": "roll_back"})
    ensure_rolled_back(world, release, "GreenFailed: 0 requests to green, 50 needed")


def test_an_observe_time_shorter_than_the_alarms_need_waits_for_their_evidence(world: World) -> None:
    """An alarm that is OK because it has seen nothing yet says nothing."""
    release = world.release(
        steps=[{"weight": 50, "observe_minutes": 1}, {"weight": 100, "observe_minutes": 1}], settle_seconds=0
    )
    assert release.end == "Promoted"
    first, second = [call["at"] for call in release.mutations() if call["call"] == "ModifyRule"][:2]
    assert second - first >= 240


def test_a_green_whose_last_instance_dies_under_traffic_is_rolled_back(world: World) -> None:
    release = world.start().until("JudgeGreen")
    world.fall_ill(*world.instances(release.group))
    release.wait()
    ensure_rolled_back(world, release, "GreenFailed: ")
    assert "TakeNextStep" not in release.states


def test_an_alarm_of_greens_that_somebody_deletes_condemns_green(world: World) -> None:
    release = world.start().until("Observe")
    world.cloud.client("cloudwatch").delete_alarms(AlarmNames=[f"viridian-shop-{release.id}-errors"])
    release.wait()
    ensure_rolled_back(world, release, f"GreenFailed: alarm viridian-shop-{release.id}-errors does not exist")


def test_a_guard_that_turns_red_under_green_rolls_it_back(world: World) -> None:
    keep_red(world)
    world.redden("shop-cpu", "a quiet night", "OK")
    release = world.start(**with_cpu()).until("JudgeGreen")
    world.redden("shop-cpu", "the owner's own measure")
    release.wait()
    ensure_rolled_back(world, release, "GreenFailed: alarm shop-cpu is in ALARM: the owner's own measure")


# --- waivers ----------------------------------------------------------------------------------------------


def test_a_waived_red_guard_lets_a_fix_ship(world: World) -> None:
    keep_red(world)
    assert world.release().end == "Refused"
    release = world.release(waive={"alarms": ["shop-cpu"], "reason": "this version mends it"}, **with_cpu())
    assert release.end == "Promoted"
    assert release.plan["waive"]["reason"] == "this version mends it"


def test_a_waived_guard_counts_again_once_it_was_ok_for_a_whole_evaluation(world: World) -> None:
    keep_red(world)
    waive = {"alarms": ["shop-cpu"], "reason": "this version mends it"}
    release = world.start(waive=waive, **with_cpu()).until("JudgeGreen", 2)
    world.redden("shop-cpu", "mended", "OK")
    release.until("JudgeGreen", 4)
    assert release.record["reinstated"] == ["shop-cpu"]
    world.redden("shop-cpu", "broken again")
    release.wait()
    ensure_rolled_back(world, release, "GreenFailed: alarm shop-cpu is in ALARM: broken again")


def test_a_waived_guard_that_flickers_stays_waived(world: World) -> None:
    keep_red(world)
    waive = {"alarms": ["shop-cpu"], "reason": "this version mends it"}
    release = world.start(waive=waive, **with_cpu()).until("JudgeGreen", 2)
    world.cloud.clock.sleep(30)
    world.redden("shop-cpu", "for a moment", "OK")
    release.until("JudgeGreen", 3)
    world.redden("shop-cpu", "and back")
    assert release.wait().end == "Promoted"


def test_a_waiver_of_one_guard_waives_no_other(world: World) -> None:
    keep_red(world)
    waive = {"alarms": ["shop-cpu"], "reason": "this version mends it"}
    release = world.release(fault="third", waive=waive, **with_cpu())
    ensure_rolled_back(world, release, "GreenFailed: alarm ")


def with_cpu() -> dict[str, Any]:
    return {"guards": ["shop-errors", "shop-cpu"]}


def keep_red(world: World) -> None:
    """A second guard, registered with the service: red, and nothing but the test changes that."""
    world.cloud.client("cloudwatch").put_metric_alarm(
        AlarmName="shop-cpu",
        Namespace="Shop",
        MetricName="Nothing",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    world.redden("shop-cpu", "since last night")
    seed.registered(world.cloud, "shop", {**world.shop.profile, **with_cpu()})
