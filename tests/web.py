"""A web server that answers as it is told, behind a load balancer's name."""

import re
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import SHUT_RDWR, socket
from typing import Any

from local.plane.network import Network

Answer = Callable[[socket], None]


class Web:
    """What each path is answered with, and the requests that came, each as its lines."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[list[str]] = []
        self.hosts: list[tuple[str, int]] = []
        self.port = 0
        self.greets: Answer | None = None  # what it says before it is asked
        self.seal: ssl.SSLContext | None = None  # its key and certificate, if it speaks TLS

    def address(self, dns_name: str, port: int) -> tuple[str, int]:
        """Where the local cloud's network finds the load balancer of this name."""
        self.hosts.append((dns_name, port))
        return "127.0.0.1", self.port

    def headers(self, number: int = -1) -> dict[str, str]:
        pairs = (line.split(": ", 1) for line in self.requests[number][1:] if ": " in line)
        return {name.lower(): value for name, value in pairs}


def says(body: bytes = b"ok", status: str = "200 OK", *headers: str) -> Answer:
    """A plain answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + body)


def drips(body: bytes, seconds: float, *, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Answer:
    """One byte at a time, for ever so long."""

    def answer(connection: socket) -> None:
        connection.sendall(head)
        for byte in body:
            connection.sendall(bytes([byte]))
            time.sleep(seconds)

    return answer


def hangs(connection: socket) -> None:
    connection.recv(1)


def cuts(connection: socket) -> None:
    connection.shutdown(SHUT_RDWR)


def in_turn(*answers: Answer) -> Answer:
    """A different answer each time."""
    left = iter(answers)
    return lambda connection: next(left)(connection)


def _whole(head: bytes, connection: socket) -> bytes:
    """A request with the body that it announces; what isn't read would make hanging up a reset."""
    told, _, body = head.partition(b"\r\n\r\n")
    announced = re.search(rb"(?i)\r\ncontent-length: ([0-9]+)", told)
    while announced and len(body) < int(announced[1]) and (part := connection.recv(4096)):
        body += part
    return told + b"\r\n\r\n" + body


@contextmanager
def serving(web: Web) -> Iterator[Web]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if web.seal:
                self.request = web.seal.wrap_socket(self.request, server_side=True)
            head = b""
            while not web.greets and b"\r\n\r\n" not in head and (part := self.request.recv(4096)):
                head += part
            if web.greets:
                web.greets(self.request)
            if not head:
                return
            lines = _whole(head, self.request).decode().split("\r\n")
            web.requests.append(lines)
            path = lines[0].split(" ")[1]
            web.answers.get(path, says(b"nothing here", "404 Not Found"))(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """A client that hangs up is what some tests are about."""

    network = Network(web)
    with Server(("127.0.0.1", 0), Handler) as server:
        web.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        network.install()
        try:
            yield web
        finally:
            network.uninstall()
            server.shutdown()
            thread.join()
