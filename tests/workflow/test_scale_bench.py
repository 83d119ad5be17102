"""What `make bench-scale` counts: a larger fleet's release sends no more calls, and asks for health once a side."""

from bench import scale
from bench.scale import Counted


def test_twenty_times_the_instances_take_no_more_calls() -> None:
    counted = [scale.count(3), scale.count(60)]
    assert [each.end for each in counted] == ["Promoted", "Promoted"]
    assert scale.ratio(counted) <= scale.ALLOWED
    assert counted[0].total > 100
    for each in counted:
        assert each.health_per_side == 1
        assert each.calls["JudgeGreen"] > each.calls["Promote"] > 0


def test_a_release_that_asks_after_each_instance_is_seen() -> None:
    small = Counted(instances=3, end="Promoted", calls={"CheckGreen": 10}, health_per_side=1)
    large = Counted(instances=60, end="Promoted", calls={"CheckGreen": 70}, health_per_side=1)
    assert scale.ratio([small, large]) == 7
    told = scale.table([small, large])
    assert "calls in all                                      10        70" in told
