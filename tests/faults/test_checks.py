"""Every check can fail: a function does, in a world that stands, what none of ours may."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest

from local.control.calls import made_by
from tests.faults import sight
from tests.faults.checks import CANARY
from tests.faults.place import Place, Prepared, prepared
from tests.faults.play import seeded
from tests.faults.points import Run

FUNCTION = "ShiftTrafficFunction"


@pytest.fixture(scope="module")
def ready() -> Iterator[Prepared]:
    seeded(0)
    with prepared(Run("smoke", "release")) as world:
        yield world


@pytest.fixture
def place(ready: Prepared) -> Iterator[Place]:
    """A world whose calls are checked; what a test does to it is undone."""
    with ready.placed(Run("smoke", "release")) as world:
        undo = world.snapshot()
        world.checks.begin()
        world.injector.begin()
        world.loads.begin()
        yield world
        undo()
        world.cloud.calls.listeners.clear()
        for arn in [arn for arn in sight.target_groups() if arn != world.shop.target_group_arn]:
            sight.elb().target_groups.pop(arn)


def ours(world: Place, invocation: str = "one") -> AbstractContextManager[None]:
    """What is sent inside is a function's."""
    return made_by(FUNCTION, world.table, invocation)


def found(world: Place, writer: str = "viridian") -> set[str]:
    return {each.check for each in world.checks.violations if each.writer == writer}


def fence(world: Place, epoch: int) -> None:
    """A transaction as the ledger's: nothing is written, and all of it only at this epoch."""
    key = {"pk": {"S": f"route#{world.shop.route_arn}"}, "sk": {"S": "lock"}}
    check = {
        "TableName": world.table,
        "Key": key,
        "ConditionExpression": "#epoch = :epoch",
        "ExpressionAttributeNames": {"#epoch": "epoch"},
        "ExpressionAttributeValues": {":epoch": {"N": str(epoch)}},
    }
    world.cloud.client("dynamodb").transact_write_items(TransactItems=[{"ConditionCheck": check}])


def lock(world: Place, epoch: int) -> None:
    item = {"pk": f"route#{world.shop.route_arn}", "sk": "lock"}
    world.cloud.client("dynamodb").put_item(
        TableName=world.table,
        Item={**{name: {"S": value} for name, value in item.items()}, "epoch": {"N": str(epoch)}},
    )


def forward(world: Place, **weights: int) -> None:
    """Writes the production rule."""
    world.set_weights(**weights)


def group(world: Place, name: str, release: str | None = "2.0.0-abcdef") -> str:
    """A target group with nobody in it, and with a release's tag if it is to have one."""
    tags = [{"Key": "viridian:release", "Value": release}] if release else []
    made = world.cloud.client("elbv2").create_target_group(
        Name=name, Protocol="HTTP", Port=80, VpcId=world.shop.vpc_id, **({"Tags": tags} if tags else {})
    )
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def test_looking_on_finds_nothing(place: Place) -> None:
    with ours(place):
        place.weights()
    forward(place, shop_1=100)
    assert place.checks.violations == []


def test_c1_a_rule_that_gives_weight_to_nobody(place: Place) -> None:
    rule = next(route for route, _ in sight._routes() if route.arn == place.shop.route_arn)
    before, data = rule.actions, dict(rule.actions[0].data)
    nobody = [{**each, "Weight": 0} for each in data["ForwardConfig"]["TargetGroups"]]
    with patch.dict(rule.actions[0].data, {"ForwardConfig": {"TargetGroups": nobody}}), ours(place):
        place.weights()
    rule.actions = before
    assert "C1" in found(place)


def test_c2_weight_for_a_side_that_cant_carry_it(place: Place) -> None:
    group(place, "empty", None)
    with ours(place):
        forward(place, shop_1=50, empty=50)
    assert "C2" in found(place)


def test_a_persons_weights_are_a_persons(place: Place) -> None:
    group(place, "empty", None)
    forward(place, shop_1=50, empty=50)
    assert found(place) == set()


def test_c3_and_c4_capacity_taken_from_the_side_that_serves(place: Place) -> None:
    with ours(place):
        place.cloud.client("autoscaling").set_desired_capacity(
            AutoScalingGroupName="shop-1", DesiredCapacity=2
        )
    assert {"C3", "C4"} <= found(place)


def test_c5_a_write_behind_no_fence(place: Place) -> None:
    with ours(place):
        forward(place, shop_1=99)
    assert "C5" in found(place)
    assert place.checks.old_epoch_writes() == 1


def test_c5_a_write_by_an_older_epoch(place: Place) -> None:
    lock(place, 1)
    with ours(place, "good"):
        fence(place, 1)
        forward(place, shop_1=98)
    assert found(place) == set()
    with ours(place, "late"):
        fence(place, 1)
    lock(place, 2)
    with ours(place, "late"):
        forward(place, shop_1=97)
    assert "C5" in found(place)


def test_c5_two_requests_behind_one_fence(place: Place) -> None:
    lock(place, 1)
    with ours(place):
        fence(place, 1)
        forward(place, shop_1=98)
        assert found(place) == set()
        forward(place, shop_1=97)
    assert "C5" in found(place)


def test_c6_what_isnt_ours(place: Place) -> None:
    arn = group(place, "foreign", None)
    with ours(place):
        place.cloud.client("elbv2").delete_target_group(TargetGroupArn=arn)
        place.cloud.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="shop-1", MaxSize=8)
    told = [each.what for each in place.checks.violations if each.check == "C6"]
    assert len(told) == 2
    assert "MaxSize" in told[1]


def test_c9_a_group_of_ours_without_targets_that_counts_in_dns(place: Place) -> None:
    arn = group(place, "green")
    with ours(place):
        forward(place, shop_1=100, green=0)
    assert "C9" in found(place)
    place.checks.violations.clear()
    assert arn in place.checks._ours


def test_c10_a_secret_in_the_ledger(place: Place) -> None:
    place.cloud.client("dynamodb").put_item(
        TableName=place.table, Item={"pk": {"S": "x"}, "sk": {"S": "x"}, "told": {"S": f"so {CANARY}"}}
    )
    place.checks._secrets()
    assert "C10" in found(place)
    sight_of = place.cloud.client("dynamodb")
    sight_of.delete_item(TableName=place.table, Key={"pk": {"S": "x"}, "sk": {"S": "x"}})


def test_an_orphan_is_seen(place: Place) -> None:
    assert place.checks.orphans() == []
    group(place, "orphan")
    assert [name for name in place.checks.orphans() if "target group" in name]


def test_requests_lost_to_our_doing_and_to_a_fault(ready: Prepared) -> None:
    with ready.placed(Run("smoke", "release")) as world:
        world.checks.begin()
        world.loads.begin()
        world.cloud.plane.kill(world.instances()[0])
        world.cloud.clock.sleep(5)
        told = world.loads.count()
        assert told.lost_by_us == 0 < told.lost_by_fault
        with ours(world):
            world.cloud.client("autoscaling").update_auto_scaling_group(
                AutoScalingGroupName="shop-1", MinSize=0, DesiredCapacity=0
            )
        world.cloud.clock.sleep(60)
        assert world.loads.count().lost_by_us > 0
        world.cloud.calls.listeners.clear()
    # the last to use this world: nobody serves in it any more
