"""A release by DNS: two load balancers behind one name, whose clients keep what they are told for its TTL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from moto.route53.models import route53_backends

from local import seed
from local.cloud import Cloud, Execution
from local.control.session import ACCOUNT
from tests.speed import fast
from tests.stack import ROOT

NAME = "shop.example.com"
STEPS = [
    {"weight": 10, "observe_minutes": 5},
    {"weight": 50, "observe_minutes": 5},
    {"weight": 100, "observe_minutes": 5},
]


@dataclass
class World:
    """A service behind its own load balancer, and a name for it."""

    cloud: Cloud
    shop: seed.Seeded
    zone: str
    outputs: dict[str, str]
    lost: dict[str, float] = field(default_factory=dict)
    seen: list[dict[str, int]] = field(default_factory=list)

    def release(self, version: str, fault: str | None = None) -> Execution:
        builder = seed.builder(self.cloud, version, fault)
        self.rest(60)
        asked = {
            "service": "shop",
            "version": version,
            "source": {"type": "instance", "instance_id": builder},
        }
        return self.cloud.run(self.outputs["ReleaseStateMachineArn"], asked)

    def weights(self) -> dict[str, int]:
        """The weights that Route 53 holds, by the load balancer's name."""
        zone: Any = route53_backends[ACCOUNT]["aws"].get_hosted_zone(self.zone)
        records = [record for record in zone.rrsets if record.type == "A"]
        return {
            record.alias_target["DNSName"].split(".")[0].rsplit("-", 1)[0]: record.weight
            for record in records
        }

    def look(self) -> None:
        if (now := self.weights()) not in self.seen[-1:]:
            self.seen.append(now)

    def lose(self, how: str, group: str, target: str, requests: float) -> None:
        self.lost[how] = self.lost.get(how, 0.0) + requests

    def rest(self, seconds: float) -> None:
        self.cloud.clock.sleep(seconds)

    def balancers(self) -> list[str]:
        found = self.cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
        return sorted(each["LoadBalancerName"] for each in found)


@contextmanager
def opened(**profile: Any) -> Iterator[World]:
    with fast(), Cloud.virtual() as cloud:
        shop = seed.service(cloud, deregistration_delay=30)
        zone = cloud.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")[
            "HostedZone"
        ]["Id"]
        elb = cloud.client("elbv2")
        (balancer,) = elb.describe_load_balancers(LoadBalancerArns=[shop.load_balancer_arn])["LoadBalancers"]
        target = {"DNSName": balancer["DNSName"], "HostedZoneId": balancer["CanonicalHostedZoneId"]}
        record = {"Name": NAME, "Type": "A", "SetIdentifier": "blue", "Weight": 100}
        change = {
            "Action": "CREATE",
            "ResourceRecordSet": {**record, "AliasTarget": {**target, "EvaluateTargetHealth": True}},
        }
        cloud.client("route53").change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": [change]}
        )
        route = f"arn:aws:route53:::{zone.removeprefix('/')}/{NAME}"
        seed.registered(
            cloud, "shop", {**shop.profile, "route": route, "steps": STEPS, "settle_seconds": 0, **profile}
        )
        role = f"arn:aws:iam::{ACCOUNT}:role/shop-instance"
        stack = cloud.deploy(
            ROOT / "template.yaml", parameters={"InstanceRoleArns": role, "RecordNames": NAME}
        )
        cloud.clock.sleep(90)
        cloud.plane.traffic(20.0, NAME, resolvers=50)
        cloud.clock.sleep(150)
        world = World(cloud, shop, zone, stack.outputs)
        cloud.plane.lost = world.lose
        cloud.clock.every(5, lambda _: world.look(), "a look")
        yield world


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as world:
        yield world


def test_a_good_release_by_name_is_promoted_and_loses_nobody(world: World) -> None:
    ended = world.release("2.0.0")
    assert (ended.status, ended.error, ended.cause) == ("SUCCEEDED", None, None)
    own = next(name for name in world.balancers() if name != "shop")
    assert [sorted(each.items()) for each in world.seen] == [
        [("shop", 100)], sorted([("shop", 90), (own, 10)]), sorted([("shop", 50), (own, 50)]), [(own, 100)],
    ]  # fmt: skip
    world.rest(120)
    before = world.cloud.plane.by_version()["1.0.0"].requests
    world.rest(120)
    assert world.cloud.plane.by_version()["1.0.0"].requests == before
    assert world.lost == {}


def test_a_bad_release_by_name_is_rolled_back_and_nothing_is_left(world: World) -> None:
    ended = world.release("2.0.0", fault="third")
    assert (ended.status, ended.error) == ("FAILED", "RolledBack"), ended.cause
    assert world.weights() == {"shop": 100}
    assert world.balancers() == ["shop"]
    assert world.lost == {}
