"""HAProxy loses what an ALB would lose and nothing else: real processes, real sockets, real load."""

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from local.plane.balancer import HAProxyPlane
from local.plane.plane import Counts
from local.plane.routing import LAST, Condition, Fixed, Listener, Rule
from local.reality import Reality

DNS, A, B, EMPTY = "shop-1.us-east-1.elb.amazonaws.com", "arn:blue", "arn:green", "arn:empty"
SECRET = Condition("http-header", ("s3cret",), "X-Standby")
EVERYTHING = Condition("path-pattern", ("/*",))


class Now:
    speed = 1.0

    def now(self) -> float:
        return time.time()


class Shop:
    """Two instances of blue, two of green, and what a client does."""

    def __init__(self, out: Path, network: bool = False) -> None:
        self.network = network
        self.plane = HAProxyPlane(Now(), Reality(), out)
        self.plane.start()
        self.route((A, 100))

    def stock(self) -> None:
        for group, targets in ((A, ("i-a1", "i-a2")), (B, ("i-b1", "i-b2"))):
            for target in targets:
                self.add(group, target)

    def add(self, group: str, target: str, fault: str | None = None) -> None:
        self.plane.launch(target, {"version": "blue" if group == A else "green", "fault": fault})
        eventually(lambda: self.plane.probe([(target, "/health")]) != [None])
        self.plane.place(group, target, "up")

    def route(self, *weights: tuple[str, int], sticky: int = 0, before: tuple[Rule, ...] = ()) -> None:
        production = Rule("production", 100, (EVERYTHING,), weights, sticky)
        last = Rule("default", LAST, (), (), fixed=Fixed(404, "nothing here", "text/plain"))
        rules = (Rule("default", LAST, (), weights),) if self.network else (*before, production, last)
        self.plane.route([Listener("listener", "balancer", DNS, 80, rules, self.network)])

    def get(self, path: str = "/", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(*self.address(), timeout=10)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def served(self, times: int, **headers: str) -> Counter[str | None]:
        return Counter(self.get(**headers).headers["X-Version"] for _ in range(times))

    def address(self) -> tuple[str, int]:
        address = self.plane.address(DNS, 80)
        assert address is not None
        return address

    def counts(self, group: str, requests: int) -> Counts:
        eventually(lambda: self.plane.counts().get(group, Counts()).requests >= requests)
        return self.plane.counts()[group]


class Crowd:
    """Kept-alive clients that ask without pause, and note what went wrong."""

    def __init__(self, shop: Shop, clients: int = 4, path: str = "/") -> None:
        self.answered, self.lost = 0, list[str]()
        self._address, self._path, self._over = shop.address(), path, threading.Event()
        self._threads = [threading.Thread(target=self._ask_on, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(15)

    def _ask_on(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=10)
        while not self._over.wait(0.002):
            try:
                connection.request("GET", self._path)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.answered += 1
                else:
                    self.lost.append(str(answer.status))
            except (OSError, http.client.HTTPException) as broken:
                self.lost.append(type(broken).__name__)
                connection.close()
        connection.close()


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("balancer"))
    shop.stock()
    yield shop
    shop.plane.stop()


@pytest.fixture
def shop(shared: Shop) -> Iterator[Shop]:
    yield shared
    for group in (A, B):
        for target in ("1", "2"):
            shared.plane.place(group, f"i-{'a' if group == A else 'b'}{target}", "up")
    shared.route((A, 100))


def test_no_request_is_lost_while_the_weights_change(shop: Shop) -> None:
    with Crowd(shop) as crowd:
        for step in range(100):
            shop.route((A, 100 - step), (B, step))
            time.sleep(0.005)
    assert crowd.lost == []
    assert crowd.answered > 200


def test_no_request_is_lost_when_a_target_drains_before_it_dies(shop: Shop) -> None:
    shop.add(A, "i-a3")
    with Crowd(shop, path="/slow?seconds=0.2") as slow, Crowd(shop) as crowd:
        time.sleep(0.2)
        shop.plane.place(A, "i-a3", "draining")
        time.sleep(0.4)
        shop.plane.remove(A, "i-a3")
        shop.plane.kill("i-a3")
        time.sleep(0.2)
    assert crowd.lost == slow.lost == []
    assert slow.answered > 8


def test_requests_are_lost_when_an_instance_dies_without_draining(shop: Shop) -> None:
    """The control: what the other tests call nothing can be seen."""
    shop.add(A, "i-a4")
    with Crowd(shop) as crowd:
        time.sleep(0.1)
        shop.plane.kill("i-a4")
        time.sleep(0.2)
        shop.plane.remove(A, "i-a4")
    assert len(crowd.lost) > 0


def test_what_is_in_flight_at_the_end_of_the_delay_is_cut(shop: Shop) -> None:
    shop.add(A, "i-a5")
    for other in ("i-a1", "i-a2"):
        shop.plane.place(A, other, "draining")
    with Crowd(shop, clients=1, path="/slow?seconds=5") as crowd:
        time.sleep(0.2)
        shop.plane.place(A, "i-a5", "draining")
        shop.plane.remove(A, "i-a5")
        eventually(lambda: bool(crowd.lost))
        shop.plane.kill("i-a5")


def test_weights_split_the_traffic(shop: Shop) -> None:
    shop.route((A, 75), (B, 25))
    served = shop.served(200)
    assert 20 < served["green"] < 85
    assert served["blue"] + served["green"] == 200


def test_a_cookie_beats_the_weights_until_its_group_leaves_the_rule(shop: Shop) -> None:
    """aws-facts: E3."""
    shop.route((A, 0), (B, 100), sticky=60)
    cookie = shop.get().headers["Set-Cookie"].partition(";")[0]
    shop.route((A, 100), (B, 0), sticky=60)
    assert shop.served(20, Cookie=cookie) == {"green": 20}
    assert shop.served(20) == {"blue": 20}
    assert shop.served(20, Cookie="AWSALBTG=0123456789abcdef") == {"blue": 20}
    shop.route((A, 100), sticky=60)
    assert shop.served(20, Cookie=cookie) == {"blue": 20}
    shop.route((A, 100), (B, 0))
    assert shop.get(Cookie=cookie).headers["Set-Cookie"] is None


def test_rules_are_tried_by_priority_and_all_conditions_must_hold(shop: Shop) -> None:
    shop.route((A, 1), before=(Rule("standby", 1, (EVERYTHING, SECRET), ((B, 1),)),))
    assert shop.served(5, **{"X-Standby": "S3CRET"}) == {"green": 5}
    assert shop.served(5, **{"X-Standby": "s3cret-not"}) == {"blue": 5}
    assert shop.served(5) == {"blue": 5}


@pytest.mark.parametrize(
    ("condition", "path", "host", "holds"),
    [
        (Condition("path-pattern", ("/img/*.png",)), "/img/a/b.png", "x", True),
        (Condition("path-pattern", ("/img/*.png",)), "/IMG/a.png", "x", False),
        (Condition("path-pattern", ("/img/?.png", "/b")), "/b?c=d", "x", True),
        (Condition("path-pattern", ("/a-b.c",)), "/a-bxc", "x", False),
        (Condition("host-header", ("*.Example.com",)), "/", "SHOP.example.com:80", True),
        (Condition("host-header", ("*.example.com",)), "/", "example.org", False),
        (Condition("http-request-method", ("POST",)), "/", "x", False),
        (Condition("source-ip", ("0.0.0.0/0",)), "/", "x", False),
    ],
)
def test_conditions_match_as_an_alb_matches(
    shop: Shop, condition: Condition, path: str, host: str, holds: bool
) -> None:
    shop.route((A, 1), before=(Rule("first", 1, (condition,), ((B, 1),)),))
    served = shop.get(path, Host=host).headers["X-Version"]
    assert served == ("green" if holds else "blue")


def test_a_group_without_targets_answers_503_and_counts_no_request(shop: Shop) -> None:
    """aws-facts: E5."""
    shop.route((EMPTY, 1))
    assert shop.get().status == 503
    eventually(lambda: shop.plane.counts().get(EMPTY, Counts()).elb_5xx == 1)
    assert shop.plane.counts()[EMPTY].requests == 0


def test_a_group_whose_targets_are_all_down_fails_open_and_is_counted(shop: Shop) -> None:
    """aws-facts: E4."""
    before = shop.plane.counts()[A].unhealthy_routing
    requests = shop.plane.counts()[A].requests
    shop.plane.place(A, "i-a1", "down")
    assert shop.served(10) == {"blue": 10}
    shop.counts(A, requests + 10)
    assert shop.plane.counts()[A].unhealthy_routing == before
    shop.plane.place(A, "i-a2", "down")
    assert shop.served(10) == {"blue": 10}
    assert shop.counts(A, requests + 20).unhealthy_routing == before + 10


def test_the_apps_errors_are_told_from_the_balancers(shop: Shop) -> None:
    requests = shop.plane.counts().get(B, Counts()).requests
    errors = shop.plane.counts().get(B, Counts()).target_5xx
    for healthy in ("i-b1", "i-b2"):
        shop.plane.place(B, healthy, "draining")
    shop.add(B, "i-b3", fault="third")
    shop.route((B, 1))
    statuses = [shop.get().status for _ in range(22)]
    assert statuses[:12] == [200] * 12
    assert statuses.count(500) == 4
    counts = shop.counts(B, requests + 22)
    assert counts.target_5xx == errors + 4
    shop.plane.remove(B, "i-b3")
    shop.plane.kill("i-b3")


def test_a_request_that_no_rule_takes_is_answered_by_the_default_rule(shop: Shop) -> None:
    shop.plane.route(
        [
            Listener(
                "l", "b", DNS, 80, (Rule("d", LAST, (), (), fixed=Fixed(503, 'tea "pot"\n', "text/plain")),)
            )
        ]
    )
    answer = shop.get()
    assert (answer.status, answer.headers["Content-Type"]) == (503, "text/plain")
    shop.plane.route([Listener("l", "b", DNS, 80, ())])
    assert shop.get().status == 503
    eventually(lambda: shop.plane.no_target_5xx() == 1)  # the second: the first is what its owner asked for


def test_what_is_posted_is_read_and_the_connection_goes_on(shop: Shop) -> None:
    connection = http.client.HTTPConnection(*shop.address(), timeout=10)
    for method in ("POST", "HEAD", "OPTIONS", "GET", "POST", "GET"):
        body = b"sku=1" * 400 if method == "POST" else None
        connection.request(method, "/orders", body)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["X-Version"]) == (200, "blue"), method
        assert (answer.read() == b"") == (method == "HEAD")
    connection.close()


def test_a_client_that_leaves_is_nobodys_error(shop: Shop) -> None:
    before = shop.plane.counts()[A]
    connection = http.client.HTTPConnection(*shop.address(), timeout=5)
    connection.request("GET", "/slow?seconds=0.3")
    time.sleep(0.1)
    connection.close()
    after = shop.counts(A, before.requests + 1)
    assert (after.elb_5xx, after.target_5xx) == (before.elb_5xx, before.target_5xx)


def test_an_instance_that_comes_back_gets_requests_again(shop: Shop) -> None:
    shop.plane.kill("i-a1")
    shop.plane.place(A, "i-a1", "down")
    shop.plane.launch("i-a1", {"version": "blue again"})
    eventually(lambda: shop.plane.probe([("i-a1", "/health")]) == [200])
    shop.plane.place(A, "i-a1", "up")
    assert shop.served(10)["blue again"] == 5


def test_groups_come_and_go_without_using_up_the_pool(shop: Shop) -> None:
    for n in range(100):
        shop.route((A, 1), (f"arn:release-{n}", 0))
        shop.plane.place(f"arn:release-{n}", "i-b1", "up")
        shop.plane.remove(f"arn:release-{n}", "i-b1")
    assert shop.get().status == 200


class TestSeveral:
    """Route 53's second router: each side has a load balancer of its own."""

    OTHER = "shop-2.us-east-1.elb.amazonaws.com"

    def beside(self, shop: Shop, *groups: str, of: str = OTHER) -> None:
        """A second load balancer with a rule for each of these groups, and blue's as it is."""
        listeners = [Listener("l1", "b1", DNS, 80, (Rule("r1", 1, (EVERYTHING,), ((A, 1),)),))]
        for n, group in enumerate(groups):
            rules = (Rule(f"r{n}", 1, (EVERYTHING,), ((group, 1),)),)
            listeners.append(Listener(f"l2-{n}", "b2", of, 80 + n, rules))
        shop.plane.route(listeners)

    def ask(self, address: tuple[str, int]) -> str | None:
        connection = http.client.HTTPConnection(*address, timeout=10)
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.headers["X-Version"]

    def test_each_has_an_address_of_its_own_and_all_have_the_same_ports(self, shop: Shop) -> None:
        self.beside(shop, B)
        blue, green = shop.plane.address(DNS, 80), shop.plane.address(self.OTHER.upper(), 80)
        assert blue is not None is not green
        assert blue[0] == shop.plane.host(DNS) != shop.plane.host(self.OTHER) == green[0]
        assert blue[1] == green[1]
        assert self.ask(green) == "green" != self.ask(blue)

    def test_a_group_that_changes_its_load_balancer_takes_its_targets_along(self, shop: Shop) -> None:
        shop.route((A, 1), (B, 1))
        assert 0 < shop.served(20)["green"] < 20
        self.beside(shop, B)
        assert shop.served(10)["green"] == 0
        green = shop.plane.address(self.OTHER, 80)
        assert green is not None
        assert self.ask(green) == "green"
        shop.route((A, 0), (B, 1))
        assert shop.served(10) == {"green": 10}

    def test_one_that_goes_takes_nothing_of_the_other_with_it(self, shop: Shop) -> None:
        self.beside(shop, B)
        gone = shop.plane.address(self.OTHER, 80)
        assert gone is not None
        with Crowd(shop) as crowd:
            time.sleep(0.1)
            shop.route((A, 100))
            time.sleep(0.2)
        assert crowd.lost == []
        assert crowd.answered > 20
        assert (shop.plane.address(self.OTHER, 80), shop.plane.host(self.OTHER)) == (None, None)
        with pytest.raises(ConnectionRefusedError):
            self.ask(gone)


def test_nothing_is_left_running(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    shop = Shop(tmp_path)
    shop.add(A, "i-1")
    address = shop.address()
    shop.plane.stop()
    eventually(lambda: set(threading.enumerate()) <= before)
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(*address, timeout=1).connect()


@pytest.mark.parametrize("app", [None, f"{sys.executable} -m http.server {{port}} & wait"])
def test_nothing_is_left_when_the_cloud_is_killed(app: str | None, tmp_path: Path) -> None:
    script = f"""
import pathlib, sys, time
from local.plane.balancer import HAProxyPlane
from local.plane.routing import Listener
from local.reality import Reality
class Now:
    speed = 1.0
    def now(self): return time.time()
plane = HAProxyPlane(Now(), Reality(), pathlib.Path({str(tmp_path)!r}))
plane.start()
plane.launch("i-1", {{"version": "1", "command": {app!r}}})
while plane.probe([("i-1", "/")]) != [200]: time.sleep(0.01)
plane.route([Listener("l", "b", "{DNS}", 80, ())])
print(plane.address("{DNS}", 80)[1], plane._running["i-1"].port, flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ports = [int(port) for port in process.stdout.readline().split()]
    assert len(ports) == 2
    assert all(map(answers, ports))
    process.kill()
    process.wait()
    process.stdout.close()
    eventually(lambda: not any(map(answers, ports)))


def answers(port: int) -> bool:
    with socket.socket() as door:
        return door.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A Network Load Balancer: a connection is spread once, whatever is asked on it."""
    shop = Shop(tmp_path_factory.mktemp("flows"), network=True)
    shop.stock()
    yield shop
    shop.plane.stop()


def test_each_connection_goes_by_weight_and_stays_where_it_went(flows: Shop) -> None:
    flows.route((A, 50), (B, 50))
    assert set(flows.served(40)) == {"blue", "green"}
    held = http.client.HTTPConnection(*flows.address(), timeout=5)
    first = version(held)
    flows.route((A, 0 if first == "blue" else 100), (B, 100 if first == "blue" else 0))
    assert {version(held) for _ in range(10)} == {first}
    assert flows.served(10) == {"green" if first == "blue" else "blue": 10}
    held.close()


def test_a_flow_is_counted_once_as_it_begins(flows: Shop) -> None:
    flows.route((A, 100))
    before = flows.plane.counts().get(A, Counts()).requests
    held = http.client.HTTPConnection(*flows.address(), timeout=5)
    for _ in range(5):
        version(held)
    assert flows.counts(A, before + 1).requests == before + 1
    held.close()


def test_a_group_without_targets_cuts_its_flows_and_answers_nothing(flows: Shop) -> None:
    flows.route((EMPTY, 100))
    with pytest.raises((OSError, http.client.HTTPException)):
        flows.get()
    eventually(lambda: flows.plane.counts().get(EMPTY, Counts()).elb_5xx == 1)


def version(connection: http.client.HTTPConnection) -> str | None:
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    return answer.headers["X-Version"]
