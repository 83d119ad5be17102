"""Function URLs: what a person says, signed with their own credentials."""

import json
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import URLLib3Session

from viridian.errors import Refusal
from viridian_cli.aws import answers
from viridian_cli.exits import Exit, Stop

_FORBIDDEN = 403  # AWS's own no, as JSON, before any function is asked; ours is in words
_NOT_POSTED = 400  # our functions' to anything but a POST


def post(url: str, region: str, document: dict[str, Any]) -> Any:
    """The JSON that the function behind a URL answers. Raises Stop with its words where it says no."""
    answer = _send("POST", url, region, json.dumps(document).encode())
    told = _told(answer.text)
    if answer.status_code == 200:
        return told
    line = str(told.get("message", told) if isinstance(told, dict) else told)
    raise Stop(line, Exit.REFUSED if answer.status_code < 500 else Exit.UNKNOWN)


def ensure_signed(url: str, region: str) -> str:
    """Refuses a URL with no function of ours behind it, or that lets in whoever doesn't sign. It says nothing to that."""
    fix = "Deploy the stack again."
    if (shown := _send("GET", url).status_code) != _FORBIDDEN:
        raise Refusal("url", f"{url} answers {shown} to whoever doesn't sign, not {_FORBIDDEN}", fix)
    if (shown := _send("GET", url, region).status_code) != _NOT_POSTED:
        raise Refusal("url", f"{url} answers {shown}, not {_NOT_POSTED}, when it is only looked at", fix)
    return f"{url} is there, for those who sign"


def _send(method: str, url: str, region: str | None = None, data: bytes = b"") -> AWSResponse:
    """Signed for a Region, or not at all; Stop where who signs is not let in."""
    request = AWSRequest(method=method, url=url, headers={"content-type": "application/json"}, data=data)
    if region is not None:
        session = boto3.DEFAULT_SESSION or boto3.Session()  # the one that every client here is of
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        SigV4Auth(credentials, "lambda", region).add_auth(request)
    answer = URLLib3Session(timeout=30).send(request.prepare())
    answers.ensure_aws(answer.status_code, answer.content)
    told = _told(answer.text)
    if region is not None and answer.status_code == _FORBIDDEN and isinstance(told, dict):
        raise Stop(
            "Not permitted: lambda:InvokeFunctionUrl and lambda:InvokeFunction on the function behind this. "
            "Ask for them (docs/gates.md), or use other credentials.",
            Exit.UNKNOWN,
        )
    return answer


def _told(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
