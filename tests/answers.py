"""Hands a client of this process what moto answers, instead of writing that as XML or JSON for the client to read again.

Each shape of an answer becomes a function, made once, from moto's objects to what botocore would have read of them.
"""

import base64
import weakref
from collections.abc import Callable
from enum import Enum
from typing import Any, NoReturn

from botocore import parsers
from moto.core.responses import ActionContext, ActionResult
from moto.core.serialize import (
    AttributePickerContext,
    EC2Serializer,
    JSONSerializer,
    QuerySerializer,
    ResponseSerializer,
    XFormedAttributePicker,
)
from moto.core.utils import get_value

Read = Callable[[Any], Any]
ABSENT = object()
TOLD = "told"  # the header that takes what was read to the client's parser
# What a model may say of a shape without any need to read it otherwise.
PLAIN = {
    "name",
    "queryName",
    "locationNameForQueryCompatibility",
    "flattened",
    "resultWrapper",
    "timestampFormat",
}

execute = ActionResult.execute_result
_readers: weakref.WeakKeyDictionary[Any, "Reader | None"] = weakref.WeakKeyDictionary()


class Unreadable(Exception):
    """An answer with a shape that is left to moto and botocore: none of our services gives one."""


class Reader:
    """What a client reads of an operation's answers in XML; what isn't there is None."""

    def __init__(self, serializer: ResponseSerializer) -> None:
        self._serializer = serializer
        shape: Any = serializer.operation_model.output_shape
        self.read = self._of(shape, f"{serializer.operation_name}.{shape.name}") if shape else lambda _: None

    def answer(self, result: Any) -> dict[str, Any]:
        """moto puts the header's id into an answer in XML, but not into EC2's."""
        ec2 = isinstance(self._serializer, EC2Serializer)
        return {**(self.read(result) or {}), "ResponseMetadata": {"RequestId": "request-id"} if ec2 else {}}

    def _of(self, shape: Any, path: str) -> Read:
        made: Callable[[Any, str], Read] | None = getattr(self, f"_{shape.type_name}", None)
        odd = any(getattr(shape, each, False) for each in ("is_tagged_union", "is_document_type"))
        return _unread if made is None or odd or shape.serialization.keys() - PLAIN else made(shape, path)

    def _structure(self, shape: Any, path: str) -> Read:
        known: dict[type, list[Any]] = {}

        def read(value: Any) -> dict[str, Any] | None:
            if value is None:
                return None
            if type(value) not in known:  # not before a value is there: some shapes hold themselves
                known[type(value)] = [self._member(value, shape, key, path) for key in shape.members]
            told = {}
            for key, names, get, transform, read_member in known[type(value)]:
                found = None
                for name in names:
                    if (there := get(value, name, ABSENT)) is not ABSENT:
                        found = there
                        break
                if transform:
                    found = transform(found)
                if found is not None and (member := read_member(found)) is not None:
                    told[key] = member
            return told

        return read

    def _member(self, value: Any, shape: Any, key: str, path: str) -> tuple[Any, ...]:
        """The names that values of this type may have a member under, what gets it, and what is made of it then."""
        member, picker, model = (
            shape.members[key],
            self._serializer._value_picker,
            self._serializer.operation_model,
        )
        member.parent, path_there = shape, f"{path}.{key}"
        context = AttributePickerContext(value, key, member, model, model.service_model, path)
        names = list(picker.get_possible_keys(context))
        get: Any = get_value
        if not any("." in name for name in names):
            get = dict.get if type(value) is dict else get_value if hasattr(value, "__getitem__") else getattr
        transformers = picker.response_transformers.items()
        transform = next((each for end, each in transformers if path_there.endswith(end)), None)
        return key, names, get, transform, self._of(member, path_there)

    def _list(self, shape: Any, path: str) -> Read:
        read = self._of(shape.member, f"{path}.{shape.member.name}")

        def read_all(value: Any) -> list[Any] | None:
            told = [each for each in map(read, value) if each is not None and each != {}]
            return told if told or not shape.is_flattened else None

        return read_all if shape.member.type_name != "map" else _unread

    def _map(self, shape: Any, path: str) -> Read:
        key, read = self._of(shape.key, f"{path}.key"), self._of(shape.value, f"{path}.value")
        read_all = lambda value: {key(name): read(each) for name, each in value.items() if each is not None}  # noqa: E731
        return read_all if not shape.is_flattened else _unread

    def _string(self, *_: Any) -> Read:
        return lambda value: str(value).replace("\r\n", "\n").replace("\r", "\n")

    def _boolean(self, *_: Any) -> Read:
        return lambda value: value is True or str(value).lower() == "true"

    def _integer(self, *_: Any) -> Read:
        return int

    def _float(self, *_: Any) -> Read:
        return float

    def _timestamp(self, shape: Any, path: str) -> Read:
        def read(value: Any) -> Any:
            written: dict[str, Any] = {}
            self._serializer._timestamp_serializer.serialize(written, value, shape, path)
            return parsers.DEFAULT_TIMESTAMP_PARSER(written[path])

        return read

    def _blob(self, *_: Any) -> Read:
        return lambda value: base64.b64decode(self._serializer._base64(value))

    _long, _double = _integer, _float


class JsonReader(Reader):
    """The same in JSON."""

    def _list(self, shape: Any, path: str) -> Read:
        read = self._of(shape.member, f"{path}.{shape.member.name}")
        return (lambda value: list(map(read, value))) if "name" not in shape.member.serialization else _unread

    def _map(self, shape: Any, path: str) -> Read:
        read = self._of(shape.value, f"{path}.value")
        read_all = lambda value: {str(key): read(each) for key, each in value.items()}  # noqa: E731
        return read_all if "name" not in shape.value.serialization else _unread

    def _string(self, *_: Any) -> Read:
        def read(value: Any) -> Any:
            value = value.value if isinstance(value, Enum) else value
            return value if value in (None, {}, []) else str(value)

        return read

    def _boolean(self, *_: Any) -> Read:
        return lambda value: value


READERS = {QuerySerializer: Reader, EC2Serializer: Reader, JSONSerializer: JsonReader}


def _unread(_: Any) -> NoReturn:
    raise Unreadable


def told(result: ActionResult, context: ActionContext) -> Any:
    """In the place of `execute`, where it is a client of this process that asked; errors are left to moto."""
    model, kind = context.operation_model, context.serializer_class
    if context.response.is_werkzeug_request or isinstance(result.result, Exception):
        return execute(result, context)
    if model not in _readers:
        transformers = getattr(context.response, "RESPONSE_KEY_PATH_TO_TRANSFORMER", None)
        serializer = kind(model, value_picker=XFormedAttributePicker(response_transformers=transformers))
        _readers[model] = READERS[kind](serializer) if kind in READERS else None
    reader = _readers[model]
    try:
        if reader is not None:
            return model.http.get("responseCode", 200), {TOLD: reader.answer(result.result)}, ""
    except Unreadable:
        _readers[model] = None
    return execute(result, context)


def hearing(kind: type[parsers.ResponseParser]) -> Callable[..., Any]:
    """The `_do_parse` of this kind of parser, which takes what it was told, if anything."""
    parse = vars(kind)["_do_parse"]

    def _do_parse(parser: Any, response: dict[str, Any], shape: Any) -> Any:
        answer = response["headers"].pop(TOLD, None)
        if answer is None:
            return parse(parser, response, shape)
        answer["ResponseMetadata"].setdefault("RequestId", response["headers"]["x-amzn-requestid"])
        return answer

    return _do_parse
