"""Real load balancers, each an HAProxy with its own address, told what the ELBv2 API was told; and real instances."""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from local.plane.haproxy import HERE, LISTENERS, HAProxy
from local.plane.plane import Counts, State, Time
from local.plane.routing import Listener
from local.reality import Reality

PROBE_SECONDS = 1.0  # wall time: a busy machine isn't an unhealthy target
# An app must not outlive its cloud: its group of processes dies when the standard input ends, as the cloud's end of it does.
TETHERED = 'exec 3<&0; { cat <&3 >/dev/null; kill -9 0; } & exec 3<&-; eval "$1" </dev/null'


@dataclass
class Running:
    """An instance's process and port."""

    process: subprocess.Popen[bytes]
    port: int


class HAProxyPlane:
    """Load balancers on addresses of their own, all with the same ports: a client needs nothing but the address."""

    def __init__(self, clock: Time, reality: Reality, out: Path) -> None:
        self._clock = clock
        self._out = out
        self._lock = threading.RLock()
        self._asking = threading.Lock()
        self._running: dict[str, Running] = {}
        self._states: dict[str, dict[str, State]] = {}
        self._balancers: dict[str, HAProxy] = {}
        self._homes: dict[str, HAProxy] = {}
        self._hosts = (f"127.0.0.{n}" for n in itertools.count(1))
        self._ports: list[int] = [0] * LISTENERS
        self._counts: dict[str, Counts] = {}
        self._unrouted = 0

    # life

    def start(self) -> None:
        self._out.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.new_event_loop()

    def stop(self) -> None:
        for running in self._running.values():
            _end(running.process)
        self._running.clear()
        for balancer in self._balancers.values():
            balancer.stop()
        self._balancers.clear()
        with self._asking:
            self._loop.close()

    # what was seen

    def counts(self) -> dict[str, Counts]:
        with self._lock:
            return {group: replace(counts) for group, counts in self._counts.items()}

    def no_target_5xx(self) -> int:
        return self._unrouted

    def _seen(self, group: str | None, fields: Sequence[str]) -> None:
        server, status, ended, milliseconds, fails_open = fields
        answered = int(milliseconds) >= 0
        silent = int(status) < 0 or (int(status) == 0 and not answered)  # a flow has no status
        failed = int(status) >= 500 or (silent and not ended.startswith("C"))  # C: the client left
        if group is None:
            self._unrouted += failed and ended == "PR"
            return
        counts = self._counts.setdefault(group, Counts())
        counts.target_5xx += failed and answered
        counts.elb_5xx += failed and not answered
        if server == "<NOSRV>":
            return
        counts.requests += 1
        counts.unhealthy_routing += fails_open == "1"
        if answered:
            seconds = int(milliseconds) / 1000 * self._clock.speed
            counts.response_count += 1
            counts.response_seconds_sum += seconds
            counts.response_seconds_max = max(counts.response_seconds_max, seconds)

    # what the fleet says

    def route(self, listeners: Sequence[Listener]) -> None:
        with self._lock:
            mine: dict[str, list[Listener]] = {}
            for listener in listeners:
                mine.setdefault(listener.dns_name.lower(), []).append(listener)
            for gone in set(self._balancers) - set(mine):
                self._close(self._balancers.pop(gone))
            for name, its in mine.items():
                self._route_one(self._balancers.get(name) or self._open(name, its[0].network), its)

    def _route_one(self, balancer: HAProxy, listeners: Sequence[Listener]) -> None:
        balancer.listen(listeners, [group for group, targets in self._states.items() if targets])
        for group in sorted({group for listener in listeners for group in listener.groups()}):
            if self._homes.get(group) is not balancer:
                self._move(group, balancer)
        balancer.publish()

    def _move(self, group: str, balancer: HAProxy) -> None:
        if home := self._homes.get(group):
            for target in self._states.get(group, {}):
                home.remove(group, target)
        self._homes[group] = balancer
        self._settle(group)

    def _open(self, name: str, network: bool) -> HAProxy:
        host = next(self._hosts)
        with ExitStack() as kept:
            doors = [kept.enter_context(_bound(host, port)) for port in self._ports]
            self._ports = [door.getsockname()[1] for door in doors]
            balancer = HAProxy(doors, self._out, self._lock, self._seen, network)
            balancer.start()
        self._balancers[name] = balancer
        return balancer

    def _close(self, balancer: HAProxy) -> None:
        balancer.stop()
        self._homes = {group: home for group, home in self._homes.items() if home is not balancer}

    def address(self, dns_name: str, port: int) -> tuple[str, int] | None:
        balancer = self._balancers.get(dns_name.lower())
        return balancer.address(port) if balancer else None

    def host(self, dns_name: str) -> str | None:
        balancer = self._balancers.get(dns_name.lower())
        return balancer.host if balancer else None

    def launch(self, instance: str, disk: Mapping[str, Any]) -> None:
        with self._lock:
            self.kill(instance)
            self._running[instance] = self._run(instance, disk)
            for group in [arn for arn, targets in self._states.items() if instance in targets]:
                self._settle(group)

    def _run(self, instance: str, disk: Mapping[str, Any]) -> Running:
        if command := disk.get("command"):
            return _run(command, str(disk["version"]), self._out / "instances" / f"{instance}.log")
        return _serve(instance, disk)

    def kill(self, instance: str) -> None:
        with self._lock:
            running = self._running.pop(instance, None)
        if running:
            _end(running.process)

    def probe(self, checks: Sequence[tuple[str, str]]) -> list[int | None]:
        with self._lock:
            for balancer in self._balancers.values():
                balancer.delete_left()
            ports = [
                (self._running[instance].port if instance in self._running else None)
                for instance, _ in checks
            ]
        with self._asking:
            if self._loop.is_closed():
                return [None] * len(checks)
            asked = (_ask(port, path) for port, (_, path) in zip(ports, checks, strict=True))
            return self._loop.run_until_complete(_all(asked))

    def place(self, group: str, target: str, state: State) -> None:
        with self._lock:
            self._states.setdefault(group, {})[target] = state
            self._settle(group)

    def remove(self, group: str, target: str) -> None:
        with self._lock:
            self._states.get(group, {}).pop(target, None)
            if home := self._homes.get(group):
                home.remove(group, target)
            self._settle(group)

    def _settle(self, group: str) -> None:
        """A group that no load balancer lists yet, or whose load balancer is gone, waits for one."""
        if home := self._homes.get(group):
            ports = {instance: running.port for instance, running in self._running.items()}
            home.settle(group, self._states.get(group, {}), ports)


def _bound(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A port of this machine that nobody else can take until it is listened on."""
    door = socket.socket()
    door.bind((host, port))
    door.set_inheritable(True)
    return door


def _serve(instance: str, disk: Mapping[str, Any]) -> Running:
    with _bound() as door:
        command = [
            sys.executable,
            "-ISs",
            str(HERE / "instance.py"),
            "--fd",
            str(door.fileno()),
            "--id",
            instance,
        ]
        command += ["--version", str(disk.get("version", "unknown"))]
        command += ["--fault", disk["fault"]] if disk.get("fault") else []
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, pass_fds=[door.fileno()], start_new_session=True
        )
        return Running(process, door.getsockname()[1])


def _run(command: str, version: str, log: Path) -> Running:
    """A person's own app: it is told its port, and has to take it, which another process may have done before it."""
    with _bound() as door:
        port = door.getsockname()[1]
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["sh", "-c", TETHERED, "sh", command.replace("{port}", str(port)).replace("{version}", version)],
            env={**os.environ, "PORT": str(port), "VERSION": version},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    return Running(process, port)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process goes with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()


async def _ask(port: int | None, path: str) -> int | None:
    if port is None:
        return None
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n".encode())
                return int((await reader.readline()).split()[1])
            finally:
                writer.close()
    except (OSError, TimeoutError, IndexError, ValueError):
        return None


async def _all(asked: Iterable[Any]) -> list[int | None]:
    return list(await asyncio.gather(*asked))
