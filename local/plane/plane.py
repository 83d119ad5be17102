"""What a load balancer's data plane does, and a model of one for virtual time."""

import itertools
import json
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Protocol

from local.plane import zones
from local.plane.routing import Listener, Request, Rule, cookie_of, match, pinned
from local.reality import Reality

State = Literal["up", "down", "draining"]
GRACE = (
    10  # requests that an instance with the fault "third" or "sickens" answers well before it begins to fail
)
CUT = 0  # no status: the connection ends without an answer


@dataclass
class Counts:
    """What one target group has seen since the start; seconds are cloud seconds.

    As on AWS, `requests` leaves out those for which no target could be chosen; `elb_5xx` has them.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
    """

    requests: int = 0
    target_5xx: int = 0
    elb_5xx: int = 0
    response_seconds_sum: float = 0.0
    response_seconds_max: float = 0.0
    response_count: int = 0
    unhealthy_routing: int = 0


class Time(Protocol):
    """The part of the cloud's clock that a plane needs."""

    @property
    def speed(self) -> float: ...
    def now(self) -> float: ...


class Plane(Protocol):
    """Carries requests as the fleet tells it to; it decides nothing but where each request goes."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def counts(self) -> dict[str, Counts]: ...
    def no_target_5xx(self) -> int:
        """The load balancers' own 5xx that belong to no group."""

    def route(self, listeners: Sequence[Listener]) -> None:
        """From now on requests follow these listeners."""

    def address(self, dns_name: str, port: int) -> tuple[str, int] | None:
        """Where a load balancer's port is reached on this machine."""

    def host(self, dns_name: str) -> str | None:
        """The address that a load balancer's name leads to."""

    def launch(self, instance: str, disk: Mapping[str, Any]) -> None:
        """The instance's app starts."""

    def kill(self, instance: str) -> None:
        """The instance is gone, with whatever it was answering."""

    def probe(self, checks: Sequence[tuple[str, str]]) -> list[int | None]:
        """The status that each (instance, path) answers now, None when it doesn't answer."""

    def place(self, group: str, target: str, state: State) -> None:
        """Up gets requests, down gets them only when all are down, draining finishes what it has."""

    def remove(self, group: str, target: str) -> None:
        """The target leaves the group; what is still in flight is cut."""


def serving(targets: Mapping[str, State]) -> tuple[list[str], bool]:
    """Who gets a group's requests, and whether it fails open: nobody is up, so all that are registered do.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
    """
    up = [target for target, state in targets.items() if state == "up"]
    down = [target for target, state in targets.items() if state == "down"]
    return (up, False) if up else (down, bool(down))


@dataclass
class App:
    """One instance's app in the model: what its disk says, and how much it has answered."""

    version: str
    fault: str | None
    served: float = 0.0

    def fail(self, requests: float) -> float:
        """How many of so many more requests end in a 500."""
        before, self.served = self.served, self.served + requests
        return (_past_grace(self.served) - _past_grace(before)) / 3 if self.fault == "third" else 0.0


def _past_grace(served: float) -> float:
    return max(0.0, served - GRACE)


@dataclass
class Served:
    """What one version has answered."""

    requests: float = 0.0
    errors: float = 0.0


@dataclass
class Flow:
    """Synthetic traffic; `clients` holds the sticky ones' share, at each listener, by the group their cookie names.

    `long_share` of the requests take `long_seconds` each; the others are answered at once.
    """

    rate: float
    dns_name: str | None
    path: str
    sticky_share: float
    clients: dict[str, dict[str, float]] = field(default_factory=dict)
    long_share: float = 0.0
    long_seconds: float = 0.0
    resolvers: list["Resolver"] = field(default_factory=list)


@dataclass
class Resolver:
    """One client's memory of a name: the load balancer that it was told, and until when it doesn't ask again."""

    target: str | None = None
    until: float = 0.0


# (how, target group, instance, requests): "unresolved", "unrouted", "untargeted", "unanswered", or "cut" while they
# were answered
Lost = Callable[[str, str, str, float], None]


def _not_told(how: str, group: str, target: str, requests: float) -> None:
    pass


Resolve = Callable[[str], zones.Answer | None]


def _nowhere(_: str) -> None:
    return None


class ModelPlane:
    """A load balancer as arithmetic: between two changes, each flow is spread by shares over groups and targets.

    Real HTTP reaches it too, one small server for each listener, so that smoke tests find a port to talk to.
    """

    def __init__(
        self, clock: Time, reality: Reality, resolve: Resolve = _nowhere, response_seconds: float = 0.05
    ) -> None:
        self._clock = clock
        self._resolve = resolve
        self._response_seconds = response_seconds
        self._lock = threading.RLock()
        self._apps: dict[str, App] = {}
        self._groups: dict[str, dict[str, State]] = {}
        self._listeners: dict[tuple[str, int], Listener] = {}
        self._servers: dict[tuple[str, int], ThreadingHTTPServer] = {}
        self._flows: dict[tuple[str | None, str], Flow] = {}
        self._totals: dict[str, Totals] = {}
        self._versions: dict[str, Served] = {}
        self._unrouted = 0.0
        self._long: dict[tuple[str, str], deque[tuple[float, float, float, float]]] = defaultdict(deque)
        self.lost: Lost = _not_told
        self._group_turn, self._target_turn = itertools.count(), itertools.count()
        self._at = clock.now()

    def start(self) -> None:
        self._at = self._clock.now()

    def stop(self) -> None:
        for server in self._servers.values():
            _close(server)
        self._servers.clear()

    def tick(self, _: float) -> None:
        """Clients that look a name up do so at their own time; everybody else can be accounted for later."""
        if any(flow.resolvers for flow in self._flows.values()):
            with self._lock:
                self._advance()

    def traffic(
        self,
        rate_per_second: float,
        dns_name: str | None = None,
        path: str = "/",
        sticky_share: float = 0.0,
        long_share: float = 0.0,
        long_seconds: float = 0.0,
        resolvers: int = 0,
    ) -> None:
        """From now on so many requests a cloud second arrive, `sticky_share` of them with their cookie.

        Without a DNS name they arrive at every load balancer, each time at its first listener. With resolvers the
        name is one of a hosted zone: each of them looks it up, and again when its TTL is over.
        """
        with self._lock:
            self._advance()
            before = self._flows.get((dns_name, path))
            flow = Flow(rate_per_second, dns_name, path, sticky_share, {}, long_share, long_seconds)
            flow.clients = before.clients if before else {}
            flow.resolvers = before.resolvers if before else [Resolver() for _ in range(resolvers)]
            self._flows[dns_name, path] = flow
            self._look_up(flow)

    def counts(self) -> dict[str, Counts]:
        with self._lock:
            self._advance()
            return {group: totals.counts(self._response_seconds) for group, totals in self._totals.items()}

    def no_target_5xx(self) -> int:
        with self._lock:
            self._advance()
            return int(self._unrouted)

    def by_version(self) -> dict[str, Served]:
        """Requests and 500s by the version that answered."""
        with self._lock:
            self._advance()
            return {
                version: Served(served.requests, served.errors) for version, served in self._versions.items()
            }

    def route(self, listeners: Sequence[Listener]) -> None:
        with self._lock:
            self._advance()
            self._listeners = {(each.dns_name.lower(), each.port): each for each in listeners}
            closed = [self._servers.pop(gone) for gone in set(self._servers) - set(self._listeners)]
        for server in closed:
            _close(server)

    def address(self, dns_name: str, port: int) -> tuple[str, int] | None:
        key = (dns_name.lower(), port)
        with self._lock:
            if key not in self._listeners:
                return None
            server = self._servers.get(key) or self._servers.setdefault(key, _serve(self, key))
            return "127.0.0.1", server.server_address[1]

    def host(self, dns_name: str) -> str | None:
        return "127.0.0.1" if self._first(dns_name.lower()) else None

    def launch(self, instance: str, disk: Mapping[str, Any]) -> None:
        with self._lock:
            self._advance()
            self._apps[instance] = App(str(disk.get("version", "unknown")), disk.get("fault"))

    def kill(self, instance: str) -> None:
        with self._lock:
            self._advance()
            self._apps.pop(instance, None)
            for group, target in list(self._long):
                if target == instance:
                    self._cut(group, target)

    def probe(self, checks: Sequence[tuple[str, str]]) -> list[int | None]:
        return [self._health(self._apps.get(instance)) for instance, _ in checks]

    def place(self, group: str, target: str, state: State) -> None:
        with self._lock:
            self._advance()
            self._groups.setdefault(group, {})[target] = state

    def remove(self, group: str, target: str) -> None:
        with self._lock:
            self._advance()
            self._groups.get(group, {}).pop(target, None)
            self._cut(group, target)

    def answer(self, key: tuple[str, int], request: Request) -> tuple[int, dict[str, str], str]:
        """One real request: status, headers, body."""
        with self._lock:
            self._advance()
            listener = self._listeners.get(key)
            rule = match(listener.rules, request) if listener else None
            if rule is None or (rule.fixed is None and not rule.weights):
                self._unrouted += 1
                return 503, {}, ""
            if rule.fixed:
                return rule.fixed.status, {"Content-Type": rule.fixed.content_type}, rule.fixed.body
            group = pinned(rule, request.headers.get("Cookie", "")) or self._turned(rule)
            status, headers, body = self._ask(group, request.path)
            if listener and listener.network and not headers:
                return CUT, {}, ""
            if rule.sticky:
                headers["Set-Cookie"] = f"AWSALBTG={cookie_of(group)}; Max-Age={rule.sticky}; Path=/"
            return status, headers, body

    def _turned(self, rule: Rule) -> str:
        """Groups take turns by weight: a real request's way is not left to chance, so runs repeat."""
        total = sum(weight for _, weight in rule.weights)
        turn = next(self._group_turn) * 7919 % total if total else 0
        for group, weight in rule.weights:
            turn -= weight
            if turn < 0:
                return group
        return rule.weights[-1][0]

    def _ask(self, group: str, path: str) -> tuple[int, dict[str, str], str]:
        targets, open_ = serving(self._groups.get(group, {}))
        totals = self._totals.setdefault(group, Totals())
        if not targets:
            totals.untargeted += 1
            return 503, {}, ""
        totals.requests += 1
        totals.unhealthy_routing += open_
        target = targets[next(self._target_turn) % len(targets)]
        app = self._apps.get(target)
        if app is None:
            totals.unanswered += 1
            return 502, {}, ""
        status = self._status(app, path)
        totals.target_5xx += status >= 500
        served = self._versions.setdefault(app.version, Served())
        served.requests += 1
        served.errors += status >= 500
        body = json.dumps({"version": app.version, "instance": target})
        return status, {"X-Version": app.version, "Content-Type": "application/json"}, body

    def _status(self, app: App, path: str) -> int:
        if path.partition("?")[0] == "/health":
            return self._health(app) or 502
        thirds = int(_past_grace(app.served) / 3)
        app.fail(1)
        return 500 if app.fault == "third" and int(_past_grace(app.served) / 3) > thirds else 200

    @staticmethod
    def _health(app: App | None) -> int | None:
        if app is None:
            return None
        return (
            500 if app.fault == "unhealthy" or (app.fault == "sickens" and _past_grace(app.served)) else 200
        )

    def _advance(self) -> None:
        """Accounts for the traffic since the last change, spread as things stood until now."""
        now = self._clock.now()
        seconds, self._at = now - self._at, max(now, self._at)
        if seconds <= 0:
            return
        for flow in self._flows.values():
            for listener, share in self._arrivals(flow):
                self._flow(flow, listener, flow.rate * share * seconds, seconds)
            self._look_up(flow)

    def _arrivals(self, flow: Flow) -> list[tuple[Listener | None, float]]:
        if flow.resolvers:
            told = Counter(resolver.target for resolver in flow.resolvers)
            return [(self._first(target), count / len(flow.resolvers)) for target, count in told.items()]
        if flow.dns_name is not None:
            listener = self._first(flow.dns_name.lower())
            return [(listener, 1.0)] if listener else []
        first = {name: each for (name, _), each in reversed(self._listeners.items())}
        return [(each, 1.0) for each in first.values()]

    def _first(self, dns_name: str | None) -> Listener | None:
        return next((each for (name, _), each in self._listeners.items() if name == dns_name), None)

    def _look_up(self, flow: Flow) -> None:
        """Those who may no longer keep what they were told ask again; at first, each has been told at another time."""
        for index, resolver in enumerate(flow.resolvers):
            if resolver.until > self._at:
                continue
            answer, new = self._resolve(flow.dns_name or ""), not resolver.until
            resolver.target = answer.target.rstrip(".") if answer else None
            keep = (answer.ttl if answer else 0) * ((index + 1) / len(flow.resolvers) if new else 1)
            resolver.until = self._at + keep

    def _flow(self, flow: Flow, listener: Listener | None, requests: float, seconds: float) -> None:
        if listener is None:
            self.lost("unresolved", "", "", requests)
            return
        rule = match(listener.rules, Request("GET", listener.dns_name, flow.path, {}))
        if rule is None or (rule.fixed is None and not sum(weight for _, weight in rule.weights)):
            self._unrouted += requests
            self.lost("unrouted", "", "", requests)
            return
        if rule.fixed:
            return
        for group, share in self._shares(flow, listener, rule).items():
            self._carry(flow, group, requests * share, seconds)

    def _shares(self, flow: Flow, listener: Listener, rule: Rule) -> dict[str, float]:
        total = sum(weight for _, weight in rule.weights)
        weights = {group: weight / total for group, weight in rule.weights}
        clients = flow.clients.pop(listener.arn, {})
        if not (rule.sticky and flow.sticky_share):
            return weights
        staying = {group: share for group, share in clients.items() if group in weights}
        moving = 1 - sum(staying.values())
        clients = {group: staying.get(group, 0.0) + moving * share for group, share in weights.items()}
        flow.clients[listener.arn] = clients
        loose = 1 - flow.sticky_share
        return {group: loose * weights[group] + flow.sticky_share * clients[group] for group in weights}

    def _carry(self, flow: Flow, group: str, requests: float, seconds: float) -> None:
        if not requests:
            return
        totals = self._totals.setdefault(group, Totals())
        targets, open_ = serving(self._groups.get(group, {}))
        if not targets:
            totals.untargeted += requests
            self.lost("untargeted", group, "", requests)
            return
        totals.requests += requests
        totals.unhealthy_routing += requests if open_ else 0
        for target in targets:
            app = self._apps.get(target)
            self._carry_to(app, totals, requests / len(targets))
            if app is None:
                self.lost("unanswered", group, target, requests / len(targets))
            elif flow.long_share:
                self._stay(flow, self._long[group, target], requests / len(targets), seconds)

    def _stay(
        self, flow: Flow, staying: deque[tuple[float, float, float, float]], requests: float, seconds: float
    ) -> None:
        while staying and staying[0][1] + staying[0][3] <= self._at:
            staying.popleft()
        staying.append((self._at - seconds, self._at, requests * flow.long_share, flow.long_seconds))

    def _cut(self, group: str, target: str) -> None:
        """What was in flight is lost: of the long requests, those that came in less than their time ago."""
        cut = 0.0
        for begin, end, requests, lasts in self._long.pop((group, target), ()):
            within = end - max(begin, self._at - lasts)
            cut += requests * max(0.0, within) / (end - begin)
        if cut:
            self.lost("cut", group, target, cut)

    def _carry_to(self, app: App | None, totals: "Totals", requests: float) -> None:
        if app is None:
            totals.unanswered += requests
            return
        errors = app.fail(requests)
        totals.target_5xx += errors
        served = self._versions.setdefault(app.version, Served())
        served.requests += requests
        served.errors += errors


@dataclass
class Totals:
    """Counts with fractions: a share of a short time is less than one request."""

    requests: float = 0.0
    target_5xx: float = 0.0
    untargeted: float = 0.0
    unanswered: float = 0.0
    unhealthy_routing: float = 0.0

    def counts(self, response_seconds: float) -> Counts:
        answered = int(self.requests) - int(self.unanswered)
        return Counts(
            requests=int(self.requests),
            target_5xx=int(self.target_5xx),
            elb_5xx=int(self.untargeted + self.unanswered),
            response_seconds_sum=answered * response_seconds,
            response_seconds_max=response_seconds if answered else 0.0,
            response_count=answered,
            unhealthy_routing=int(self.unhealthy_routing),
        )


def _serve(plane: ModelPlane, key: tuple[str, int]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, _host(self.headers), self.path, dict(self.headers.items()))
            status, headers, body = plane.answer(key, request)
            if status == CUT:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body.encode())

        do_HEAD = do_OPTIONS = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), name="model plane", daemon=True).start()
    return server


def _host(headers: Message) -> str:
    return headers.get("Host", "").partition(":")[0]


def _close(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()
