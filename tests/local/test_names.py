"""A name of a hosted zone leads to load balancers by weight and health, and its clients keep what they are told."""

from collections import Counter
from collections.abc import Callable

import pytest

from local.cloud import Cloud
from local.plane import zones
from local.plane.zones import Record
from tests.local.pair import IN_SYNC, NAME, Pair
from tests.local.pair import pair as made


def everybody(_: str) -> bool:
    return True


def nobody(_: str) -> bool:
    return False


def drawn(weights: dict[str, int], healthy: Callable[[str], bool], evaluates: bool = True) -> dict[str, int]:
    """How many of a hundred queries each record answers."""
    records = [Record(NAME, "A", side, 60, weight, evaluates) for side, weight in weights.items()]
    answers = [zones.choose(records, healthy, turn / 100) for turn in range(100)]
    return dict(Counter(answer.target for answer in answers if answer))


class TestChoice:
    def test_weights_are_shares(self) -> None:
        """R2."""
        assert drawn({"blue": 90, "green": 10}, everybody) == {"blue": 90, "green": 10}
        assert drawn({"blue": 255, "green": 0}, everybody) == {"blue": 100}

    def test_all_zero_is_equal_shares(self) -> None:
        """R2."""
        assert drawn({"blue": 0, "green": 0}, everybody) == {"blue": 50, "green": 50}

    def test_the_healthy_one_answers_whatever_its_weight(self) -> None:
        """R3: weight 0 isn't off while health is evaluated."""
        assert drawn({"blue": 90, "green": 10}, lambda side: side == "green") == {"green": 100}
        assert drawn({"blue": 100, "green": 0}, lambda side: side == "green") == {"green": 100}

    def test_health_that_is_not_evaluated_is_good(self) -> None:
        assert drawn({"blue": 100, "green": 0}, nobody, evaluates=False) == {"blue": 100}

    def test_with_nobody_healthy_all_are_taken_to_be(self) -> None:
        assert drawn({"blue": 100, "green": 0}, nobody) == {"blue": 100}
        assert drawn({"blue": 50, "green": 50}, nobody) == {"blue": 50, "green": 50}

    def test_no_record_is_no_answer(self) -> None:
        assert drawn({}, everybody) == {}


@pytest.fixture
def pair(cloud: Cloud) -> Pair:
    return made(cloud)


class TestAnswers:
    def test_a_change_is_answered_once_it_is_in_sync(self, pair: Pair) -> None:
        """R5."""
        assert pair.told() == {"blue": 20}
        pair.weigh(50, 50)
        pair.rest(IN_SYNC - 5)
        assert pair.told() == {"blue": 20}
        pair.rest(5)
        assert set(pair.told()) == {"blue", "green"}

    def test_an_alias_to_a_load_balancer_lives_sixty_seconds(self, pair: Pair) -> None:
        """R4."""
        answer = pair.cloud.names.resolve("SHOP.example.com")
        assert answer == zones.Answer(f"{pair.blue.load_balancer_dns}.", 60)

    def test_a_name_that_nobody_made_has_no_answer(self, pair: Pair) -> None:
        assert pair.cloud.names.resolve("other.example.com") is None
        assert pair.cloud.names.resolve("shop.example.org") is None
        assert pair.cloud.names.resolve("gone-1.us-east-1.elb.amazonaws.com") is None
        route53 = pair.cloud.client("route53")
        record = {"Name": "www.example.com", "Type": "CNAME", "TTL": 20, "ResourceRecords": [{"Value": NAME}]}
        batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        route53.change_resource_record_sets(HostedZoneId=pair.zone, ChangeBatch=batch)
        pair.rest(IN_SYNC)
        assert pair.cloud.names.resolve("www.example.com") == zones.Answer(NAME, 20, "CNAME")

    def test_one_sick_group_takes_its_load_balancer_out(self, pair: Pair) -> None:
        """H1: a weight of 0 on a rule doesn't make a group with only unhealthy targets harmless."""
        pair.weigh(50, 50)
        pair.rest(IN_SYNC)
        elb = pair.cloud.client("elbv2")
        (empty,) = elb.create_target_group(Name="empty", Protocol="HTTP", Port=80, VpcId=pair.green.vpc_id)[
            "TargetGroups"
        ]
        weights = [(pair.green.target_group_arn, 100), (empty["TargetGroupArn"], 0)]
        groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights]
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
        elb.modify_rule(RuleArn=pair.green.rule_arn, Actions=actions)
        pair.rest(5)
        assert pair.told() == {"blue": 20}
        elb.modify_rule(
            RuleArn=pair.green.rule_arn, Actions=[{"Type": "forward", "TargetGroupArn": weights[0][0]}]
        )
        pair.rest(5)
        assert set(pair.told()) == {"blue", "green"}


class TestClients:
    def test_clients_follow_when_their_ttl_is_over_and_not_before(self, pair: Pair) -> None:
        """R5: in sync isn't enough."""
        pair.cloud.plane.traffic(20, NAME.rstrip("."), resolvers=50)
        assert pair.served(60) == {"1.0.0": 1200}
        pair.weigh(0, 100)
        assert pair.served(IN_SYNC) == {"1.0.0": 600}
        midway = pair.served(60)
        assert midway["1.0.0"] > 400 < midway["2.0.0"]
        pair.rest(5)
        assert pair.served(60) == {"2.0.0": 1200}

    def test_clients_are_split_by_weight(self, pair: Pair) -> None:
        pair.cloud.plane.traffic(20, NAME.rstrip("."), resolvers=50)
        pair.weigh(90, 10)
        pair.rest(IN_SYNC + 65)
        served = pair.served(600)
        assert served["1.0.0"] + served["2.0.0"] == 12000
        assert 0.08 < served["2.0.0"] / 12000 < 0.12

    def test_clients_of_a_deleted_load_balancer_are_lost_until_they_ask_again(self, pair: Pair) -> None:
        lost: Counter[str] = Counter()
        pair.cloud.plane.lost = lambda how, group, target, requests: lost.update({how: requests})
        pair.cloud.plane.traffic(20, NAME.rstrip("."), resolvers=50)
        pair.weigh(0, 100)
        pair.rest(IN_SYNC + 20)
        pair.cloud.client("elbv2").delete_load_balancer(LoadBalancerArn=pair.blue.load_balancer_arn)
        pair.rest(60)
        assert 0 < lost.total() == lost["unresolved"]
        before = lost.total()
        pair.rest(60)
        assert lost.total() == before
