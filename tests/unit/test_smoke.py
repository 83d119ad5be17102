"""Smoke tests: what of green's answers is good enough, and what a bad green can't do to its tester."""

import gzip
import re
import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace

from tests.web import Answer, Web, cuts, drips, hangs, in_turn, says
from viridian import smoke
from viridian.plan import Endpoint
from viridian.request import SmokeTest

ENDPOINT = Endpoint(dns_name="shop-1.us-east-1.elb.amazonaws.com", protocol="HTTP", port=80)


def complaint(test: SmokeTest, endpoint: Endpoint = ENDPOINT) -> str:
    return smoke.attempt(endpoint, "shop.token", test)


def test_the_standby_rules_header_goes_with_every_request(web: Web) -> None:
    web.answers["/health?deep=1"] = says()
    assert not complaint(SmokeTest(path="/health?deep=1"))
    assert web.requests[0][0] == "GET /health?deep=1 HTTP/1.1"
    assert web.headers()["x-viridian-standby"] == "shop.token"
    assert web.headers()["host"] == ENDPOINT.dns_name
    assert web.headers()["user-agent"] == "viridian"
    assert web.hosts == [(ENDPOINT.dns_name, 80)]


def test_a_rule_with_a_host_is_asked_by_that_host(web: Web) -> None:
    web.answers["/"] = says()
    endpoint = Endpoint(dns_name=ENDPOINT.dns_name, protocol="HTTP", port=8080, host="shop.example.com")
    assert not complaint(SmokeTest(path="/"), endpoint)
    assert web.headers()["host"].startswith("shop.example.com")
    assert web.hosts == [(ENDPOINT.dns_name, 8080)], "the name that is looked up is AWS's, whatever the host"


ANSWERS: list[tuple[str, Answer, SmokeTest, str]] = [
    ("what was asked for", says(b"shop 2.0.0"), SmokeTest(path="/", contains="2.0.0"), ""),
    ("no content", says(b"", "204 No Content"), SmokeTest(path="/", status=204), ""),
    ("headers alone", says(b""), SmokeTest(path="/", method="HEAD"), ""),
    ("another status", says(b"", "500 Oops"), SmokeTest(path="/"), "status 500, expected 200"),
    (
        "a redirect, which is not followed",
        says(b"", "302 Found", "Location: http://169.254.169.254/"),
        SmokeTest(path="/"),
        "status 302, expected 200",
    ),
    (
        "other words",
        says(b"shop 1.0.0"),
        SmokeTest(path="/", contains="2.0.0"),
        "the first 10 bytes don't contain '2.0.0'",
    ),
    (
        "the words after the limit",
        says(b"." * smoke.BODY_LIMIT * 2 + b"2.0.0"),
        SmokeTest(path="/", contains="2.0.0"),
        "don't contain",
    ),
    ("no answer", hangs, SmokeTest(path="/", timeout_seconds=1), "timed out"),
    ("a connection that is cut", cuts, SmokeTest(path="/"), "RemoteDisconnected"),
    (
        "a body that drips",
        drips(b"." * 100, 0.2),
        SmokeTest(path="/", timeout_seconds=1),
        "did not end in time",
    ),
    ("no HTTP", drips(b"", 0, head=b"SSH-2.0-OpenSSH_9.6\r\n"), SmokeTest(path="/"), "BadStatusLine"),
    (
        "a body shorter than it says",
        drips(b"", 0, head=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        SmokeTest(path="/"),
        "IncompleteRead",
    ),
]


@pytest.mark.parametrize(
    ("answer", "test", "words"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS]
)
def test_an_answer_is_judged_by_status_and_words(
    web: Web, answer: Answer, test: SmokeTest, words: str
) -> None:
    web.answers["/"] = answer
    begun = time.monotonic()
    found = complaint(test)
    assert words in found if words else not found
    assert time.monotonic() - begun < test.timeout_seconds + 1.5


def test_a_test_says_headers_of_its_own_and_never_ours(web: Web) -> None:
    web.answers["/"] = says()
    headers = {"accept": "application/json", "User-Agent": "synthetic"}
    assert not complaint(SmokeTest(path="/", headers=headers))
    assert web.headers()["accept"] == "application/json"
    assert web.headers()["user-agent"] == "synthetic"
    assert sum(line.lower().startswith("user-agent:") for line in web.requests[0]) == 1
    hostile = {"Host": "169.254.169.254", "X-Viridian-Standby": "other.token", "Accept-Encoding": "gzip"}
    assert not complaint(SmokeTest(path="/", headers=hostile)), (
        "the plan refuses these; here ours stand over them"
    )
    assert web.headers()["host"] == ENDPOINT.dns_name
    assert web.headers()["x-viridian-standby"] == "shop.token"
    assert web.headers()["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("test", "line", "body", "length"),
    [
        (SmokeTest(path="/", method="POST", body='{"sku": "ü"}'), "POST / HTTP/1.1", '{"sku": "ü"}', "13"),
        (SmokeTest(path="/", method="POST"), "POST / HTTP/1.1", "", "0"),
        (SmokeTest(path="/", method="OPTIONS"), "OPTIONS / HTTP/1.1", "", None),
    ],
)
def test_a_test_may_send_a_body(web: Web, test: SmokeTest, line: str, body: str, length: str | None) -> None:
    web.answers["/"] = says()
    assert not complaint(test)
    assert web.requests[0][0] == line
    assert web.requests[0][-1] == body
    assert web.headers().get("content-length") == length


def test_a_redirect_leads_nowhere_even_where_it_is_expected(web: Web) -> None:
    web.answers["/"] = says(b"", "302 Found", "Location: http://169.254.169.254/latest/meta-data/")
    assert not complaint(SmokeTest(path="/", status=(301, 302)))
    assert [request[0] for request in web.requests] == ["GET / HTTP/1.1"]
    assert web.hosts == [(ENDPOINT.dns_name, 80)]


def test_a_test_passes_once_every_request_of_it_has(web: Web) -> None:
    web.answers["/"] = in_turn(says(), says(), says(b"", "500 No"), says())
    tests = (SmokeTest(path="/", requests=3, attempts=2),)
    assert smoke.run(ENDPOINT, "t", tests).outcome == "Successful"
    assert len(web.requests) == 4, "the third was asked twice"


def test_one_bad_answer_of_several_condemns_green(web: Web) -> None:
    web.answers["/"] = in_turn(says(), says(b"", "500 No"), says())
    verdict = smoke.run(ENDPOINT, "t", (SmokeTest(path="/", requests=3),))
    assert verdict.outcome == "Failed"
    assert verdict.reason == "GET /, request 2 of 3: status 500, expected 200 (1 attempts)"
    assert len(web.requests) == 2


def test_attempts_wait_for_each_other_and_the_first_for_nothing(web: Web) -> None:
    web.answers["/"] = in_turn(says(b"", "503 Soon"), says(), says())
    begun = time.monotonic()
    test = SmokeTest(path="/", attempts=3, pause_seconds=1, requests=2)
    assert smoke.run(ENDPOINT, "t", (test,)).outcome == "Successful"
    assert 1 <= time.monotonic() - begun < 1.9


def test_the_time_of_an_answer_ends_with_its_body(web: Web) -> None:
    web.answers["/"] = drips(b"ok", 0.3)
    assert not complaint(SmokeTest(path="/", latency_ms=4000))
    found = complaint(SmokeTest(path="/", latency_ms=200))
    took = re.fullmatch(r"the answer took ([0-9]+) ms, expected 200 at most", found)
    assert took, found
    assert 300 < int(took[1]) < 4000


def test_a_body_that_came_packed_all_the_same_is_not_unpacked(web: Web) -> None:
    bomb = gzip.compress(b" " * 50_000_000 + b"{}")
    assert len(bomb) < smoke.BODY_LIMIT
    web.answers["/"] = says(bomb, "200 OK", "Content-Encoding: gzip")
    assert not complaint(SmokeTest(path="/")), "nobody looks into it"
    words = "the body is encoded ('gzip'), though identity was asked for"
    assert complaint(SmokeTest(path="/", contains="{}")) == words
    assert complaint(SmokeTest(path="/", expect="a = 1")) == words


@pytest.fixture(scope="module")
def seal(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate that nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    certificate = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path_factory.mktemp("seal") / "both.pem"
    path.write_bytes(certificate + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


SEALED = Endpoint(dns_name=ENDPOINT.dns_name, protocol="HTTPS", port=443)


def test_over_tls_a_certificate_counts_where_the_rule_has_a_host(web: Web, seal: ssl.SSLContext) -> None:
    web.seal, web.answers["/"] = seal, says(b"shop 2.0.0")
    assert not complaint(SmokeTest(path="/", contains="2.0.0"), SEALED)
    found = complaint(SmokeTest(path="/"), replace(SEALED, host="shop.example.com"))
    assert found.startswith("SSLCertVerificationError")
    assert len(web.requests) == 1


def test_over_tls_an_answer_that_drips_is_given_up_too(web: Web, seal: ssl.SSLContext) -> None:
    web.seal, web.answers["/"] = seal, drips(b"." * 100, 0.2)
    begun = time.monotonic()
    found = complaint(SmokeTest(path="/", timeout_seconds=1), SEALED)
    assert found == "timed out: the answer did not end in time (1 s)"
    assert time.monotonic() - begun < 2.5


def test_a_load_balancer_that_never_ends_its_handshake_is_given_up(web: Web) -> None:
    """What it says is no TLS, and it says it a byte at a time: no read of a socket ever times out."""
    web.greets = drips(b"\x16\x03\x03\x40\x00" + b"." * 100, 0.2, head=b"")
    begun = time.monotonic()
    assert "timed out" in complaint(SmokeTest(path="/", timeout_seconds=1), SEALED)
    assert time.monotonic() - begun < 2.5


def test_a_test_may_take_several_attempts(web: Web) -> None:
    web.answers["/"] = in_turn(says(b"", "503 Soon"), says(b"", "503 Soon"), says())
    verdict = smoke.run(ENDPOINT, "t", (SmokeTest(path="/", attempts=3),))
    assert (verdict.outcome, verdict.reason) == ("Successful", "1 smoke tests passed")
    assert len(web.requests) == 3


def test_a_test_that_fails_in_all_its_attempts_condemns_green(web: Web) -> None:
    web.answers["/"] = in_turn(says(b"", "500 A"), says(b"", "502 B"))
    web.answers["/ok"] = says()
    tests = (SmokeTest(path="/ok"), SmokeTest(path="/", attempts=2), SmokeTest(path="/ok"))
    verdict = smoke.run(ENDPOINT, "t", tests)
    assert verdict.outcome == "Failed"
    assert verdict.reason == "GET /: status 502, expected 200 (2 attempts)"
    assert len(web.requests) == 3, "what comes after the failure isn't asked any more"


def test_a_service_without_smoke_tests_passes_them(web: Web) -> None:
    assert smoke.run(ENDPOINT, "t", ()).outcome == "Successful"
    assert web.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "0.0.0.0",
        "169.254.169.254",
        "169.254.170.2",
        "::ffff:169.254.169.254",
        "::ffff:127.0.0.1",
        "fe80::1",
        "fd00:ec2::254",
        "224.0.0.1",
    ],
)
def test_no_name_leads_to_this_host_or_to_its_metadata(address: str) -> None:
    with pytest.raises(OSError, match="no load balancer's address"):
        smoke.ensure_outside(address)


@pytest.mark.parametrize("address", ["10.0.1.5", "192.168.0.9", "52.95.110.1", "2600:1f14::1", "fd12::9"])
def test_load_balancers_are_inside_and_outside_of_vpcs(address: str) -> None:
    smoke.ensure_outside(address)


def test_a_name_that_leads_home_is_not_followed() -> None:
    found = complaint(SmokeTest(path="/"), Endpoint(dns_name="localhost", protocol="HTTP", port=9))
    assert "no load balancer's address" in found


def test_a_load_balancer_that_nobody_answers_for_is_a_complaint() -> None:
    nowhere = Endpoint(dns_name="nothing.invalid", protocol="HTTP", port=80)
    assert "gaierror" in complaint(SmokeTest(path="/"), nowhere)
