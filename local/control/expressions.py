"""Evaluates JSONata as Step Functions does: data is bound, never pasted; undefined is an error, null a value."""

import hashlib
import json
import math
import random
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from jsonata.jsonata import Jsonata
from jsonata.utils import Utils

_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_free: dict[str, list[Jsonata]] = defaultdict(list)  # compiled once; one evaluation at a time may use each


class Unevaluable(Exception):
    """The expression can't be parsed, fails, or gives nothing that is JSON; the words say which."""


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """The value of an expression (without its braces); `variables` by name, without the dollar."""
    compiled = _take(expression)
    try:
        Jsonata.CURRENT.jsonata = compiled
        bound = {name: _bound(variables[name]) for name in _names(expression) if name in variables}
        result = compiled.evaluate(None, bound)
    except Exception as error:
        raise Unevaluable(f"The JSONata expression '{expression}' threw an error: {error}") from error
    finally:
        _free[expression].append(compiled)
    if result is None:
        raise Unevaluable(f"The JSONata expression '{expression}' returned nothing (undefined).")
    return _plain(result, expression)


def _take(expression: str) -> Jsonata:
    try:
        return _free[expression].pop()
    except IndexError:
        return _compile(expression)


def _compile(expression: str) -> Jsonata:
    try:
        compiled = Jsonata(expression)
    except Exception as error:
        raise Unevaluable(f"The JSONata expression '{expression}' can't be parsed: {error}") from error
    compiled.set_output_convert_nulls(False)
    for name, function in _FUNCTIONS.items():
        compiled.register_lambda(name, function)
    return compiled


def _names(expression: str) -> set[str]:
    return set(_NAME.findall(expression))


def _bound(value: Any) -> Any:
    """Data as the evaluator wants it: JSON null has its own object there, a missing value is None."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, Mapping):
        return {key: _bound(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bound(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def _plain(value: Any, expression: str) -> Any:
    """A result as plain JSON that shares nothing with the data it came from."""
    if value is Utils.NULL_VALUE or value is None:
        return None
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {key: _plain(item, expression) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(value[index], expression) for index in range(len(value))]
    raise Unevaluable(f"The JSONata expression '{expression}' returned an unsupported result type.")


# The functions that Step Functions adds to JSONata, and $eval, which it refuses.
# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html


def _partition(items: Any, size: int) -> Any:
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def _range(first: float, last: float, step: float) -> list[float]:
    return [first + index * step for index in range(math.floor((last - first) / step) + 1)]


def _hash(value: Any, algorithm: str = "SHA-256") -> str:
    text = value if isinstance(value, str) else json.dumps(_plain(value, "$hash"), separators=(",", ":"))
    return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()


def _random(seed: Any = None) -> float:
    return random.Random(seed).random() if seed is not None else random.random()


def _parse(text: str) -> Any:
    return _bound(json.loads(text))


def _uuid() -> str:
    return str(uuid.uuid4())


def _eval(*_: Any) -> Any:
    raise ValueError("$eval is not supported: use $parse")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "parse": _parse,
    "uuid": _uuid,
    "eval": _eval,
}
