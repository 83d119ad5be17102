"""Smoke tests: a few requests that green must answer before any user reaches it."""

import http.client
import ipaddress
import socket
import ssl
import threading

from viridian import names
from viridian.plan import Endpoint
from viridian.request import SmokeTest
from viridian.verdict import Verdict

BODY_LIMIT = 65_536


def run(endpoint: Endpoint, value: str, tests: tuple[SmokeTest, ...]) -> Verdict:
    """Sends each test through the standby rule; the first that fails in all its attempts condemns green."""
    for test in tests:
        complaints = []
        for _ in range(test.attempts):
            if not (complaint := attempt(endpoint, value, test)):
                break
            complaints.append(complaint)
        else:
            return Verdict(
                "Failed", f"{test.method} {test.path}: {complaints[-1]} ({test.attempts} attempts)"
            )
    return Verdict("Successful", f"{len(tests)} smoke tests passed")


def attempt(endpoint: Endpoint, value: str, test: SmokeTest) -> str:
    """What is wrong with green's answer to one test, or nothing."""
    late = threading.Event()
    complaint = ""
    try:
        status, body = _ask(endpoint, value, test, late)
    except (OSError, http.client.HTTPException) as error:
        complaint = f"{type(error).__name__}: {error}"
    if late.is_set():
        return f"timed out: the answer did not end in time ({test.timeout_seconds} s)"
    if complaint:
        return complaint
    if status != test.status:
        return f"status {status}, expected {test.status}"
    if test.contains is not None and test.contains.encode() not in body:
        return f"the first {len(body)} bytes don't contain {test.contains!r}"
    return ""


def _ask(endpoint: Endpoint, value: str, test: SmokeTest, late: threading.Event) -> tuple[int, bytes]:
    """Status and body of green's answer; the connection is hung up at the time-out, however the answer drips."""
    connection = _connect(endpoint, test.timeout_seconds)
    sock = connection.sock

    def end() -> None:
        late.set()
        sock.shutdown(socket.SHUT_RDWR)

    hang_up = threading.Timer(test.timeout_seconds, end)
    hang_up.start()
    try:
        headers = {"Host": endpoint.host or endpoint.dns_name, names.STANDBY_HEADER: value}
        connection.request(test.method, test.path, headers={**headers, "User-Agent": "viridian"})
        response = connection.getresponse()
        return response.status, _read(response)
    finally:
        hang_up.cancel()
        connection.close()


def ensure_outside(address: str) -> None:
    """Raises OSError for addresses that are never a load balancer's: this host, link-local, instance metadata."""
    ip = ipaddress.ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if (
        ip.is_loopback
        or ip.is_link_local
        or ip.is_unspecified
        or ip.is_multicast
        or str(ip) == "fd00:ec2::254"
    ):
        raise OSError(f"{address} is no load balancer's address")


def _connect(endpoint: Endpoint, timeout: float) -> http.client.HTTPConnection:
    """Resolves once, checks, and connects to the address that was checked."""
    address = str(socket.getaddrinfo(endpoint.dns_name, endpoint.port, type=socket.SOCK_STREAM)[0][4][0])
    ensure_outside(address)
    connection = http.client.HTTPConnection(
        endpoint.host or endpoint.dns_name, endpoint.port, timeout=timeout
    )
    connection.sock = socket.create_connection((address, endpoint.port), timeout)
    if endpoint.protocol == "HTTPS":
        # AWS names the address; the certificate names a domain that only its owner knows, unless the rule has a host.
        context = ssl.create_default_context()
        context.check_hostname = endpoint.host is not None
        context.verify_mode = ssl.CERT_REQUIRED if endpoint.host else ssl.CERT_NONE
        connection.sock = context.wrap_socket(connection.sock, server_hostname=endpoint.host)
    return connection


def _read(response: http.client.HTTPResponse) -> bytes:
    """The start of the body, no more than the limit."""
    body = b""
    while len(body) < BODY_LIMIT and (chunk := response.read1(8192)):
        body += chunk
    return body
