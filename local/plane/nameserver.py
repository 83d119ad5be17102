"""A DNS server over UDP that answers what Route 53 would: an address of the chosen load balancer, and its TTL."""

import socket
import threading
from collections.abc import Callable
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.exception import DNSException

from local.plane import zones

Resolve = Callable[[str], zones.Answer | None]
HostOf = Callable[[str], str | None]  # the address of a load balancer, by its name


class NameServer:
    """Use it as a context manager; `address` is where it listens."""

    def __init__(self, resolve: Resolve, host_of: HostOf) -> None:
        self._resolve = resolve
        self._host_of = host_of
        self._door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._door.bind(("127.0.0.1", 0))
        self._over = threading.Event()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._door.getsockname()
        return str(host), int(port)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve, name="name server", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.address)
        self._thread.join()
        self._door.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            asked, client = self._door.recvfrom(4096)
            try:
                self._door.sendto(self.answer(asked), client)
            except DNSException:
                continue  # not a question

    def answer(self, asked: bytes) -> bytes:
        """The answer to one message; raises DNSException when it isn't one."""
        query = dns.message.from_wire(asked)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        (question,) = query.question
        name = question.name.to_text()
        found = self._resolve(name)
        if found is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif found.type == "CNAME":
            self._add(reply, name, found.ttl, "CNAME", found.target)
            beyond = self._resolve(found.target)
            if beyond and question.rdtype == dns.rdatatype.A:
                self._add_address(reply, found.target, beyond)
        elif question.rdtype == dns.rdatatype.A:
            self._add_address(reply, name, found)
        return reply.to_wire()

    def _add_address(self, reply: dns.message.Message, name: str, found: zones.Answer) -> None:
        host = found.target
        if host.endswith(zones.BALANCERS):
            host = self._host_of(host.rstrip(".")) or ""
        if host:
            self._add(reply, name, found.ttl, "A", host)

    @staticmethod
    def _add(reply: dns.message.Message, name: str, ttl: int, kind: str, value: str) -> None:
        reply.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, value))
