"""The door at which people speak to a release: a function's URL, asked with the person's own AWS credentials."""

from base64 import b64decode
from typing import TypeVar

import msgspec

from viridian import request
from viridian.errors import Refusal
from viridian.request import Document

T = TypeVar("T", bound=Document)


class Replied(msgspec.Struct, frozen=True, kw_only=True):
    """What a person hears back, with the HTTP status."""

    status: int
    words: str


def read(method: str, body: str, kind: type[T], *, encoded: bool = False) -> T:
    """What a person says in a request, or a Refusal that names the field, its value and the fix.

    A look at the address says nothing: what reads mail for people follows links.
    """
    fields = ", ".join(kind.__struct_fields__)
    if method != "POST":
        raise Refusal("method", method, f"Use POST, with a JSON object of {fields}.")
    try:
        document = msgspec.json.decode(b64decode(body) if encoded else body)
    except (msgspec.DecodeError, ValueError):
        raise Refusal("body", body, f"Use a JSON object with {fields}.") from None
    return request.parse_as(document, kind)
