"""What comes back over the wire, before anything is read in it: whether it is AWS that answers, and what time it has."""

from contextlib import suppress
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParserError

from viridian_cli.aws import clock


def listen() -> None:
    """From now on every answer is heard that a client of the default session gets, if it is made after this."""
    if boto3.DEFAULT_SESSION is None:
        with suppress(BotoCoreError):  # whoever asks for a client is told so
            boto3.setup_default_session()
    if boto3.DEFAULT_SESSION is not None:
        boto3.DEFAULT_SESSION.events.register("before-parse", _heard, unique_id="viridian")


def ensure_aws(status: int, body: Any) -> None:
    """Raises ResponseParserError where a page answers: a proxy, or a portal that wants a login.

    botocore would read one that happens to be XML, too. AWS's own front ends have pages for failures of theirs.
    """
    page = isinstance(body, bytes) and body[:200].lstrip().lower().startswith((b"<html", b"<!doctype html"))
    if page and status < 500:
        raise ResponseParserError(f"a page, with status {status}")


def _heard(response_dict: dict[str, Any], **_: Any) -> None:
    ensure_aws(response_dict["status_code"], response_dict["body"])
    clock.hear(response_dict["headers"].get("date"))
