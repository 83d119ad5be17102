"""What a client remembers of a name: the address it was told, until the TTL is over; then it asks by UDP again."""

import asyncio
import time
from collections.abc import Callable

import dns.asyncquery
import dns.message
import dns.rdatatype

PATIENCE = 2.0  # wall seconds for one answer


class Unresolved(OSError):
    """The name server knew no address, or didn't answer."""


class Resolver:
    """One client's; `speed` is how many of the TTL's seconds pass in a wall second."""

    def __init__(
        self, name: str, server: tuple[str, int], speed: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._server = server
        self._speed = speed
        self._now = now
        self._host: str | None = None
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def host(self) -> str:
        """Raises Unresolved."""
        async with self._asking:
            if self._host is None or self._now() >= self._until:
                self._host = None
                self._host, ttl = await self._ask()
                self._until = self._now() + ttl / self._speed
            return self._host

    async def _ask(self) -> tuple[str, int]:
        query = dns.message.make_query(self._name, dns.rdatatype.A)
        where, port = self._server
        try:
            reply = await dns.asyncquery.udp(query, where, PATIENCE, port)
        except (dns.exception.DNSException, OSError) as problem:
            raise Unresolved(f"{self._name}: {problem}") from problem
        found = [record for record in reply.answer if record.rdtype == dns.rdatatype.A]
        if not found:
            raise Unresolved(f"{self._name}: {dns.rcode.to_text(reply.rcode())}")
        return found[0][0].to_text(), min(record.ttl for record in reply.answer)
