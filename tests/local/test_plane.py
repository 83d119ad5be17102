"""The model counts what a load balancer would: by weights, health, stickiness, and what each app's fault does."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from local.plane.plane import ModelPlane, serving
from local.plane.routing import LAST, Condition, Fixed, Listener, Request, Rule, match
from local.reality import Reality

DNS, BLUE, GREEN, EMPTY = "shop-1.us-east-1.elb.amazonaws.com", "arn:blue", "arn:green", "arn:empty"
STANDBY = Condition("http-header", ("s3cret",), "X-Standby")


class Hand:
    speed = 1.0
    at = 1_800_000_000.0

    def now(self) -> float:
        return self.at


class Town:
    """Two instances of blue and one of green behind one listener, 10 requests a second."""

    def __init__(self) -> None:
        self.clock = Hand()
        self.plane = ModelPlane(self.clock, Reality())
        self.plane.start()
        for instance, group, version in (("b1", BLUE, "1"), ("b2", BLUE, "1"), ("g1", GREEN, "2")):
            self.plane.launch(instance, {"version": version, "fault": None})
            self.plane.place(group, instance, "up")
        self.route((BLUE, 100))
        self.plane.traffic(10)

    def route(self, *weights: tuple[str, int], sticky: int = 0, before: tuple[Rule, ...] = ()) -> None:
        rules = (*before, Rule("production", 100, (Condition("path-pattern", ("/*",)),), weights, sticky))
        self.plane.route([Listener("listener", "balancer", DNS, 80, rules)])

    def after(self, seconds: float) -> None:
        self.clock.at += seconds

    def requests(self) -> tuple[int, int]:
        counts = self.plane.counts()
        return tuple(counts[g].requests if g in counts else 0 for g in (BLUE, GREEN))  # type: ignore[return-value]

    def get(self, **headers: str) -> tuple[int, str | None, str | None]:
        address = self.plane.address(DNS, 80)
        assert address is not None
        request = urllib.request.Request(f"http://{address[0]}:{address[1]}/", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.headers["X-Version"], answer.headers["Set-Cookie"]
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers["X-Version"], None


@pytest.fixture
def town() -> Iterator[Town]:
    town = Town()
    yield town
    town.plane.stop()


def test_traffic_follows_the_weights_from_the_moment_they_change(town: Town) -> None:
    town.after(100)
    town.route((BLUE, 75), (GREEN, 25))
    town.after(100)
    assert town.requests() == (1750, 250)
    town.route((GREEN, 1))
    town.after(100)
    assert town.requests() == (1750, 1250)


def test_looking_often_counts_the_same_as_looking_once(town: Town) -> None:
    town.route((BLUE, 2), (GREEN, 1))
    for _ in range(1000):
        town.after(0.1)
        town.plane.counts()
    assert sum(town.requests()) in (999, 1000)
    assert town.requests()[1] in (333, 332)


def test_the_rate_can_change(town: Town) -> None:
    town.after(10)
    town.plane.traffic(100)
    town.after(10)
    assert town.requests()[0] == 1100


def test_sticky_clients_stay_whatever_the_weights_until_their_group_leaves(town: Town) -> None:
    """aws-facts: E3, E15."""
    town.plane.traffic(10, sticky_share=0.5)
    town.route((BLUE, 100), (GREEN, 0), sticky=3600)
    town.after(10)
    town.route((BLUE, 0), (GREEN, 100), sticky=3600)
    before = town.requests()
    town.after(100)
    town.plane.counts()
    assert town.requests() == (before[0] + 500, before[1] + 500)
    town.route((GREEN, 100), sticky=3600)
    town.after(100)
    assert town.requests() == (before[0] + 500, before[1] + 1500)


def test_a_group_without_targets_is_the_load_balancers_503(town: Town) -> None:
    """aws-facts: E5; a request without a target is no RequestCount."""
    town.route((BLUE, 50), (EMPTY, 50))
    town.after(10)
    counts = town.plane.counts()
    assert counts[EMPTY].elb_5xx == 50
    assert counts[EMPTY].requests == 0
    assert counts[BLUE].elb_5xx == 0


def test_a_group_that_only_drains_has_no_target_for_new_requests(town: Town) -> None:
    town.plane.place(BLUE, "b1", "draining")
    town.plane.place(BLUE, "b2", "draining")
    town.after(10)
    assert town.plane.counts()[BLUE].elb_5xx == 100


def test_a_group_whose_targets_are_all_down_fails_open(town: Town) -> None:
    """aws-facts: E4."""
    town.plane.place(BLUE, "b1", "down")
    town.after(10)
    assert town.plane.counts()[BLUE].unhealthy_routing == 0
    town.plane.place(BLUE, "b2", "down")
    town.after(10)
    assert town.plane.counts()[BLUE].unhealthy_routing == 100
    assert town.plane.counts()[BLUE].elb_5xx == 0


def test_requests_to_a_dead_instance_are_lost_until_it_leaves(town: Town) -> None:
    town.plane.kill("b1")
    town.after(10)
    counts = town.plane.counts()[BLUE]
    assert (counts.requests, counts.elb_5xx, counts.response_count) == (100, 50, 50)
    town.plane.remove(BLUE, "b1")
    town.after(10)
    assert town.plane.counts()[BLUE].elb_5xx == 50


def test_a_third_of_the_requests_fail_after_the_first_ten_of_an_instance(town: Town) -> None:
    town.plane.launch("g1", {"version": "3", "fault": "third"})
    town.route((GREEN, 1))
    town.after(1)
    assert town.plane.counts()[GREEN].target_5xx == 0
    town.after(30)
    assert town.plane.counts()[GREEN].target_5xx == 100
    assert town.plane.by_version()["3"].errors == pytest.approx(100)


def test_health_is_what_the_disk_says(town: Town) -> None:
    town.plane.launch("sick", {"version": "4", "fault": "unhealthy"})
    town.plane.launch("third", {"version": "3", "fault": "third"})
    checks = [(instance, "/health") for instance in ("b1", "sick", "third", "nobody")]
    assert town.plane.probe(checks) == [200, 500, 200, None]


def test_real_http_reaches_whoever_the_rules_say_now(town: Town) -> None:
    standby = Rule("standby", 1, (STANDBY,), ((GREEN, 1),))
    town.route((BLUE, 1), before=(standby,))
    assert town.get()[:2] == (200, "1")
    assert town.get(**{"X-Standby": "s3cret"})[:2] == (200, "2")
    town.route((EMPTY, 1))
    assert town.get()[0] == 503
    assert town.plane.address(DNS, 443) is None
    assert town.plane.address("other.elb.amazonaws.com", 80) is None


def test_real_http_keeps_sticky_clients_too(town: Town) -> None:
    town.route((BLUE, 0), (GREEN, 1), sticky=60)
    cookie = town.get()[2]
    assert cookie is not None
    town.route((BLUE, 1), (GREEN, 0), sticky=60)
    assert town.get(Cookie=cookie.partition(";")[0])[1] == "2"
    town.route((BLUE, 1), sticky=60)
    assert town.get(Cookie=cookie.partition(";")[0])[1] == "1"


def test_real_http_meets_the_fault_too(town: Town) -> None:
    town.plane.traffic(0)
    town.plane.launch("g1", {"version": "3", "fault": "third"})
    town.route((GREEN, 1))
    statuses = [town.get()[0] for _ in range(16)]
    assert statuses == [200] * 12 + [500] + [200, 200, 500]


def test_weights_split_real_http_evenly(town: Town) -> None:
    town.route((BLUE, 3), (GREEN, 1))
    served = [town.get()[1] for _ in range(40)]
    assert served.count("2") == 10


def test_no_rule_is_nobodys_5xx_but_the_load_balancers(town: Town) -> None:
    town.plane.route([Listener("listener", "balancer", DNS, 80, ())])
    town.after(10)
    assert town.plane.no_target_5xx() == 100
    town.plane.route(
        [Listener("l", "b", DNS, 80, (Rule("d", LAST, (), (), 0, Fixed(404, "", "text/plain")),))]
    )
    town.after(10)
    assert town.plane.no_target_5xx() == 100


def test_serving_prefers_who_is_up_and_never_who_drains() -> None:
    assert serving({"a": "up", "b": "down", "c": "draining"}) == (["a"], False)
    assert serving({"b": "down", "c": "draining"}) == (["b"], True)
    assert serving({"c": "draining"}) == ([], False)
    assert serving({}) == ([], False)


@pytest.mark.parametrize(
    ("condition", "request_", "holds"),
    [
        (Condition("path-pattern", ("/img/*.png",)), Request("GET", "x", "/img/a/b.png?q", {}), True),
        (Condition("path-pattern", ("/img/*.png",)), Request("GET", "x", "/IMG/a.png", {}), False),
        (Condition("path-pattern", ("/[ab]",)), Request("GET", "x", "/a", {}), False),
        (Condition("host-header", ("*.Example.com",)), Request("GET", "shop.EXAMPLE.com", "/", {}), True),
        (STANDBY, Request("GET", "x", "/", {"x-standby": "S3cret"}), True),
        (STANDBY, Request("GET", "x", "/", {}), False),
        (Condition("http-request-method", ("POST",)), Request("GET", "x", "/", {}), False),
        (Condition("source-ip", ("0.0.0.0/0",)), Request("GET", "x", "/", {}), False),
    ],
)
def test_conditions_match_as_an_alb_matches(condition: Condition, request_: Request, holds: bool) -> None:
    rule = Rule("rule", 1, (condition,), ())
    assert (match([rule], request_) is rule) == holds


def test_each_lost_request_is_told_with_who_it_was_sent_to(town: Town) -> None:
    told: list[tuple[str, str, str, float]] = []
    town.plane.lost = lambda *lost: told.append(lost)
    town.plane.kill("b1")
    town.after(2)
    town.plane.counts()
    town.route((EMPTY, 100))
    town.after(1)
    town.plane.counts()
    assert told == [("unanswered", BLUE, "b1", 10.0), ("untargeted", EMPTY, "", 10.0)]


def test_long_requests_are_cut_with_their_target_unless_they_had_their_time(town: Town) -> None:
    told: list[tuple[str, str, str, float]] = []
    town.plane.lost = lambda *lost: told.append(lost)
    town.plane.traffic(10, long_share=0.5, long_seconds=20)
    town.after(60)
    town.plane.place(BLUE, "b1", "draining")
    town.after(5)
    town.plane.remove(BLUE, "b1")
    assert [(*who, round(lost, 6)) for *who, lost in told] == [("cut", BLUE, "b1", 37.5)]
    told.clear()
    town.plane.place(BLUE, "b2", "draining")
    town.after(20)
    town.plane.remove(BLUE, "b2")
    assert [how for how, *_ in told if how == "cut"] == []
