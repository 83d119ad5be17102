"""What `make bench` counts: a release in the local cloud, against a script that does the same job."""

from bench import release
from bench.release import STEPS


def test_a_release_makes_at_most_1_3_times_the_calls_of_a_script_that_does_the_same_job() -> None:
    one, invocations = release.count(STEPS)
    assert one.end == "Promoted"
    assert one.calls / release.by_script(STEPS) <= 1.3
    assert one.invocations == len(invocations) > 50
    assert one.transitions > one.invocations
    assert one.events > 2 * one.transitions
    assert one.ledger_calls > 100
    assert one.payload_bytes > 10_000
    assert 0.001 < one.dollars < 0.1
    judged = [each for each in invocations if each.function == "JudgeGreen"]
    assert len(judged) == 40
    assert judged[0].services == ["autoscaling", "cloudwatch", "dynamodb", "elbv2"]
    assert [call for _, call, _ in judged[0].answers].count("DescribeTargetHealth") == 2


def test_releases_at_once_make_the_calls_of_one_and_their_own_time_is_known() -> None:
    found, milliseconds = release.at_once(3)
    assert (found.promoted, found.throttled) == (3, 0)
    alone, _ = release.at_once(1)
    assert found.calls < 1.1 * alone.calls
    assert set(milliseconds) >= {"PlanRelease", "CreateGreen", "ShiftTraffic", "JudgeGreen", "Promote"}
    assert all(0 < each < 1000 for each in milliseconds.values())
