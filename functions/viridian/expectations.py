"""What smoke tests expect of an answer: refused by the plan where nothing could meet it, and held against what came."""

from collections.abc import Iterator
from typing import Any

import msgspec

from viridian.errors import Refusal
from viridian.request import SmokeTest

# The function that asks has 600 seconds.
LONGEST_SECONDS = 540
EVALUATION_SECONDS = 1
BODILESS = (*range(100, 200), 204, 205, 304)
# What any client says of itself and of what it wants: no secrets, which history and ledger would show; nothing that
# frames the message or names its way (Host, Forwarded, Connection, our own); no encodings, since none is undone.
HEADERS = (
    "Accept",
    "Accept-Language",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Method",
    "Cache-Control",
    "Content-Type",
    "Origin",
    "User-Agent",
    "X-Request-Id",
    "X-Requested-With",
)
# An expression may look, compare and count: whatever could run on, or make much of little, is left out.
LOOKS = frozenset((
    "binary", "block", "condition", "descendant", "filter", "function", "name", "number", "path", "string", "unary",
    "value", "variable", "wildcard",
))  # fmt: skip
FUNCTIONS = frozenset((
    "abs", "average", "boolean", "contains", "count", "distinct", "exists", "join", "keys", "length", "lookup",
    "lowercase", "max", "min", "not", "number", "string", "substring", "substringAfter", "substringBefore", "sum",
    "trim", "type", "uppercase",
))  # fmt: skip


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: the body's start, all of it if `whole`, and how long it took from the question to its end."""

    status: int
    body: bytes
    whole: bool
    encoding: str
    milliseconds: int


def ensure_possible(tests: tuple[SmokeTest, ...]) -> None:
    """Refuses tests that contradict themselves, may not be sent, or take longer than the function that sends them."""
    for index, test in enumerate(tests):
        _ensure_one(f"smoke_tests[{index}]", test)
    if (seconds := sum(map(_seconds, tests))) > LONGEST_SECONDS:
        fix = f"Lower requests, attempts, timeout_seconds or pause_seconds: {LONGEST_SECONDS} s in all."
        raise Refusal("smoke_tests", f"{seconds} s if everything fails late", fix)


def _ensure_one(at: str, test: SmokeTest) -> None:
    asked = {name.lower(): name for name in test.headers}
    odd = [name for name in test.headers if name.lower() not in map(str.lower, HEADERS)]
    if test.path.startswith("//"):
        raise Refusal(f"{at}.path", test.path, "Begin it with one slash: what follows two is a host to some.")
    if odd:
        raise Refusal(f"{at}.headers", odd[0][:100], f"Use only {', '.join(HEADERS)}.")
    if len(asked) < len(test.headers):
        raise Refusal(f"{at}.headers", ", ".join(test.headers), "Name each once, in whatever case.")
    if test.body is not None and test.method != "POST":
        raise Refusal(f"{at}.body", test.method, "Only a POST has a body.")
    bodiless = test.method == "HEAD" or any(status in BODILESS for status in statuses(test))
    for field in ("contains", "expect"):
        if bodiless and getattr(test, field) is not None:
            said = test.method if test.method == "HEAD" else f"status {test.status}"
            raise Refusal(f"{at}.{field}", said, "That answer has no body to look into; ask for another.")
    if test.latency_ms is not None and test.latency_ms >= 1000 * test.timeout_seconds:
        raise Refusal(f"{at}.latency_ms", test.latency_ms, "Make it less than timeout_seconds.")
    if test.expect is not None:
        try:
            _read(test.expect)
        except Exception as error:  # whatever the parser stumbles over
            raise Refusal(f"{at}.expect", test.expect, f"Mend the JSONata expression: {error}") from None


def _seconds(test: SmokeTest) -> int:
    """How long a test takes that fails late in each attempt but the last of each request."""
    attempt = test.timeout_seconds + (EVALUATION_SECONDS if test.expect else 0)
    return test.requests * (test.attempts * attempt + (test.attempts - 1) * test.pause_seconds)


def statuses(test: SmokeTest) -> tuple[int, ...]:
    """The statuses that are good."""
    return test.status if isinstance(test.status, tuple) else (test.status,)


def unmet(test: SmokeTest, answer: Answer) -> str:
    """What is wrong with an answer, in words that say what was expected and what came; or nothing."""
    if answer.status not in statuses(test):
        return f"status {answer.status}, expected {' or '.join(map(str, statuses(test)))}"
    if test.latency_ms is not None and answer.milliseconds > test.latency_ms:
        return f"the answer took {answer.milliseconds} ms, expected {test.latency_ms} at most"
    if (test.contains or test.expect) and answer.encoding not in ("", "identity"):
        return f"the body is encoded ({answer.encoding[:40]!r}), though identity was asked for"
    if test.contains is not None and test.contains.encode() not in answer.body:
        return f"the first {len(answer.body)} bytes don't contain {test.contains!r}"
    return _unexpected(test.expect, answer) if test.expect is not None else ""


def _unexpected(expression: str, answer: Answer) -> str:
    """Only what the expression itself names is quoted: an answer may hold more than history should show."""
    if not answer.whole:
        return f"expected {expression}, but of the answer only the first {len(answer.body)} bytes were read"
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return f"expected {expression}, but the {len(answer.body)} bytes of the answer are not JSON"
    try:
        read = _read(expression)
        if (result := read.evaluate(body)) is True:
            return ""
        seen = [f"{name} is {_shown(_read(name).evaluate(body))}" for name in _compared(read.ast)[:5]]
    except Exception as error:  # types that don't go together, time, depth
        return f"expected {expression}, which fails: {str(error)[:200]}"
    return f"expected {expression}, which is {_shown(result)}{': ' if seen else ''}{', '.join(seen)}"


def _shown(value: Any) -> str:
    text = "missing or null" if value is None else msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 100 else f"{text[:97]}..."


def _read(expression: str) -> Any:
    """A Jsonata that may be evaluated within the next second; an exception, if it is none that we take."""
    # Here, since it is a good part of a cold start, and few tests have an expression.
    from jsonata.jsonata import Jsonata

    read = Jsonata(expression, _no_pattern, 1000 * EVALUATION_SECONDS, 100)
    for symbol in _symbols(read.ast):
        name = symbol.value
        if symbol.type not in LOOKS or (symbol.type == "binary" and name == ".."):
            what = name or symbol.type or "grouping"
            raise ValueError(f"{what} is none of what an expression may use here")
        if symbol.type == "variable" and name not in ("", "$", *FUNCTIONS):
            raise ValueError(f"${name} is none of the functions: {', '.join(sorted(FUNCTIONS))}")
        if symbol.type == "function" and symbol.procedure.type != "variable":
            raise ValueError("a function's name begins with $")
    return read


def _no_pattern(pattern: str, _: Any) -> Any:
    raise ValueError(f"/{pattern}/ is a pattern, whose time nothing bounds; use $contains with a text")


def _symbols(part: Any) -> Iterator[Any]:
    """Every symbol of a parsed expression."""
    from jsonata.parser import Parser

    if isinstance(part, Parser.Symbol):
        yield part
        part = list(vars(part).values())
    if isinstance(part, list | tuple):
        for inner in part:
            yield from _symbols(inner)


def _compared(symbol: Any) -> list[str]:
    """The plain paths that an expression compares, as one would write them."""
    if symbol.type == "binary":
        return list(dict.fromkeys((*_compared(symbol.lhs), *_compared(symbol.rhs))))
    if symbol.type == "path" and all(step.type == "name" and not step.predicate for step in symbol.steps):
        return [".".join(_quoted(step.value) for step in symbol.steps)]
    return []


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f"`{name}`"
