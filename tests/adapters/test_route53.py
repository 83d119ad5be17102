"""Route 53: both weights change or neither does, what somebody else wrote is never written over, and nothing else changes."""

import time
from collections.abc import Iterator

import pytest

from local.fleet.names import Names
from local.reality import Reality
from tests.account import Account
from tests.adapters.name import NAME, Name
from viridian import dns
from viridian.aws import route53
from viridian.errors import Drifted, Fenced, NotKept, Refusal
from viridian.traffic import Forward


class Now:
    """The time that everybody is shown."""

    def now(self) -> float:
        return time.time()


@pytest.fixture
def name(account: Account) -> Iterator[Name]:
    names = Names(Now(), Reality())
    names.install()
    yield Name(account.before("create_green"))
    names.uninstall()


def test_a_names_weights_are_told_by_the_target_groups_that_they_lead_to(name: Name) -> None:
    found = route53.find(name.route)
    assert found.forward == Forward(weights={name.blue: 100})
    dns.ensure_weighted(name.route, list(found.records.values()))


def test_both_weights_change_in_one_batch_that_names_what_it_replaces(name: Name) -> None:
    """aws-facts R1, R5."""
    assert name.set(blue=90, green=10) == Forward(weights={name.blue: 90, name.green: 10})
    assert name.shown() == {"blue": 90, "shop-green": 10}
    assert name.batches() == [[("DELETE", "blue", 100), ("CREATE", "blue", 90), ("CREATE", "shop-green", 10)]]
    (written,) = [entry for entry in name.account.journal() if entry["call"] == "ChangeResourceRecordSets"]
    assert written["outcome"] == "done"


def test_greens_record_leads_to_its_load_balancer_and_is_like_blues(name: Name) -> None:
    name.set(blue=90, green=10)
    target = route53.find(name.route).records[name.green]["AliasTarget"]
    assert target["DNSName"] == f"{name.green_balancer['DNSName']}."
    assert target["HostedZoneId"] == name.green_balancer["CanonicalHostedZoneId"]
    assert target["EvaluateTargetHealth"] is True


def test_a_side_without_traffic_has_no_record(name: Name) -> None:
    """aws-facts R3: a weight of 0 isn't off."""
    name.set(blue=90, green=10)
    name.set(green=100)
    assert name.shown() == {"shop-green": 100}
    name.set(blue=100)
    assert name.shown() == {"shop": 100}, "its record is made anew, under its load balancer's name"


def test_weights_that_stand_are_written_only_to_learn_their_change(name: Name) -> None:
    name.set(blue=90, green=10)
    first = name.account.record().change
    name.account.calls.clear()
    name.set(blue=90, green=10)
    assert name.account.writes() == []
    name.set(blue=90, green=10, anew=True)
    assert name.account.writes() == ["ChangeResourceRecordSets"]
    assert name.account.record().change not in (None, first)


def test_a_change_is_in_sync_once_all_servers_have_it(name: Name) -> None:
    """aws-facts R5."""
    name.set(blue=90, green=10)
    change = name.account.record().change
    assert change is not None
    assert not route53.in_sync(change)
    name.account.later(seconds=60)
    assert route53.in_sync(change)


def test_what_somebody_else_wrote_meanwhile_is_not_written_over(name: Name) -> None:
    """A load balancer's rule can't be told what it is to replace; a record can."""
    now = route53.find(name.route)
    other = name.record("blue", 7, name.account.shop.load_balancer_dns)
    name.change(("UPSERT", other))
    wanted = Forward(weights={name.blue: 90, name.green: 10})
    with pytest.raises(Drifted, match="do not match the current values"):
        route53.set_forward(now, wanted, name.account.record().fence())
    assert name.shown() == {"blue": 7}


def test_an_older_epoch_writes_nothing(name: Name) -> None:
    fence = name.account.record().fence()
    name.account.move_epoch_on()
    with pytest.raises(Fenced):
        route53.set_forward(route53.find(name.route), Forward(weights={name.green: 100}), fence)
    assert name.account.writes() == []


def test_a_foreign_record_is_seen_and_kept(name: Name) -> None:
    foreign = {"Name": NAME, "Type": "A", "SetIdentifier": "canary", "Weight": 3}
    target = {"DNSName": "d111111abcdef8.cloudfront.net.", "HostedZoneId": "Z2FDTNDATAQYW2"}
    name.change(("CREATE", {**foreign, "AliasTarget": {**target, "EvaluateTargetHealth": False}}))
    assert route53.find(name.route).forward.weights == {name.blue: 100, "record canary": 3}
    wanted = Forward(weights={name.blue: 50, name.green: 50, "record canary": 3})
    route53.set_forward(route53.find(name.route), wanted, name.account.record().fence())
    assert name.shown() == {"blue": 50, "canary": 3, "shop-green": 50}


def test_a_zone_that_is_busy_is_asked_again(name: Name) -> None:
    """aws-facts R6, F33: such a batch was not carried out."""
    now = route53.find(name.route)
    name.change(
        ("CREATE", {**name.record("x", 1, name.account.shop.load_balancer_dns), "Name": "other.example.com"})
    )
    name.account.later(seconds=-2)
    name.account.calls.clear()
    wanted = Forward(weights={name.blue: 80, name.green: 20})
    assert route53.set_forward(now, wanted, name.account.record().fence()) == wanted
    errors = [entry["error"] for entry in name.account.calls if entry["call"] == "ChangeResourceRecordSets"]
    assert errors == ["PriorRequestNotComplete"] * (len(errors) - 1) + [None]
    assert len(errors) > 1


def test_what_is_shown_afterwards_is_what_counts(name: Name) -> None:
    def interfere() -> None:
        name.change(("UPSERT", name.record("blue", 1, name.account.shop.load_balancer_dns)))

    with (
        name.account.hooked("after-call", "route53", "ChangeResourceRecordSets", interfere),
        pytest.raises(NotKept, match=r"wrote .* 90.*, the records show .* 1$"),
    ):
        name.set(blue=90, green=10)


def test_a_name_in_no_zone_is_refused(name: Name) -> None:
    gone = f"arn:aws:route53:::hostedzone/Z0GONE/{NAME}"
    with pytest.raises(Refusal) as refused:
        route53.find(gone)
    assert refused.value.value == gone
