"""An ELB's DNS name resolves inside the local cloud's process, and its traffic reaches the data plane."""

import errno
import ipaddress
import itertools
import socket
from typing import Any, Protocol

from local.hooks import Hooks

SUFFIX = ".elb.amazonaws.com"
NETWORK = ipaddress.ip_network("203.0.113.0/24")  # RFC 5737: documentation, nobody's


class Door(Protocol):
    def address(self, dns_name: str, port: int) -> tuple[str, int] | None: ...


class Network:
    """Addresses handed out to names, and where they lead."""

    def __init__(self, plane: Door) -> None:
        self._plane = plane
        self._addresses: dict[str, str] = {}
        self._free = itertools.cycle(str(host) for host in NETWORK.hosts())
        self._hooks = Hooks()

    def install(self) -> None:
        self._hooks.wrap(socket, "getaddrinfo", self._resolve)
        self._hooks.wrap(socket.socket, "connect", self._connect)
        self._hooks.wrap(socket.socket, "connect_ex", self._connect_ex)

    def uninstall(self) -> None:
        self._hooks.undo()

    def address(self, dns_name: str, port: int) -> tuple[str, int]:
        """The local address of a load balancer's port; nobody listens there: the connection is refused."""
        found = self._plane.address(dns_name.rstrip("."), port)
        if found is None:
            raise ConnectionRefusedError(f"{dns_name} has no listener on port {port}")
        return found

    def _resolve(self, original: Any, host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and name.lower().rstrip(".").endswith(SUFFIX):
            return original(self._address_of(name.lower().rstrip(".")), port, *arguments, **named)
        return original(host, port, *arguments, **named)

    def _address_of(self, name: str) -> str:
        if name not in self._addresses:
            self._addresses[name] = next(self._free)
        return self._addresses[name]

    def _connect(self, original: Any, door: socket.socket, address: Any) -> Any:
        if door.family == socket.AF_INET and isinstance(address, tuple):
            name = next((name for name, ip in self._addresses.items() if ip == address[0]), None)
            if name is not None:
                return original(door, self.address(name, address[1]))
        return original(door, address)

    def _connect_ex(self, original: Any, door: socket.socket, address: Any) -> Any:
        try:
            return self._connect(original, door, address)
        except ConnectionRefusedError:
            return errno.ECONNREFUSED


_installed: list[Network] = []


def install(plane: Door) -> None:
    _installed.append(Network(plane))
    _installed[-1].install()


def uninstall() -> None:
    if _installed:
        _installed.pop().uninstall()


def address(dns_name: str, port: int) -> tuple[str, int]:
    """The local address behind a load balancer's DNS name and port."""
    if not _installed:
        raise ConnectionRefusedError("the local cloud's network isn't up")
    return _installed[-1].address(dns_name, port)
