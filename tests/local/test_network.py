"""A load balancer's name leads to the data plane, for code that resolves once, checks the address and pins it."""

import asyncio
import http.server
import ipaddress
import socket
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from local.plane import network

DNS = "shop-1.us-east-1.elb.amazonaws.com"


class Door:
    """A data plane with one listener, on port 80."""

    def __init__(self, port: int) -> None:
        self._port = port

    def address(self, dns_name: str, port: int) -> tuple[str, int] | None:
        return ("127.0.0.1", self._port) if (dns_name, port) == (DNS, 80) else None


class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.headers["Host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    network.install(Door(server.server_address[1]))
    yield server.server_address[1]
    network.uninstall()
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("port")
def test_the_name_resolves_to_an_address_that_is_nobodys() -> None:
    (found,) = {entry[4][0] for entry in socket.getaddrinfo(DNS, 80, type=socket.SOCK_STREAM)}
    assert ipaddress.ip_address(found) in ipaddress.ip_network("203.0.113.0/24")
    assert socket.getaddrinfo(DNS.upper() + ".", 80)[0][4][0] == found
    assert socket.getaddrinfo(f"other-{DNS}", 80)[0][4][0] != found


@pytest.mark.usefixtures("port")
def test_the_name_and_the_pinned_address_reach_the_data_plane() -> None:
    with urllib.request.urlopen(f"http://{DNS}/", timeout=5) as answer:
        assert answer.read().decode() == DNS
    pinned = socket.getaddrinfo(DNS, 80)[0][4]
    with socket.create_connection((str(pinned[0]), 80), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\nHost: pinned\r\n\r\n")
        assert b"200" in connection.recv(1024)


@pytest.mark.usefixtures("port")
def test_asyncio_reaches_it_too() -> None:
    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(DNS, 80)
        writer.write(b"GET / HTTP/1.0\r\nHost: async\r\n\r\n")
        head = await reader.readline()
        writer.close()
        return head

    assert b"200" in asyncio.run(ask())


@pytest.mark.usefixtures("port")
def test_a_port_without_a_listener_refuses() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((DNS, 8080), timeout=5)
    with socket.socket() as door:
        address = socket.getaddrinfo(DNS, 8080)[0][4][0]
        assert door.connect_ex((address, 8080)) != 0
    with pytest.raises(ConnectionRefusedError):
        network.address(DNS, 8080)


def test_everything_else_is_left_alone(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        assert connection.getpeername()[1] == port
    assert network.address(DNS, 80) == ("127.0.0.1", port)


def test_afterwards_the_name_leads_nowhere_of_ours() -> None:
    before = (socket.getaddrinfo, socket.socket.connect)
    network.install(Door(1))
    network.uninstall()
    assert (socket.getaddrinfo, socket.socket.connect) == before
    with pytest.raises(ConnectionRefusedError):
        network.address(DNS, 80)
