"""A route by DNS: what its records mean, and the batch that changes them."""

import re
from typing import Any

import pytest

from viridian import dns
from viridian.dns import Answers
from viridian.errors import Refusal
from viridian.traffic import Forward

ROUTE = "arn:aws:route53:::hostedzone/Z0123456789ABC/shop.example.com"


def record(side: str, weight: int = 0, **more: Any) -> dict[str, Any]:
    target = {"DNSName": f"dualstack.{side.upper()}-1.elb.amazonaws.com.", "EvaluateTargetHealth": True}
    return {
        "Name": "shop.example.com.",
        "Type": "A",
        "SetIdentifier": side,
        "Weight": weight,
        "AliasTarget": target,
    } | more


def answers(**weights: int) -> Answers:
    records = [record(side, weight) for side, weight in weights.items()]
    return dns.answers(ROUTE, records, {f"{side}-1.elb.amazonaws.com": side for side in ("blue", "green")})


def changes(now: Answers, *, anew: bool = False, **weights: int) -> list[tuple[str, str, int]]:
    made = {"green": record("green")}
    batch = dns.batch(now, Forward(weights=weights), made, anew=anew)
    return [
        (c["Action"], c["ResourceRecordSet"]["SetIdentifier"], c["ResourceRecordSet"]["Weight"])
        for c in batch
    ]


@pytest.mark.parametrize(
    ("route", "fits"),
    [
        (ROUTE, True),
        (ROUTE.replace("arn:aws:", "arn:aws-cn:"), True),
        (ROUTE.replace("shop.", "_x.my-shop."), True),
        (f"{ROUTE}.", False),
        (ROUTE.replace("shop", "Shop"), False),
        (ROUTE.replace("shop", "*"), False),
        (ROUTE.replace("shop.example.com", "com"), False),
        (ROUTE.replace("shop", "-shop"), False),
        (ROUTE.replace("shop", "s" * 64), False),
        (ROUTE.replace("shop", "s.s" * 90), False),
        (ROUTE.rsplit("/", 1)[0], False),
        (f"{ROUTE}/x", False),
        (f"{ROUTE}\n", False),
    ],
)
def test_a_name_is_a_zone_and_a_record_of_it(route: str, fits: bool) -> None:
    assert (re.search(dns.ROUTE, route) is not None) == fits


def test_a_name_is_told_from_a_rule() -> None:
    assert dns.is_name(ROUTE)
    assert not dns.is_name("arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shop/1/2")
    assert dns.place(ROUTE) == ("Z0123456789ABC", "shop.example.com.")


def test_records_are_told_by_where_they_lead() -> None:
    assert answers(blue=90, green=10).forward.weights == {"blue": 90, "green": 10}
    assert answers(blue=90, other=10).forward.weights == {"blue": 90, "record other": 10}


def test_two_records_to_one_load_balancer_are_not_one() -> None:
    records = [record("blue", 60), record("blue", 40, SetIdentifier="again")]
    found = dns.answers(ROUTE, records, {"blue-1.elb.amazonaws.com": "blue"})
    assert found.forward.weights == {"blue": 60, "record again": 40}


def test_a_record_without_a_weight_has_all_the_traffic() -> None:
    alone = {key: value for key, value in record("blue").items() if key not in ("Weight", "SetIdentifier")}
    found = dns.answers(ROUTE, [alone], {"blue-1.elb.amazonaws.com": "blue"})
    assert found.forward.alone("blue")


class TestBatch:
    def test_what_changes_is_replaced_as_it_was_seen(self) -> None:
        """aws-facts R1, R5: Route 53 refuses the whole batch if it was changed meanwhile."""
        assert changes(answers(blue=100), blue=90, green=10) == [
            ("DELETE", "blue", 100),
            ("CREATE", "blue", 90),
            ("CREATE", "green", 10),
        ]

    def test_a_side_without_traffic_has_no_record(self) -> None:
        """aws-facts R3."""
        assert changes(answers(blue=50, green=50), green=100) == [
            ("DELETE", "blue", 50),
            ("DELETE", "green", 50),
            ("CREATE", "green", 100),
        ]

    def test_what_stays_is_not_sent(self) -> None:
        assert changes(answers(blue=90, green=10), blue=90, green=10) == []
        assert [side for _, side, _ in changes(answers(blue=90, green=10), blue=80, green=10)] == ["blue"] * 2

    def test_weights_can_be_written_as_they_are(self) -> None:
        assert changes(answers(blue=100), anew=True, blue=100) == [
            ("DELETE", "blue", 100),
            ("CREATE", "blue", 100),
        ]


@pytest.mark.parametrize(
    "odd",
    [
        record("blue", 1, Type="CNAME"),
        record("blue", 1, Type="AAAA"),
        record("blue", 1, HealthCheckId="abc"),
        record("blue", 1, AliasTarget={}),
        {key: value for key, value in record("blue").items() if key != "Weight"},
    ],
)
def test_what_has_no_weight_or_no_load_balancer_is_refused(odd: dict[str, Any]) -> None:
    dns.ensure_weighted(ROUTE, [record("blue", 1)])
    with pytest.raises(Refusal, match="weighted alias"):
        dns.ensure_weighted(ROUTE, [record("green", 1), odd])


def test_a_name_without_a_record_is_refused() -> None:
    with pytest.raises(Refusal, match="has a record"):
        dns.ensure_weighted(ROUTE, [])
