"""Open-loop load: what clients see of a release, one line for each request, and the sums of it."""

import argparse
import asyncio
import json
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from local.plane.resolver import Resolver, Unresolved

LOST_STATUSES = {502, 503, 504}
TIMEOUT_SECONDS = 20.0  # wall time, on top of what a long request asks for
COOKIE = b"\r\nset-cookie: AWSALBTG="


@dataclass(frozen=True)
class Event:
    """One request: when it was due (wall and cloud seconds), who sent it, and what came back."""

    due: float
    cloud: float
    kind: str
    status: int | None
    error: str | None
    version: str | None
    latency: float

    @property
    def lost(self) -> str | None:
        """What the client lost it to: an error by name, or the load balancer's own status."""
        if self.error:
            return self.error
        return str(self.status) if self.status in LOST_STATUSES and self.version is None else None

    @property
    def failed(self) -> bool:
        """The app itself answered with an error."""
        return self.version is not None and self.status is not None and self.status >= 500


@dataclass
class Bucket:
    """What happened in a stretch of cloud time, by version."""

    at: float
    requests: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    lost: int = 0


@dataclass
class Summary:
    """Requests and errors by version; `lost` by what they were lost to."""

    requests: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    latest: float = 0.0
    buckets: list[Bucket] = field(default_factory=list)

    @property
    def lost_total(self) -> int:
        return sum(self.lost.values())


def summarise(
    events: Iterable[Event], since: float = 0.0, until: float = float("inf"), bucket_seconds: float = 60.0
) -> Summary:
    """The sums of all requests due in [since, until) of cloud time, and their course in buckets."""
    total, buckets = Summary(), dict[float, Bucket]()
    for event in events:
        if not since <= event.cloud < until:
            continue
        start = event.cloud // bucket_seconds * bucket_seconds
        _add(event, total, buckets.setdefault(start, Bucket(start)))
    total.buckets = [buckets[start] for start in sorted(buckets)]
    return total


def _add(event: Event, total: Summary, bucket: Bucket) -> None:
    total.requests += 1
    total.kinds[event.kind] += 1
    total.latest = max(total.latest, event.cloud)
    if event.lost:
        total.lost[event.lost] += 1
        bucket.lost += 1
        return
    version = event.version or f"status {event.status}"
    total.answered[version] += 1
    bucket.requests[version] += 1
    if event.failed:
        total.errors[version] += 1
        bucket.errors[version] += 1


def read(path: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The whole lines after `offset` bytes, and where to go on from: for whoever watches the file grow."""
    with path.open("rb") as lines:
        lines.seek(offset)
        text = lines.read()
    whole = text[: text.rfind(b"\n") + 1]
    return [Event(**json.loads(line)) for line in whole.splitlines()], offset + len(whole)


def events(path: Path) -> Iterator[Event]:
    yield from read(path)[0]


# --- the clients ------------------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._received = b""
        self.reusable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport if isinstance(transport, asyncio.Transport) else None

    async def ask(self, request: bytes, timeout: float) -> bytes:
        """The head of the response, in lower case but for values; raises ConnectionResetError, TimeoutError."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._received = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(timeout):
            head = await self._answer
        self.reusable = self.reusable and b"\r\nconnection: close" not in head
        return head

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or self._answer is None or self._answer.done():
            return
        fields = _lower_names(head)
        if len(body) >= int(_value(fields, b"content-length") or 0):
            self._answer.set_result(fields)

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc if isinstance(exc, OSError) else ConnectionResetError())

    def close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()


def _lower_names(head: bytes) -> bytes:
    first, *lines = head.split(b"\r\n")
    names = (line.partition(b":") for line in lines)
    return b"\r\n".join([first, *(name.lower() + b": " + value.strip() for name, _, value in names)])


def _value(head: bytes, name: bytes) -> bytes | None:
    _, found, rest = head.partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0] if found else None


@dataclass(frozen=True)
class Plan:
    """What is sent: `long` is how many long requests are in flight on average.

    With a name server, `name` is looked up there by each of so many clients, and `host` isn't used.
    """

    host: str
    port: int
    name: str
    path: str
    rate: float
    sticky_share: float = 0.3
    fresh_share: float = 0.1
    sticky_clients: int = 20
    long: float = 6.0
    long_cloud_seconds: tuple[float, float] = (45.0, 200.0)
    speed: float = 1.0
    origin: tuple[float, float] | None = None
    seconds: float = 3600.0
    count: int = 1_000_000
    seed: int = 1
    name_server: tuple[str, int] | None = None
    resolvers: int = 20


class Load:
    """Sends each request when it is due, whether or not the last one was answered."""

    def __init__(self, plan: Plan, write: Callable[[Event], Any]) -> None:
        self._plan = plan
        self._write = write
        self._chance = random.Random(plan.seed)
        self._idle: dict[str, list[Connection]] = defaultdict(list)
        self._resolvers: list[Resolver] = []
        if plan.name_server:
            self._resolvers += [
                Resolver(plan.name, plan.name_server, plan.speed) for _ in range(plan.resolvers)
            ]
        self._cookies: list[bytes] = [b""] * plan.sticky_clients
        self._turn = count()
        self._flying: set[asyncio.Task[None]] = set()
        self._arrivals: list[asyncio.Task[None]] = []
        self._left = plan.count
        self._rate = plan.rate
        self._cloud_at, self._wall_at = plan.origin or (time.time(), time.monotonic())

    def stop(self) -> None:
        """No new requests; those in flight are waited for."""
        for arrivals in self._arrivals:
            arrivals.cancel()

    def double(self) -> None:
        """From now on twice as many short requests."""
        self._rate *= 2

    async def run(self) -> None:
        ending = asyncio.get_running_loop().call_later(self._plan.seconds, self.stop)
        low, high = self._plan.long_cloud_seconds
        long_rate = self._plan.long / ((low + high) / 2 / self._plan.speed)
        self._arrivals = [
            asyncio.create_task(self._arrive(lambda: self._rate, self._short)),
            asyncio.create_task(self._arrive(lambda: long_rate, self._long)),
        ]
        await asyncio.wait(self._arrivals)
        ending.cancel()
        if self._flying:
            await asyncio.wait(self._flying)
        for connection in (connection for kept in self._idle.values() for connection in kept):
            connection.close()

    async def _arrive(self, rate: Callable[[], float], send: Callable[[float], Any]) -> None:
        due = time.monotonic()
        while rate() > 0 and self._left > 0:
            self._left -= 1
            task = asyncio.create_task(send(due))
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)
            due += 1 / rate()
            await asyncio.sleep(due - time.monotonic())

    async def _short(self, due: float) -> None:
        drawn = self._chance.random()
        if drawn < self._plan.sticky_share:
            await self._send(due, "sticky", self._plan.path, client=next(self._turn) % len(self._cookies))
        elif drawn < self._plan.sticky_share + self._plan.fresh_share:
            await self._send(due, "fresh", self._plan.path)
        else:
            await self._send(due, "keep-alive", self._plan.path)

    async def _long(self, due: float) -> None:
        seconds = self._chance.uniform(*self._plan.long_cloud_seconds) / self._plan.speed
        await self._send(due, "long", f"/slow?seconds={seconds:.3f}", patience=seconds)

    async def _send(
        self, due: float, kind: str, path: str, client: int | None = None, patience: float = 0.0
    ) -> None:
        status, error, version = None, None, None
        try:
            head = await self._ask(kind, path, client, TIMEOUT_SECONDS + patience)
            status = int(head.split(b" ", 2)[1])
            version = (_value(head, b"x-version") or b"").decode() or None
        except Unresolved:
            error = "unresolved"
        except TimeoutError:
            error = "timeout"
        except ConnectionRefusedError:
            error = "refused"
        except OSError:
            error = "reset"
        cloud = self._cloud_at + (due - self._wall_at) * self._plan.speed
        self._write(
            Event(
                round(due, 4), round(cloud, 2), kind, status, error, version, round(time.monotonic() - due, 4)
            )
        )

    async def _ask(self, kind: str, path: str, client: int | None, timeout: float) -> bytes:
        host = await self._host(client)
        connection = await self._connection(kind, host)
        cookie = self._cookies[client] if client is not None else b""
        sent = b"GET %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n" % (
            path.encode(),
            self._plan.name.encode(),
            b"Cookie: AWSALBTG=" + cookie + b"\r\n" if cookie else b"",
            b"Connection: close\r\n" if kind == "fresh" else b"",
        )
        try:
            head = await connection.ask(sent, timeout)
        except BaseException:
            connection.close()
            raise
        if client is not None and COOKIE in head:
            self._cookies[client] = head.partition(COOKIE)[2].partition(b";")[0]
        if connection.reusable and kind != "fresh":
            self._idle[host].append(connection)
        else:
            connection.close()
        return head

    async def _host(self, client: int | None) -> str:
        """Where this request goes: a client with a cookie has a resolver of its own, the others have any."""
        if not self._resolvers:
            return self._plan.host
        turn = self._chance.randrange(len(self._resolvers)) if client is None else client
        return await self._resolvers[turn % len(self._resolvers)].host()

    async def _connection(self, kind: str, host: str) -> Connection:
        while self._idle[host] and kind != "fresh":
            connection = self._idle[host].pop()
            if connection.reusable:
                return connection
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, host, self._plan.port))[1]


# --- the process ------------------------------------------------------------------------------------------


async def play(plan: Plan, out: TextIO) -> None:
    """Runs the load until it has ended, or SIGTERM or SIGINT has ended it and its last request is answered.

    SIGUSR1 doubles it.
    """
    load = Load(plan, lambda event: out.write(json.dumps(asdict(event)) + "\n"))
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, load.stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, load.double)
    running = asyncio.create_task(load.run())
    while not running.done():
        await asyncio.wait({running}, timeout=0.2)
        out.flush()
    await running


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="where requests go: http://127.0.0.1:PORT/path")
    parser.add_argument("--host", help="the Host header: a load balancer's DNS name")
    parser.add_argument(
        "--dns", help="HOST:PORT of the name server that leads from the name in --host to an address"
    )
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a wall second")
    parser.add_argument("--speed", type=float, default=1.0, help="cloud seconds in a wall second")
    parser.add_argument("--origin", help="CLOUD,MONOTONIC: a moment in both times; default now")
    parser.add_argument("--sticky", type=float, default=0.3, help="share of requests with a cookie")
    parser.add_argument("--fresh", type=float, default=0.1, help="share of requests on a new connection")
    parser.add_argument("--long", type=float, default=6.0, help="long requests in flight, on average")
    parser.add_argument("--long-seconds", default="45,200", help="how long they take, in cloud seconds")
    parser.add_argument("--seconds", type=float, default=3600.0, help="wall seconds until it stops")
    parser.add_argument("--count", type=int, default=1_000_000, help="requests until it stops")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    url = urlsplit(given.url)
    plan = Plan(
        host=url.hostname or "127.0.0.1",
        port=url.port or 80,
        name=given.host or url.netloc,
        path=url.path or "/",
        rate=given.rate,
        sticky_share=given.sticky,
        fresh_share=given.fresh,
        long=given.long,
        long_cloud_seconds=_pair(given.long_seconds),
        speed=given.speed,
        origin=_pair(given.origin) if given.origin else None,
        seconds=given.seconds,
        count=given.count,
        seed=given.seed,
        name_server=_server(given.dns) if given.dns else None,
    )
    with given.out.open("a", encoding="utf-8") as out:
        asyncio.run(play(plan, out))


def _server(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _pair(text: str) -> tuple[float, float]:
    first, second = text.split(",")
    return float(first), float(second)


if __name__ == "__main__":
    main()
