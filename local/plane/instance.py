"""The app that one instance runs: it answers with its version, and fails as its disk says."""

import argparse
import asyncio
import json
import os
import re
import socket
import sys
import threading
from urllib.parse import parse_qs, urlsplit

GRACE = 10  # requests that an instance with the fault "third" answers well before it begins to fail


class App:
    """Answers requests on kept-alive connections."""

    def __init__(self, instance: str, version: str, fault: str | None) -> None:
        self._instance = instance
        self._version = version
        self._fault = fault
        self._served = 0
        self._body = json.dumps({"version": version, "instance": instance}).encode()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            going = True
            while going:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                if announced := re.search(r"\r\ncontent-length: *([0-9]+)", head, re.IGNORECASE):
                    await reader.readexactly(int(announced[1]))
                going = await self._reply(head, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _reply(self, head: str, writer: asyncio.StreamWriter) -> bool:
        status = await self._status(head.split(" ", 2)[1])
        closing = "\r\nconnection: close" in head.lower()
        reason = "OK" if status == 200 else "Internal Server Error"
        writer.write(
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nX-Version: {self._version}\r\n"
            f"Content-Length: {len(self._body)}\r\n\r\n".encode()
            + (b"" if head.startswith("HEAD ") else self._body)
        )
        await writer.drain()
        return not closing

    async def _status(self, target: str) -> int:
        url = urlsplit(target)
        if url.path == "/health":
            sick = self._fault == "sickens" and self._served > GRACE
            return 500 if sick or self._fault == "unhealthy" else 200
        self._served += 1
        if url.path == "/slow":
            await asyncio.sleep(float(parse_qs(url.query).get("seconds", ["1"])[0]))
        return 500 if self._fault == "third" and self._fails(self._served - GRACE) else 200

    @staticmethod
    def _fails(past_grace: int) -> bool:
        return past_grace > 0 and past_grace % 3 == 0


async def serve(app: App, listening: socket.socket) -> None:
    server = await asyncio.start_server(app.converse, sock=listening, backlog=512)
    async with server:
        await server.serve_forever()


def end_with_parent() -> None:
    """An instance must not outlive its cloud: its standard input ends when the cloud does."""
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the socket to listen on, already bound")
    parser.add_argument("--id", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--fault")
    given = parser.parse_args()
    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(serve(App(given.id, given.version, given.fault), socket.socket(fileno=given.fd)))


if __name__ == "__main__":
    main()
