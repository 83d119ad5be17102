"""Smoke tests: a few requests that green must answer before any user reaches it."""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time

from viridian import expectations, names
from viridian.expectations import Answer
from viridian.plan import Endpoint
from viridian.request import SmokeTest
from viridian.verdict import Verdict

BODY_LIMIT = 65_536


def run(endpoint: Endpoint, value: str, tests: tuple[SmokeTest, ...]) -> Verdict:
    """Sends each test through the standby rule; the first request that fails in all its attempts condemns green."""
    for test in tests:
        for number in range(1, test.requests + 1):
            if complaint := _complaint(endpoint, value, test):
                which = f", request {number} of {test.requests}" if test.requests > 1 else ""
                words = f"{test.method} {test.path}{which}: {complaint} ({test.attempts} attempts)"
                return Verdict("Failed", words)
    return Verdict("Successful", f"{len(tests)} smoke tests passed")


def _complaint(endpoint: Endpoint, value: str, test: SmokeTest) -> str:
    """What was wrong with the last attempt at a request, or nothing as soon as one is good."""
    complaint = ""
    for number in range(test.attempts):
        if number:
            time.sleep(test.pause_seconds)
        if not (complaint := attempt(endpoint, value, test)):
            break
    return complaint


def attempt(endpoint: Endpoint, value: str, test: SmokeTest) -> str:
    """What is wrong with green's answer to one test, or nothing."""
    late = threading.Event()
    answer, complaint = None, ""
    try:
        answer = _ask(endpoint, value, test, late)
    except (OSError, http.client.HTTPException) as error:
        complaint = f"{type(error).__name__}: {error}"
    if late.is_set():
        return f"timed out: the answer did not end in time ({test.timeout_seconds} s)"
    return complaint if answer is None else expectations.unmet(test, answer)


def _ask(endpoint: Endpoint, value: str, test: SmokeTest, late: threading.Event) -> Answer:
    """Green's answer; the connection is hung up at the time-out, however slowly it opens or the answer drips."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection(endpoint.host or endpoint.dns_name, endpoint.port)
    connection.sock = sock = _connect(endpoint, begun + test.timeout_seconds)
    opened = time.monotonic()

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError):
            # An SSLSocket's own would take the cipher from under whoever reads.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    hang_up = threading.Timer(_left(begun + test.timeout_seconds), end)
    hang_up.start()
    try:
        body = test.body.encode() if test.body is not None else None
        connection.request(test.method, test.path, body, _headers(endpoint, value, test))
        response = connection.getresponse()
        start = _read(response)
        return Answer(
            status=response.status,
            body=start,
            whole=len(start) < BODY_LIMIT,
            encoding=response.headers.get("Content-Encoding", "").strip().lower(),
            milliseconds=round(1000 * (time.monotonic() - opened)),
        )
    finally:
        hang_up.cancel()
        connection.close()


def _left(deadline: float) -> float:
    """The seconds until then; never none, which would mean not to wait at all."""
    return max(0.001, deadline - time.monotonic())


def _headers(endpoint: Endpoint, value: str, test: SmokeTest) -> dict[str, str]:
    """The test's own headers, under those that are ours to say."""
    asked = {name.lower(): said for name, said in test.headers.items()}
    ours = {"host": endpoint.host or endpoint.dns_name, names.STANDBY_HEADER: value}
    return {"user-agent": "viridian", **asked, "accept-encoding": "identity", **ours}


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


def _connect(endpoint: Endpoint, deadline: float) -> socket.socket:
    """Resolves once, checks, and connects to the address that was checked."""
    address = str(socket.getaddrinfo(endpoint.dns_name, endpoint.port, type=socket.SOCK_STREAM)[0][4][0])
    ensure_outside(address)
    sock = socket.create_connection((address, endpoint.port), _left(deadline))
    if endpoint.protocol == "HTTPS":
        # AWS names the address; the certificate names a domain that only its owner knows, unless the rule has a host.
        context = ssl.create_default_context()
        context.check_hostname = endpoint.host is not None
        context.verify_mode = ssl.CERT_REQUIRED if endpoint.host else ssl.CERT_NONE
        sock.settimeout(_left(deadline))
        sock = context.wrap_socket(sock, server_hostname=endpoint.host)
    return sock


def _read(response: http.client.HTTPResponse) -> bytes:
    """The start of the body, no more than the limit."""
    body = b""
    while len(body) < BODY_LIMIT and (chunk := response.read1(8192)):
        body += chunk
    return body
