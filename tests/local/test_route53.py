"""Route 53 as AWS has it: batches that are all or nothing, weights, aliases, haste."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from botocore.config import Config
from botocore.exceptions import ClientError

from local import seed
from local.control.session import session
from local.fleet.names import Names
from local.reality import Reality
from tests.local import alone
from tests.local.alone import standing

NAME = "shop.example.com."


class Now:
    """The time that everybody is shown."""

    def now(self) -> float:
        return time.time()


class Zone:
    """A hosted zone, where a person changes records without haste."""

    def __init__(self, turned: time_machine.Traveller) -> None:
        self.turned = turned
        self.route53 = session().client("route53", config=Config(retries={"total_max_attempts": 1}))
        self.id = self.route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]

    def change(self, *changes: tuple[str, dict[str, Any]], at_once: bool = False) -> Any:
        if not at_once:
            self.turned.shift(1)
        batch = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
        return self.route53.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch={"Changes": batch})

    def records(self) -> list[dict[str, Any]]:
        self.turned.shift(1)
        listed = self.route53.list_resource_record_sets(HostedZoneId=self.id)["ResourceRecordSets"]
        return [record for record in listed if record["Type"] in ("A", "CNAME")]

    def weights(self) -> dict[str, int]:
        return {record["SetIdentifier"]: record["Weight"] for record in self.records()}

    def status(self, change: str, after: float = 0.0) -> str:
        self.turned.shift(after)
        return str(self.route53.get_change(Id=change)["ChangeInfo"]["Status"])

    def problem(self, *changes: tuple[str, dict[str, Any]], code: str = "InvalidChangeBatch") -> str:
        before = self.records()
        with pytest.raises(ClientError) as refused:
            self.change(*changes)
        assert refused.value.response["Error"]["Code"] == code
        assert self.records() == before
        return str(refused.value.response["Error"]["Message"])


@pytest.fixture
def zone() -> Iterator[Zone]:
    with (
        time_machine.travel(alone.START, tick=False) as turned,
        standing(Names(Now(), Reality(names_propagation_seconds=30))),
    ):
        yield Zone(turned)


@pytest.fixture
def balancer(zone: Zone) -> dict[str, Any]:
    seeded = seed.service(alone.World(), tracking="none")
    elb = alone.World().client("elbv2")
    described: dict[str, Any] = elb.describe_load_balancers(LoadBalancerArns=[seeded.load_balancer_arn])
    return dict(described["LoadBalancers"][0])


def plain(
    side: str, weight: int, ttl: int = 60, name: str = NAME, value: str = "192.0.2.1"
) -> dict[str, Any]:
    record = {"Name": name, "Type": "A", "SetIdentifier": side, "Weight": weight}
    return {**record, "TTL": ttl, "ResourceRecords": [{"Value": value}]}


def alias(side: str, weight: int, name: str, zone: str, evaluates: bool = True) -> dict[str, Any]:
    record = {"Name": NAME, "Type": "A", "SetIdentifier": side, "Weight": weight}
    target = {"DNSName": name, "HostedZoneId": zone, "EvaluateTargetHealth": evaluates}
    return {**record, "AliasTarget": target}


BOTH = (("CREATE", plain("blue", 100)), ("CREATE", plain("green", 0)))


class TestBatches:
    def test_both_weights_change_in_one_batch(self, zone: Zone) -> None:
        """R1."""
        zone.change(*BOTH)
        assert zone.weights() == {"blue": 100, "green": 0}
        zone.change(("UPSERT", plain("blue", 90)), ("UPSERT", plain("green", 10)))
        assert zone.weights() == {"blue": 90, "green": 10}

    @pytest.mark.parametrize(
        "bad",
        [
            ("CREATE", plain("green", 5)),
            ("DELETE", plain("grey", 0)),
            ("UPSERT", plain("green", 50, name="shop.example.org.")),
            ("UPSERT", plain("blue", 50)),
        ],
    )
    def test_one_bad_change_spoils_all(self, zone: Zone, bad: tuple[str, dict[str, Any]]) -> None:
        """R1, F33."""
        zone.change(*BOTH)
        zone.problem(("UPSERT", plain("blue", 50)), bad)

    def test_a_deletion_must_match_all_values(self, zone: Zone) -> None:
        """R5."""
        zone.change(*BOTH)
        for other in (plain("green", 1), plain("green", 0, value="192.0.2.9")):
            assert "do not match the current values" in zone.problem(("DELETE", other))
        zone.change(("DELETE", plain("green", 0)))
        assert zone.weights() == {"blue": 100}

    def test_a_deletion_leaves_other_names_alone(self, zone: Zone) -> None:
        other = plain("green", 7, name="shop2.example.com.")
        zone.change(*BOTH, ("CREATE", other))
        zone.change(("DELETE", plain("green", 0)))
        assert zone.weights() == {"blue": 100, "green": 7}

    def test_a_record_is_replaced_by_one_of_another_policy_in_one_batch(self, zone: Zone) -> None:
        simple = {"Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        zone.change(("CREATE", simple))
        assert "non-weighted set exists" in zone.problem(*BOTH)
        zone.change(("DELETE", simple), *BOTH)
        assert zone.weights() == {"blue": 100, "green": 0}

    def test_names_are_kept_in_lower_case_with_their_dot(self, zone: Zone) -> None:
        zone.change(("CREATE", plain("blue", 1, name="Shop.Example.com")))
        zone.change(("UPSERT", plain("blue", 2)))
        assert [(record["Name"], record["Weight"]) for record in zone.records()] == [(NAME, 2)]


class TestWeights:
    def test_weights_are_0_to_255(self, zone: Zone) -> None:
        """R2."""
        zone.change(("CREATE", plain("blue", 255)), ("CREATE", plain("green", 0)))
        zone.problem(("UPSERT", plain("green", 256)), code="InvalidInput")

    def test_all_may_be_zero(self, zone: Zone) -> None:
        """R2: it means equal shares, so AWS doesn't refuse it."""
        zone.change(("CREATE", plain("blue", 0)), ("CREATE", plain("green", 0)))
        assert zone.weights() == {"blue": 0, "green": 0}

    @pytest.mark.parametrize("missing", ["SetIdentifier", "Weight"])
    def test_a_weighted_record_has_an_identifier_and_a_weight(self, zone: Zone, missing: str) -> None:
        record = {key: value for key, value in plain("blue", 1).items() if key != missing}
        assert missing in zone.problem(("CREATE", record), code="InvalidInput")

    def test_the_ttl_of_all_is_changed_at_once_or_not_at_all(self, zone: Zone) -> None:
        """R4."""
        zone.change(*BOTH)
        assert "same TTL" in zone.problem(("UPSERT", plain("blue", 100, ttl=30)))
        zone.change(("UPSERT", plain("blue", 100, ttl=30)), ("UPSERT", plain("green", 0, ttl=30)))
        assert {record["TTL"] for record in zone.records()} == {30}


class TestAliases:
    def test_an_alias_leads_to_a_load_balancer_in_its_own_zone(
        self, zone: Zone, balancer: dict[str, Any]
    ) -> None:
        name, canonical = balancer["DNSName"], balancer["CanonicalHostedZoneId"]
        assert "target zone" in zone.problem(("CREATE", alias("blue", 1, name, "ZOTHER")))
        gone = name.replace("shop", "gone")
        assert "not found" in zone.problem(("CREATE", alias("blue", 1, gone, canonical)))
        zone.change(("CREATE", alias("blue", 1, f"dualstack.{name}.", canonical)))
        (record,) = zone.records()
        assert record["AliasTarget"]["EvaluateTargetHealth"] is True

    def test_an_alias_has_no_ttl_and_no_values(self, zone: Zone, balancer: dict[str, Any]) -> None:
        """R4."""
        record = alias("blue", 1, balancer["DNSName"], balancer["CanonicalHostedZoneId"])
        for more in ({"TTL": 60}, {"TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}):
            zone.problem(("CREATE", {**record, **more}), code="InvalidInput")
        zone.change(("CREATE", record))


class TestPropagation:
    def test_a_change_is_pending_until_all_servers_have_it(self, zone: Zone) -> None:
        """R5."""
        told = zone.change(*BOTH)["ChangeInfo"]
        assert told["Status"] == "PENDING"
        assert zone.status(told["Id"], after=29) == "PENDING"
        assert zone.status(told["Id"], after=1) == "INSYNC"

    def test_changes_arrive_in_their_order(self, zone: Zone) -> None:
        first = zone.change(*BOTH)["ChangeInfo"]["Id"]
        second = zone.change(("UPSERT", plain("blue", 1)))["ChangeInfo"]["Id"]
        assert first != second
        assert zone.status(first, after=29.5) == "INSYNC"
        assert zone.status(second) == "PENDING"

    def test_nobody_knows_a_change_that_was_refused(self, zone: Zone) -> None:
        zone.problem(("DELETE", plain("blue", 1)))
        with pytest.raises(ClientError) as refused:
            zone.status("C0000000000001")
        assert refused.value.response["Error"]["Code"] == "NoSuchChange"


class TestHaste:
    def refused(self, call: Callable[..., Any], *given: Any, **named: Any) -> tuple[str, int]:
        with pytest.raises(ClientError) as refused:
            call(*given, **named)
        answer = refused.value.response
        return str(answer["Error"]["Code"]), int(answer["ResponseMetadata"]["HTTPStatusCode"])

    @pytest.mark.filterwarnings("ignore:.*code Throttling does not match")  # the API has it, its model not
    def test_an_account_asks_five_times_a_second(self, zone: Zone) -> None:
        """R6."""
        zone.turned.shift(1)
        for _ in range(5):
            zone.route53.list_hosted_zones()
        assert self.refused(zone.route53.get_change, Id="C1") == ("Throttling", 400)
        zone.turned.shift(1)
        zone.route53.list_hosted_zones()

    def test_a_zone_takes_one_batch_at_a_time(self, zone: Zone) -> None:
        """R6."""
        zone.change(*BOTH)
        again = ("UPSERT", plain("blue", 1))
        assert self.refused(zone.change, again, at_once=True) == ("PriorRequestNotComplete", 400)
        zone.change(again)
        assert zone.weights() == {"blue": 1, "green": 0}
