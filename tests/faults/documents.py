"""Documents that people or machines may send: fitting ones drawn from the schema, and what becomes of them by mistake."""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from msgspec import inspect

Known = Mapping[str, st.SearchStrategy[Any]]

HUGE = "x" * 70_000
TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        "",
        " ",
        "\ud800",
        "a\udfffb",
        "\x00",
        "\n",
        "\u202e",
        "ﷺ" * 40,
        "𝕊",
        HUGE,
        "-0",
        "null",
        "[0]",
        "..",
        "`",
        " - at `$.steps`",
    ]
)
NUMBERS = (
    st.integers(-3, 2000)
    | st.sampled_from([2**31, 2**63, -(2**63), 2**64, 10**400, 1e308, 0.1, 1.0, -0.0])
    | st.sampled_from([float("nan"), float("inf"), float("-inf")])
    | st.floats(0, 1500)
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
DEPTHS = (4, 60, 400, 3000)
SHALLOW = 200


@dataclass(frozen=True, repr=False)
class Paper:
    """A document, and the places where it is not what it was drawn as."""

    document: Any
    places: tuple[str, ...] = ()

    def __repr__(self) -> str:
        try:
            told = ascii(json.dumps(self.document))
        except RecursionError:
            told = "something deep"
        return f"{ascii(self.places)[:300]} in {told if len(told) < 1500 else f'{told[:1500]}...'}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis would print what is in it, however deep."""
        printer.text(repr(self))


def fitting(kind: Any, known: Known | None = None) -> st.SearchStrategy[Any]:
    """Documents that a message type takes, by its schema; `known` are the values of fields that must mean something."""
    return _of(inspect.type_info(kind), known or {})


def _of(kind: inspect.Type, known: Known) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.StructType():
            return _struct(kind, known)
        case inspect.UnionType():
            return st.one_of([_of(each, {}) for each in kind.types])
        case inspect.LiteralType():
            return st.sampled_from(list(kind.values))
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.IntType():
            return st.integers(kind.ge if kind.ge is not None else -(10**6), kind.le or 10**6)
        case inspect.FloatType():
            low, high = kind.gt or 0.0, kind.le or 1e6
            return st.floats(low, high, exclude_min=kind.gt is not None) | st.just(high)
        case inspect.StrType():
            return _text(kind)
        case inspect.VarTupleType():
            return st.lists(
                _of(kind.item_type, {}), min_size=kind.min_length or 0, max_size=min(kind.max_length or 4, 4)
            )
        case inspect.DictType():
            return st.dictionaries(_of(kind.key_type, {}), _of(kind.value_type, {}), max_size=2)
        case inspect.TupleType():
            return st.tuples(*(_of(each, {}) for each in kind.item_types)).map(list)
        case inspect.DateTimeType():
            return st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
        case inspect.AnyType():
            return SCALARS
        case _:
            raise TypeError(f"nothing is known of {kind}")


def _text(kind: inspect.StrType) -> st.SearchStrategy[str]:
    return st.sampled_from(_pool(kind.pattern or "", kind.min_length or 0, kind.max_length or 200))


@cache
def _pool(pattern: str, least: int, most: int) -> list[str]:
    """Texts of a pattern, drawn once: drawing them anew costs more than everything else."""
    pool: dict[str, None] = {}
    text = (
        st.from_regex(pattern.replace(r"(?!\n)", "")) if pattern else st.text(min_size=least, max_size=most)
    )

    @seed(0)
    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(text)
    def drawn(text: str) -> None:
        padded = text if not pattern or len(text) >= least else text.replace(text[:1], text[:1] * least, 1)
        if least <= len(padded) <= most and (not pattern or re.search(pattern, padded)):
            pool[padded] = None

    drawn()
    return list(pool)


def _seventh(
    wild: st.SearchStrategy[Any], given: st.SearchStrategy[Any], drawn: int
) -> st.SearchStrategy[Any]:
    return wild if drawn == 7 else given


def _struct(kind: inspect.StructType, known: Known) -> st.SearchStrategy[dict[str, Any]]:
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in kind.fields:
        drawn = _of(field.type, {})
        if field.encode_name in known:
            # Both ends of a range are drawn far more often than what is between.
            drawn = st.integers(0, 15).flatmap(partial(_seventh, drawn, known[field.encode_name]))
        (required if field.required else optional)[field.encode_name] = drawn
    if kind.tag_field:
        required[kind.tag_field] = st.just(kind.tag)
    return st.fixed_dictionaries(required, optional=optional)


@st.composite
def papers(draw: st.DrawFn, fit: st.SearchStrategy[Any]) -> Paper:
    """A fitting document with none to three of its places mistaken, or none of a document at all."""
    mistakes, places = draw(st.sampled_from([1, 1, 1, 1, 2, 3, 0, -1])), list[str]()
    if mistakes < 0:
        return Paper(draw(SCALARS | _deep() | st.lists(SCALARS, max_size=3)), ("",))
    document = copy.deepcopy(draw(fit))
    for _ in range(mistakes):
        if ways := list(_ways(document)):
            places += _mistake(draw, document, draw(st.sampled_from(ways)))
    return Paper(document, tuple(places))


def _ways(document: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a document."""
    inside = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, value in inside:
        yield (*way, key)
        if len(way) < 8:
            yield from _ways(value, (*way, key))


def _mistake(draw: st.DrawFn, document: Any, way: tuple[Any, ...]) -> list[str]:
    """Makes one mistake where a way leads; answers with the places that it shows at."""
    *outer, last = way
    parent = document
    for part in outer:
        parent = parent[part]
    act = draw(st.sampled_from(["replace"] * 3 + ["retype", "spoil", "remove", "rename", "add", "repeat"]))
    listed = isinstance(parent, list)
    names = [place(tuple(outer) if listed else way)]
    match act:
        case "replace":
            parent[last] = draw(SCALARS | _deep())
            names = [place(way)]
        case "retype":
            parent[last] = _retyped(draw, parent[last])
            names = [place(way)]
        case "spoil":
            parent[last] = _spoiled(draw, parent[last])
            names = [place(way)]
        case "remove":
            del parent[last]
        case "rename" if not listed:
            name = draw(TEXTS)
            parent[name] = parent.pop(last)
            names.append(place((*outer, name)))
        case "repeat" if listed:
            parent.extend([copy.deepcopy(parent[last])] * draw(st.sampled_from([1, 2, 30, 2000])))
        case _ if listed:
            parent.insert(last, draw(SCALARS | _deep()))
        case _:
            name = draw(TEXTS | st.sampled_from(["route", "type", "resume", "reason", "service", "plan"]))
            parent[name] = draw(SCALARS | _deep())
            names = [place((*outer, name))]
    return names


def _deep() -> st.SearchStrategy[Any]:
    def nested(depth: int, key: str | None) -> Any:
        value: Any = "at the bottom"
        for _ in range(depth):
            value = {key: value} if key is not None else [value]
        return value

    return st.builds(nested, st.sampled_from(DEPTHS), st.sampled_from([None, "", "a", "\ud800"]))


def _retyped(draw: st.DrawFn, value: Any) -> Any:
    """The same, as the wrong kind of thing."""
    others: list[Any] = [[value], {"value": value}, json.dumps(value), bool(value), None]
    if isinstance(value, bool):
        others += [int(value), str(value).lower()]
    elif isinstance(value, int | float):
        others += [f"{value:.0f}" if abs(value) < 10**15 else "many", 0.5, -1.0, 5.0]
    elif isinstance(value, str):
        others += [[*value[:50]], len(value)]
    elif isinstance(value, list):
        others += [dict(enumerate(map(str, range(len(value))))), tuple(value)[:1]]
    elif isinstance(value, dict):
        others += [list(value.items()), list(value)]
    return draw(st.sampled_from(others))


def _spoiled(draw: st.DrawFn, value: Any) -> Any:
    """The same, a little off."""
    if isinstance(value, str):
        bad = draw(
            st.sampled_from(["\ud800", "\udc00", "\n", "\x00", "é", " ", "${x}", "{% $x %}", HUGE, ""])
        )
        at = draw(st.integers(0, len(value)))
        return value[:at] + bad + value[at:]
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        off = [1, -1, 1000] if isinstance(value, int) else [1e-9, 1.0, float("nan")]
        return value + draw(st.sampled_from(off))
    if isinstance(value, list):
        return value * draw(st.sampled_from([0, 2, 25]))
    if isinstance(value, dict):
        return {**value, draw(TEXTS): None}
    return draw(SCALARS)


def place(way: tuple[Any, ...]) -> str:
    """A place as messages name it: `steps[0].weight`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in way).lstrip(".")


def sendable(document: Any) -> bool:
    """Whether it can be sent as JSON at all: what no parser takes never reaches a function."""
    try:
        json.loads(json.dumps(document))
    except (RecursionError, ValueError, TypeError):
        return False
    return True


def written_well(document: Any) -> bool:
    """Whether Step Functions would take it as an input: JSON proper, and at most 256 KiB of it."""
    try:
        return len(json.dumps(document, allow_nan=False)) <= 262_144 and _depth(document) < SHALLOW
    except (RecursionError, ValueError):
        return False


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level and depth < 1000:
        level = [
            each
            for value in level
            for each in (
                value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            )
        ]
        depth += 1
    return depth


def each(
    strategy: st.SearchStrategy[Paper],
    count: int,
    number: int,
    look: Callable[[Paper], None],
    *,
    shrink: bool = True,
) -> None:
    """Looks at so many documents, the same ones for the same number; what fails is shrunk before it is raised."""

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(strategy)
    def drawn(paper: Paper) -> None:
        if sendable(paper.document):
            look(paper)

    drawn()


def names_its_field(words: str, paper: Paper, prefix: str = "") -> bool:
    """Whether the words of a refusal begin with the place of a mistake, or with one around it or inside it."""
    if "" in paper.places or (_depth(paper.document) > SHALLOW and "nested too deeply" in words):
        return ": " in words
    return any(_begins(words, prefix, around) for at in paper.places for around in _around(at))


def _begins(words: str, prefix: str, field: str) -> bool:
    """A name may be shown as it is, or with escapes; a long one is cut."""
    shown = (prefix + field, prefix + ascii(field)[1:-1])
    inside = any(re.match(re.escape(each) + r"([.\[].*?)?: ", words, re.DOTALL) for each in shown)
    return bool(field) and (inside or any(len(each) > 190 and words.startswith(each[:150]) for each in shown))


def _around(at: str) -> Iterator[str]:
    """A place, and every one that it is in."""
    yield at
    for mark in reversed(list(re.finditer(r"[.\[]", at))):
        yield at[: mark.start()]


def decoded(value: Any) -> Any:
    """As a function gets it."""
    return json.loads(json.dumps(value))
