"""CloudWatch's metric math, as far as alarms on a load balancer use it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

Series = dict[int, float]
Value = float | Series | list[Series]
Node = tuple[Any, ...]

TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(<=|>=|==|!=|&&|\|\||[-+*/^<>()\[\],]))"
)
LEVELS: tuple[tuple[str, ...], ...] = (
    ("OR", "||"),
    ("AND", "&&"),
    ("==", "!=", "<", ">", "<=", ">="),
    ("+", "-"),
    ("*", "/"),
    ("^",),
)
OPERATORS: dict[str, Callable[[float, float], float]] = {
    "OR": lambda a, b: float(bool(a) or bool(b)),
    "||": lambda a, b: float(bool(a) or bool(b)),
    "AND": lambda a, b: float(bool(a) and bool(b)),
    "&&": lambda a, b: float(bool(a) and bool(b)),
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "<=": lambda a, b: float(a <= b),
    ">=": lambda a, b: float(a >= b),
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}
AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "AVG": lambda values: sum(values) / len(values),
    "MAX": max,
    "MIN": min,
    "SUM": sum,
}
ROUNDINGS: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
}


class MathError(ValueError):
    """The expression isn't metric math, or isn't of the part that is known here."""


def evaluate(expression: str, metrics: Mapping[str, Series], grid: Sequence[int]) -> Series:
    """The expression's time series; `grid` are the timestamps that FILL may fill."""
    value = _value(parse(expression), metrics, grid)
    if not isinstance(value, dict):
        raise MathError(f"{expression!r} must return one time series")
    return value


def identifiers(expression: str) -> set[str]:
    return set(_names(parse(expression)))


@lru_cache(maxsize=512)
def parse(expression: str) -> Node:
    return _Parser(expression).parse()


class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens = list(_tokens(expression))
        self._at = 0

    def parse(self) -> Node:
        node = self._binary(0)
        if self._peek() is not None:
            raise self._error()
        return node

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, wanted: str | None = None) -> str:
        token = self._peek()
        if token is None or (wanted is not None and token != wanted):
            raise self._error()
        self._at += 1
        return token

    def _error(self) -> MathError:
        found = self._peek()
        return MathError(
            f"{self._expression!r}: {'the end' if found is None else found!r} is not expected here"
        )

    def _binary(self, level: int) -> Node:
        if level == len(LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while (token := self._peek()) is not None and token in LEVELS[level]:
            left = ("binary", self._take(), left, self._binary(level + 1))
        return left

    def _unary(self) -> Node:
        if self._peek() == "-":
            self._take()
            return ("binary", "*", ("number", -1.0), self._unary())
        return self._primary()

    def _primary(self) -> Node:
        token = self._take()
        if token[0].isdigit() or token[0] == ".":
            return ("number", float(token))
        if token == "(":
            inner = self._binary(0)
            self._take(")")
            return inner
        if token == "[":
            return ("array", self._list("]"))
        if not (token[0].isalpha() or token[0] == "_") or token in OPERATORS:
            self._at -= 1
            raise self._error()
        if self._peek() == "(":
            self._take()
            return ("call", token, self._list(")"))
        return ("name", token)

    def _list(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while self._peek() != end:
            items.append(self._binary(0))
            if self._peek() != end:
                self._take(",")
        self._take(end)
        return tuple(items)


def _tokens(expression: str) -> list[str]:
    tokens, at = [], 0
    rest = expression.rstrip()
    while at < len(rest):
        found = TOKEN.match(rest, at)
        if found is None:
            raise MathError(f"{expression!r}: {rest[at:].strip()[:1]!r} is not metric math")
        tokens.append(found.group().strip())
        at = found.end()
    return tokens


def _names(node: Node) -> list[str]:
    if node[0] == "name":
        return [] if node[1] in ("REPEAT", "LINEAR") else [node[1]]
    children = node[2:] if node[0] == "binary" else node[-1] if node[0] in ("call", "array") else ()
    return [name for child in children for name in _names(child)]


def _value(node: Node, metrics: Mapping[str, Series], grid: Sequence[int]) -> Value:
    kind = node[0]
    if kind == "number":
        return float(node[1])
    if kind == "name":
        if node[1] not in metrics:
            raise MathError(f"{node[1]!r} is not one of the metrics")
        return metrics[node[1]]
    if kind == "array":
        return [_series(_value(item, metrics, grid)) for item in node[1]]
    if kind == "binary":
        return _combine(OPERATORS[node[1]], _value(node[2], metrics, grid), _value(node[3], metrics, grid))
    return _call(node[1], node[2], metrics, grid)


def _call(name: str, nodes: tuple[Node, ...], metrics: Mapping[str, Series], grid: Sequence[int]) -> Value:
    if name == "FILL" and len(nodes) == 2:
        filler = nodes[1][1] if nodes[1] in (("name", "REPEAT"), ("name", "LINEAR")) else None
        with_ = filler or _value(nodes[1], metrics, grid)
        return _each(_value(nodes[0], metrics, grid), lambda series: _fill(series, with_, grid))
    values = [_value(node, metrics, grid) for node in nodes]
    if name == "IF" and len(values) in (2, 3):
        return _if(values[0], values[1], values[2] if len(values) == 3 else {})
    if name in AGGREGATES and len(values) == 1:
        return _aggregate(AGGREGATES[name], values[0])
    if name in ROUNDINGS and len(values) == 1:
        rounding = ROUNDINGS[name]
        if isinstance(values[0], float):
            return rounding(values[0])
        return _each(values[0], lambda series: {at: rounding(value) for at, value in series.items()})
    raise MathError(f"{name} with {len(nodes)} arguments is not known here")


def _series(value: Value) -> Series:
    if not isinstance(value, dict):
        raise MathError("a time series is wanted here")
    return value


def _each(value: Value, change: Callable[[Series], Series]) -> Value:
    return [change(series) for series in value] if isinstance(value, list) else change(_series(value))


def _combine(apply: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Two series meet where both have a point; what can't be computed, x / 0, is no point."""
    if isinstance(left, list):
        return [_series(_combine(apply, series, right)) for series in left]
    if isinstance(right, list):
        return [_series(_combine(apply, left, series)) for series in right]
    if isinstance(left, float) and isinstance(right, float):
        return float(apply(left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        stamps = left.keys() & right.keys()
    else:
        stamps = set(left if isinstance(left, dict) else _series(right))
    result: Series = {}
    for at in sorted(stamps):
        try:
            value = apply(_at(left, at), _at(right, at))
        except (ZeroDivisionError, OverflowError):
            continue
        if isinstance(value, complex) or math.isnan(value):
            continue
        result[at] = float(value)
    return result


def _at(value: float | Series, stamp: int) -> float:
    return value[stamp] if isinstance(value, dict) else value


def _if(condition: Value, yes: Value, no: Value) -> Value:
    if isinstance(condition, float):
        return yes if condition else no
    result: Series = {}
    for at, holds in _series(condition).items():
        chosen = yes if holds else no
        if isinstance(chosen, list):
            raise MathError("IF takes no arrays here")
        if isinstance(chosen, float) or at in chosen:
            result[at] = _at(chosen, at)
    return result


def _aggregate(apply: Callable[[Sequence[float]], float], value: Value) -> Value:
    """Of an array: a series, over whichever have a point; of one series: a number."""
    if isinstance(value, list):
        stamps = sorted({at for series in value for at in series})
        return {at: float(apply([series[at] for series in value if at in series])) for at in stamps}
    series = _series(value)
    return float(apply(list(series.values()))) if series else {}


def _fill(series: Series, with_: Any, grid: Sequence[int]) -> Series:
    stamps = sorted({*grid, *series})
    if with_ == "REPEAT":
        return _repeat(series, stamps)
    if with_ == "LINEAR":
        return _linear(series, stamps)
    if isinstance(with_, dict):
        other: Series = with_
        return {at: series[at] if at in series else other[at] for at in stamps if at in series or at in other}
    number = float(with_)
    return {at: series.get(at, number) for at in stamps}


def _repeat(series: Series, stamps: Sequence[int]) -> Series:
    result: Series = {}
    last: float | None = None
    for at in stamps:
        last = series.get(at, last)
        if last is not None:
            result[at] = last
    return result


def _linear(series: Series, stamps: Sequence[int]) -> Series:
    known = sorted(series)
    result = dict(series)
    for at in stamps:
        before = max((stamp for stamp in known if stamp < at), default=None)
        after = min((stamp for stamp in known if stamp > at), default=None)
        if at not in series and before is not None and after is not None:
            share = (at - before) / (after - before)
            result[at] = series[before] + share * (series[after] - series[before])
    return dict(sorted(result.items()))
