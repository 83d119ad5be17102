"""The load counts what a client sees, whatever went wrong, and doesn't wait for answers before it asks again."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from local.plane.load import Event, Load, Plan, read, summarise

ANSWER = b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n%s\r\nok"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def event(**given: object) -> Event:
    values: dict[str, object] = {
        "due": 1.0,
        "cloud": 100.0,
        "kind": "fresh",
        "status": 200,
        "error": None,
        "version": "1.0.0",
        "latency": 0.01,
    }
    return Event(**{**values, **given})  # type: ignore[arg-type]


@asynccontextmanager
async def serving(handle: Handler) -> AsyncIterator[int]:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def loaded(handle: Handler, **given: object) -> list[Event]:
    """All that a short load sees of one server."""

    async def run() -> list[Event]:
        seen: list[Event] = []
        async with serving(handle) as port:
            settings: dict[str, object] = {"rate": 200.0, "seconds": 0.3, "long": 0.0, **given}
            plan = Plan("127.0.0.1", port, "shop", "/", **settings)  # type: ignore[arg-type]
            await Load(plan, seen.append).run()
        return seen

    return asyncio.run(run())


def answering(status: int = 200, headers: bytes = b"X-Version: 1.0.0\r\n") -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ANSWER % (status, headers))

    return handle


def test_requests_are_sent_when_they_are_due_though_answers_are_slow() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.5)
        writer.write(ANSWER % (200, b"X-Version: 1.0.0\r\n"))

    seen = loaded(slow, rate=100.0)
    assert 25 <= len(seen) <= 35
    assert all(each.latency >= 0.5 for each in seen)
    assert max(each.due for each in seen) - min(each.due for each in seen) < 0.4


def test_connections_are_kept_but_for_fresh_ones() -> None:
    connections = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answering()(reader, writer)

    seen = loaded(counted, fresh_share=0.0)
    assert connections < len(seen) / 4
    connections = 0
    seen = loaded(counted, fresh_share=1.0, sticky_share=0.0)
    assert connections == len(seen)


def test_sticky_clients_keep_their_cookie() -> None:
    cookies: list[bytes] = []

    async def baking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readuntil(b"\r\n\r\n"):
            cookies.append(request.partition(b"Cookie: ")[2].partition(b"\r\n")[0])
            writer.write(ANSWER % (200, b"Set-Cookie: AWSALBTG=abc; Max-Age=9\r\n"))

    seen = loaded(baking, sticky_share=1.0, fresh_share=0.0, sticky_clients=3)
    assert {each.kind for each in seen} == {"sticky"}
    assert 3 <= cookies.count(b"") <= 6
    assert set(cookies) == {b"", b"AWSALBTG=abc"}


def test_some_long_requests_are_always_in_flight_and_waited_for() -> None:
    asked: list[bytes] = []

    async def patient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readuntil(b"\r\n\r\n"):
            path = request.split(b" ")[1]
            asked.append(path)
            await asyncio.sleep(float(path.partition(b"=")[2] or 0))
            writer.write(ANSWER % (200, b"X-Version: 1.0.0\r\n"))

    seen = loaded(patient, rate=10.0, long=3.0, long_cloud_seconds=(9.0, 18.0), speed=90.0, seconds=0.5)
    long = [each for each in seen if each.kind == "long"]
    assert len(long) >= 6
    assert all(0.1 <= each.latency < 0.4 for each in long)
    assert sum(path.startswith(b"/slow?seconds=0.1") for path in asked) == len(long)


@pytest.mark.parametrize(
    ("handle", "lost"),
    [
        (answering(503, b""), "503"),
        (answering(502, b""), "502"),
        (answering(504, b""), "504"),
        (answering(500), None),
        (answering(503), None),  # the app's own answer
    ],
)
def test_the_load_balancers_errors_are_lost_the_apps_are_errors(handle: Handler, lost: str | None) -> None:
    seen = loaded(handle)
    assert {each.lost for each in seen} == {lost}
    assert {each.failed for each in seen} == {lost is None}


def test_a_reset_a_refusal_and_half_an_answer_are_lost() -> None:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal")

    assert {each.lost for each in loaded(closing)} == {"reset"}

    async def nobody() -> list[Event]:
        seen: list[Event] = []
        async with serving(closing) as port:
            pass
        await Load(Plan("127.0.0.1", port, "shop", "/", rate=50.0, long=0.0, seconds=0.1), seen.append).run()
        return seen

    assert {each.lost for each in asyncio.run(nobody())} == {"refused"}


def test_cloud_time_follows_the_speed() -> None:
    origin = (1_000_000.0, time.monotonic())
    seen = loaded(answering(), speed=30.0, origin=origin)
    span = max(each.cloud for each in seen) - min(each.cloud for each in seen)
    assert 5 < span < 12
    assert min(each.cloud for each in seen) >= 1_000_000


def test_a_count_bounds_it() -> None:
    assert len(loaded(answering(), count=7)) == 7


def test_the_summary_adds_up() -> None:
    seen = [
        event(),
        event(cloud=130.0, version="2.0.0"),
        event(cloud=130.0, version="2.0.0", status=500),
        event(cloud=190.0, version=None, status=503),
        event(cloud=190.0, version=None, status=None, error="reset"),
        event(cloud=999.0),
    ]
    total = summarise(seen, until=900.0)
    assert total.requests == 5
    assert total.answered == {"1.0.0": 1, "2.0.0": 2}
    assert total.errors == {"2.0.0": 1}
    assert total.lost == {"503": 1, "reset": 1}
    assert total.lost_total == 2
    assert [(bucket.at, bucket.lost, dict(bucket.requests)) for bucket in total.buckets] == [
        (60.0, 0, {"1.0.0": 1}),
        (120.0, 0, {"2.0.0": 2}),
        (180.0, 2, {}),
    ]


def test_a_growing_file_is_read_by_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    line = json.dumps(vars(event()))
    path.write_text(f"{line}\n{line[:20]}")
    first, offset = read(path)
    path.write_text(f"{line}\n{line}\n")
    second, _ = read(path, offset)
    assert len(first) == len(second) == 1


async def sent(out: Path, count: int) -> None:
    """Waits until so many requests are in the log."""
    while not out.exists() or out.read_text().count("\n") < count:
        await asyncio.sleep(0.02)


def played(out: Path, *signals: signal.Signals) -> list[Event]:
    """What a process sent that got a signal each fifty requests, the last of which ended it."""

    async def run() -> None:
        async with serving(answering()) as port:
            command = [sys.executable, "-m", "local.plane.load", "--url", f"http://127.0.0.1:{port}/"]
            process = subprocess.Popen([*command, "--out", str(out), "--rate", "80", "--long", "0"])
            for number, each in enumerate(signals, start=1):
                await sent(out, 50 * number)
                process.send_signal(each)
            assert await asyncio.to_thread(process.wait, 5) == 0

    asyncio.run(asyncio.wait_for(run(), 15))
    return read(out)[0]


def test_the_process_doubles_its_load_when_told_to(tmp_path: Path) -> None:
    seen = played(tmp_path / "events.jsonl", signal.SIGUSR1, signal.SIGTERM)
    due = sorted(each.due for each in seen)
    steps = [after - before for before, after in pairwise(due)]
    assert steps[0] == pytest.approx(1 / 80, abs=0.001)
    assert steps[-1] == pytest.approx(1 / 160, abs=0.001)


def test_the_process_ends_on_sigterm_when_its_last_request_is_answered(tmp_path: Path) -> None:
    seen = played(tmp_path / "events.jsonl", signal.SIGTERM)
    assert len(seen) >= 50
    assert summarise(seen).lost_total == 0
