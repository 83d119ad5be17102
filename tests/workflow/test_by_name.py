"""A release by DNS: two load balancers behind one name, whose clients keep what they are told for its TTL."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.route53.models import route53_backends

from local import seed
from local.cloud import Cloud, Execution
from local.control.session import ACCOUNT
from tests import hook
from tests.person import Person
from tests.speed import fast
from tests.stack import ROOT

NAME = "shop.example.com"
PAGE = (ROOT / "docs" / "route53.md").read_text(encoding="utf-8")
(PROFILE,) = map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
STEPS = PROFILE["steps"]


@dataclass
class World:
    """A service behind its own load balancer, and a name for it."""

    cloud: Cloud
    shop: seed.Seeded
    zone: str
    outputs: dict[str, str]
    lost: dict[str, float] = field(default_factory=dict)
    seen: list[dict[str, int]] = field(default_factory=list)

    def start(self, version: str, fault: str | None = None) -> str:
        builder = seed.builder(self.cloud, version, fault)
        self.rest(60)
        source = {"type": "instance", "instance_id": builder}
        asked = {"service": "shop", "version": version, "source": source}
        return self.cloud.start(self.outputs["ReleaseStateMachineArn"], asked)

    def release(self, version: str, fault: str | None = None) -> Execution:
        return self.cloud.wait(self.start(version, fault))

    def until(self, weight: int) -> None:
        """Goes on until a load balancer that a release made has this weight."""
        assert self.cloud.until(lambda: weight in [self.weights().get(name) for name in self.own()], 7200)

    def own(self) -> list[str]:
        """The load balancers that releases made."""
        return [name for name in self.balancers() if name != "shop"]

    def order(self, release: str, **terms: Any) -> Execution:
        given = {"service": "shop", "release": release, "reason": "customers see old prices", **terms}
        return self.cloud.run(self.outputs["RollbackStateMachineArn"], given)

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
        named = {"route": "name", "steps": STEPS, "settle_seconds": 0, **profile}
        shop = seed.service(cloud, deregistration_delay=30, register=True, **named)
        role = f"arn:aws:iam::{ACCOUNT}:role/shop-instance"
        stack = cloud.deploy(
            ROOT / "template.yaml", parameters={"InstanceRoleArns": role, "RecordNames": NAME}
        )
        cloud.clock.sleep(90)
        cloud.plane.traffic(20.0, NAME, resolvers=50)
        cloud.clock.sleep(150)
        world = World(cloud, shop, shop.route_arn.split("/")[1], stack.outputs)
        cloud.plane.lost = world.lose
        cloud.clock.every(5, lambda _: world.look(), "a look")
        yield world


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as world:
        yield world


def test_people_are_shown_greens_own_load_balancer_and_a_hook_hears_of_the_rollback() -> None:
    with opened() as world:
        told = hook.stands(world.cloud, {"verdict": "Successful"})
        gates = {"approval": {"before_traffic": True}, "hooks": {"after_rollback": {"arn": told}}}
        profile = {**world.shop.profile, **gates}
        seed.registered(world.cloud, "shop", profile)
        execution = world.start("2.0.0")
        pages = world.cloud.published
        assert world.cloud.until(lambda: any("waits for a yes" in each.subject for each in pages()), 3600)
        (page,) = (each for each in pages() if "waits for a yes" in each.subject)
        assert f"at {world.own()[0]}" in page.message
        assert "--aws-sigv4 aws:amz:us-east-1:lambda" in page.message
        reply = json.loads(re.findall(r"-d '(\{.*?\})'", page.message)[0])
        mara = Person.named(world.cloud, "mara")
        world.rest(30)
        answer = mara.post(world.outputs["ApprovalsUrl"], {**reply, "answer": "reject"})
        assert answer.status == 200, answer.body
        assert world.cloud.wait(execution).error == "RolledBack"
        assert [each["gate"] for each in hook.letters] == ["after_rollback"]
        assert world.own() == []


def test_a_good_release_by_name_is_promoted_and_loses_nobody(world: World) -> None:
    """Its profile is the page's, but for the zone's id."""
    assert PROFILE["route"].replace("Z0123456789ABC", world.zone) == world.shop.route_arn
    ended = world.release("2.0.0")
    assert (ended.status, ended.error, ended.cause) == ("SUCCEEDED", None, None)
    (own,) = world.own()
    assert [sorted(each.items()) for each in world.seen] == [
        [("shop", 100)], sorted([("shop", 90), (own, 10)]), sorted([("shop", 50), (own, 50)]), [(own, 100)],
    ]  # fmt: skip
    world.rest(120)
    before = world.cloud.plane.by_version()["1.0.0"].requests
    world.rest(120)
    assert world.cloud.plane.by_version()["1.0.0"].requests == before
    assert world.lost == {}


def test_a_check_asks_once_about_greens_load_balancer(world: World) -> None:
    execution = world.start("2.0.0")
    world.until(10)
    asked = [entry for entry in world.cloud.calls.of(execution) if entry["principal"] == "CheckGreenFunction"]
    looks = [entry["invocation"] for entry in asked if entry["call"] == "DescribeLoadBalancers"]
    assert sorted(set(looks)) == sorted(looks) != []


def test_a_bad_release_by_name_is_rolled_back_and_nothing_is_left(world: World) -> None:
    ended = world.release("2.0.0", fault="third")
    assert (ended.status, ended.error) == ("FAILED", "RolledBack"), ended.cause
    assert world.weights() == {"shop": 100}
    assert world.balancers() == ["shop"]
    assert world.lost == {}


def test_the_brake_gives_blue_its_weight_back_and_waits_for_the_name_to_follow(world: World) -> None:
    execution = world.start("2.0.0")
    world.until(50)
    world.rest(60)
    braked_at = world.cloud.clock.now()
    words = {"StateValue": "ALARM", "StateReason": "because of a test"}
    world.cloud.client("cloudwatch").set_alarm_state(AlarmName=world.shop.guard_alarm, **words)
    assert world.cloud.until(lambda: world.weights() == {"shop": 100}, 60)
    ended = world.cloud.wait(execution)
    assert ended.status == "FAILED"
    assert world.cloud.until(lambda: not world.own(), 3600)
    assert world.cloud.clock.now() - braked_at > 30 + 60, "in sync, and the TTL over"
    assert world.lost == {}


def test_a_promoted_release_is_taken_back(world: World) -> None:
    release = world.release("2.0.0").output["release"]
    ended = world.order(release)
    assert (ended.status, world.weights()) == ("SUCCEEDED", {"shop": 100}), ended.cause
    assert world.own() == []
    assert world.lost == {}


def test_what_is_retired_goes_with_its_load_balancer_and_what_was_lent_stays() -> None:
    with opened(keep_minutes=5, retain_days=0, steps=STEPS[-1:]) as world:
        assert world.release("2.0.0").status == "SUCCEEDED"
        (first,) = world.own()
        world.rest(1800)
        assert world.balancers() == ["shop", first]
        assert world.release("3.0.0").status == "SUCCEEDED"
        world.rest(1800)
        (second,) = world.own()
        assert second != first
        assert world.weights() == {second: 100}
        assert world.lost == {}


def test_a_change_that_is_not_told_for_ten_minutes_ends_the_release(world: World) -> None:
    """F33: PENDING."""
    world.cloud.names.lag = lambda: 1200.0
    ended = world.release("2.0.0")
    assert ended.error == "RolledBack"
    assert "Route 53 has not told all its servers for 10 minutes" in (ended.cause or "")
    assert world.weights() == {"shop": 100}
    assert world.own() == []
    assert world.lost == {}


def test_a_zone_that_others_work_on_delays_a_release_and_nothing_else(world: World) -> None:
    """F33: PriorRequestNotComplete, and Throttling of the whole account."""
    route53 = world.cloud.client("route53")

    def hustle(_: float) -> None:
        record = {
            "Name": "other.example.com",
            "Type": "TXT",
            "TTL": 60,
            "ResourceRecords": [{"Value": '"x"'}],
        }
        batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
        with suppress(ClientError):
            route53.change_resource_record_sets(HostedZoneId=world.zone, ChangeBatch=batch)

    world.cloud.clock.every(1, hustle, "others")
    ended = world.release("2.0.0")
    assert ended.status == "SUCCEEDED", ended.cause
    assert world.lost == {}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Weight": 0}, "Give all weight to the one target group"),
        ({"SetIdentifier": "another", "Weight": 1}, "Give all weight to the one target group"),
        ({"Type": "AAAA", "SetIdentifier": "six"}, "weighted alias of type A"),
    ],
)
def test_a_name_that_cannot_be_split_is_refused(world: World, changed: dict[str, Any], words: str) -> None:
    """F34: with all weights at 0 everybody is answered."""
    route53 = world.cloud.client("route53")
    listed = route53.list_resource_record_sets(HostedZoneId=world.zone)["ResourceRecordSets"]
    (record,) = [each for each in listed if each["Type"] == "A"]
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {**record, **changed}}]}
    route53.change_resource_record_sets(HostedZoneId=world.zone, ChangeBatch=batch)
    ended = world.release("2.0.0")
    assert ended.error == "Refused"
    assert words in (ended.cause or "")
    assert world.own() == []
