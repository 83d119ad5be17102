"""The door at which people speak to a release: a function's URL, asked with the person's own AWS credentials."""

from base64 import b64decode
from collections.abc import Callable
from typing import TypeVar

import msgspec

from viridian import request
from viridian.errors import Busy, Refusal
from viridian.request import Document

T = TypeVar("T", bound=Document)


class Replied(msgspec.Struct, frozen=True, kw_only=True):
    """What a person hears back, with the HTTP status."""

    status: int
    words: str


def answer(
    method: str, body: str, kind: type[T], take: Callable[[T], Replied], *, encoded: bool = False
) -> Replied:
    """What a person hears of what they say: what `take` makes of it, or in one line why it was not taken."""
    try:
        return take(read(method, body, kind, encoded=encoded))
    except Refusal as refusal:
        return Replied(status=400, words=str(refusal))
    except Busy as busy:
        return Replied(status=503, words=f"{busy}. Say it again: what is said twice counts once.")


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
