"""What smoke tests expect: what no answer could meet is refused before anything is touched, the rest is held to answers."""

import time
from typing import Any

import msgspec
import pytest

from tests import stack
from viridian import expectations
from viridian.errors import Refusal
from viridian.expectations import Answer
from viridian.request import SmokeTest

OK = b'{"status": "ok", "version": "2.0.0", "up": 3, "items": [{"good": true}, {"good": true}], "none": null}'


def refusal(*tests: dict[str, Any]) -> Refusal:
    with pytest.raises(Refusal) as refused:
        expectations.ensure_possible(msgspec.convert(tests, tuple[SmokeTest, ...]))
    return refused.value


def unmet(body: bytes = OK, *, milliseconds: int = 5, **test: Any) -> str:
    answer = Answer(status=200, body=body, whole=True, encoding="", milliseconds=milliseconds)
    return expectations.unmet(msgspec.convert({"path": "/", **test}, SmokeTest), answer)


SOUND: list[dict[str, Any]] = [
    {},
    {"method": "HEAD"},
    {"status": 204},
    {"method": "POST", "body": "{}", "headers": {"content-type": "application/json"}, "status": [200, 201]},
    {"method": "OPTIONS", "headers": {"Origin": "https://shop.example.com"}},
    {"latency_ms": 4999},
    {"expect": '$count(items[good]) = 2 and version in ["2.0.0", "2.0.1"] and $not($exists(error))'},
]


@pytest.mark.parametrize("test", SOUND, ids=repr)
def test_a_test_that_an_answer_can_meet_is_let_in(test: dict[str, Any]) -> None:
    expectations.ensure_possible((msgspec.convert({"path": "/", **test}, SmokeTest),))


REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    ({"path": "//evil.example.com/"}, "path", "//evil.example.com/", "one slash"),
    *(
        ({"headers": {name: "x"}}, "headers", name, "Use only Accept, Accept-Language,")
        for name in (
            "Host",
            "host",
            "Authorization",
            "Cookie",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "Forwarded",
            "Connection",
            "Transfer-Encoding",
            "Content-Length",
            "Upgrade",
            "Accept-Encoding",
            "X-Viridian-Standby",
            "x-viridian-standby",
            "X-Api-Key",
            "",
            "Accept\r\nHost",
        )
    ),
    ({"headers": {"Accept": "a", "accept": "b"}}, "headers", "Accept, accept", "once"),
    ({"body": "{}"}, "body", "GET", "Only a POST"),
    ({"method": "HEAD", "contains": "x"}, "contains", "HEAD", "no body"),
    ({"method": "HEAD", "expect": "a = 1"}, "expect", "HEAD", "no body"),
    ({"status": 204, "contains": "x"}, "contains", "status 204", "no body"),
    ({"status": [200, 304], "expect": "a = 1"}, "expect", "status (200, 304)", "no body"),
    ({"latency_ms": 5000}, "latency_ms", "5000", "less than timeout_seconds"),
    ({"timeout_seconds": 1, "latency_ms": 2000}, "latency_ms", "2000", "less than timeout_seconds"),
    ({"expect": "status ="}, "expect", "status =", "Unexpected end of expression"),
    ({"expect": "((("}, "expect", "(((", "before end of expression"),
    ({"expect": "$contains(a, /(x+)+y/)"}, "expect", "/(x+)+y/", "use $contains with a text"),
    ({"expect": "$eval(a)"}, "expect", "$eval(a)", "none of the functions"),
    ({"expect": '$pad("", 1000000000) = a'}, "expect", "$pad", "none of the functions"),
    ({"expect": "$power(10, 100000000) = a"}, "expect", "$power", "none of the functions"),
    ({"expect": "$count([1..9999999]) = 1"}, "expect", "..", ".. is none of"),
    ({"expect": "($f := function($n) { $f($n) }; $f(1))"}, "expect", "$f", "is none of"),
    ({"expect": "a ~> $count = 1"}, "expect", "~>", "~> is none of"),
    ({"expect": "|a|{}| = 1"}, "expect", "|a|", "transform is none of"),
    ({"expect": "count(a) = 1"}, "expect", "count(a)", "begins with $"),
    ({"expect": "a{b: c} = 1"}, "expect", "a{b: c}", "grouping is none of"),
]


@pytest.mark.parametrize(("test", "field", "value", "fix"), REFUSED, ids=lambda part: str(part)[:60])
def test_what_no_answer_can_meet_is_refused_by_field_value_and_fix(
    test: dict[str, Any], field: str, value: str, fix: str
) -> None:
    refused = refusal({"path": "/fine"}, {"path": "/", **test})
    assert refused.field == f"smoke_tests[1].{field}"
    assert value in str(refused.value)
    assert fix in refused.fix


@pytest.mark.parametrize("value", ["a\r\nHost: x", "a\n", "", " a", "a ", "ü", "a" * 129, "\x7f"])
def test_a_header_says_what_can_be_printed_on_one_line(value: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"path": "/", "headers": {"Accept": value}}, SmokeTest)


LATE = {"path": "/", "timeout_seconds": 10, "attempts": 5}


def test_tests_that_could_outlast_the_function_are_refused_together() -> None:
    expectations.ensure_possible(msgspec.convert([LATE] * 10, tuple[SmokeTest, ...]))
    refused = refusal(*[LATE] * 10, {"path": "/", "requests": 9})
    assert (refused.field, refused.value) == ("smoke_tests", "545 s if everything fails late")
    assert "540 s in all" in refused.fix


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ({"requests": 20}, 1000),
        ({"requests": 5, "pause_seconds": 30}, 850),
        ({"requests": 10, "expect": "a = 1"}, 550),
    ],
)
def test_requests_attempts_pauses_and_expressions_all_take_their_time(
    more: dict[str, Any], seconds: int
) -> None:
    assert refusal({**LATE, **more}).value == f"{seconds} s if everything fails late"


def test_the_function_that_asks_has_the_time_that_tests_may_take() -> None:
    template = stack.template()["Resources"]["RunSmokeTestsFunction"]["Properties"]
    (task,) = [state.body for state in stack.states() if state.name == "RunSmokeTests"]
    assert expectations.LONGEST_SECONDS + 60 <= template["Timeout"] < task["TimeoutSeconds"]


MET = [
    "status = 'ok'",
    'version = "2.0.0" and up > 2',
    "$count(items[good]) = 2",
    "none = null",
    "$exists(none) and $not($exists(gone))",
    "$substringBefore(version, '.') = '2'",
]


@pytest.mark.parametrize("expect", MET)
def test_json_that_is_as_expected_passes(expect: str) -> None:
    assert unmet(expect=expect) == ""


@pytest.mark.parametrize(
    ("body", "expect", "words"),
    [
        (OK, "status = 'ok' and version = '3.0.0'", 'which is false: status is "ok", version is "2.0.0"'),
        (OK, "error.code = 0", "which is false: error.code is missing or null"),
        (OK, "`up` = 4", "which is false: up is 3"),
        (OK, "$count(items) = 3", "expected $count(items) = 3, which is false"),
        (OK, "version", 'expected version, which is "2.0.0"'),
        (OK, "up", "expected up, which is 3"),
        (OK, "gone", "expected gone, which is missing or null"),
        (OK, "version > 2", "which fails: The values 2.0.0 and 2 either side of operator >"),
        (b'{"a-b": "' + b"x" * 500 + b'"}', "`a-b` = 1", '`a-b` is "' + "x" * 96 + "..."),
        (b"<html>ok</html>", "status = 'ok'", "the 15 bytes of the answer are not JSON"),
        (b"", "status = 'ok'", "the 0 bytes of the answer are not JSON"),
        (b"[" * 60_000, "status = 'ok'", "the 60000 bytes of the answer are not JSON"),
        (b"\xff", "status = 'ok'", "not JSON"),
        (b'"ok"', "status = 'ok'", "status is missing or null"),
    ],
)
def test_other_answers_are_told_with_what_was_expected_and_what_came(
    body: bytes, expect: str, words: str
) -> None:
    found = unmet(body, expect=expect)
    assert found.startswith(f"expected {expect}")
    assert words in found


def test_only_what_the_expression_names_is_told_of_an_answer() -> None:
    found = unmet(b'{"status": "no", "token": "s3cret"}', expect="status = 'ok'")
    assert "s3cret" not in found
    assert 'status is "no"' in found


def test_an_expression_has_one_second() -> None:
    body = b'{"items": [' + b'{"items": [1, 2, 3, 4, 5, 6]}, ' * 1500 + b"1]}"
    begun = time.monotonic()
    found = unmet(body, expect="$count(items.($$.items[gone])) = 1")
    assert "Evaluation timeout after 1000 milliseconds" in found
    assert time.monotonic() - begun < 5


def test_json_that_was_cut_is_not_looked_into() -> None:
    answer = Answer(status=200, body=OK, whole=False, encoding="", milliseconds=5)
    found = expectations.unmet(SmokeTest(path="/", expect="up = 3"), answer)
    assert found == f"expected up = 3, but of the answer only the first {len(OK)} bytes were read"


@pytest.mark.parametrize(("status", "words"), [(503, "503"), ((201, 202), "201 or 202")])
def test_every_status_that_would_do_is_told(status: Any, words: str) -> None:
    assert unmet(status=status) == f"status 200, expected {words}"
    assert unmet(status=[*([status] if isinstance(status, int) else status), 200]) == ""


def test_a_limit_on_the_time_is_the_last_good_one() -> None:
    assert unmet(latency_ms=100, milliseconds=100) == ""
    assert unmet(latency_ms=100, milliseconds=101) == "the answer took 101 ms, expected 100 at most"
