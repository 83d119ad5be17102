"""Function URLs: what a person says, signed with their own credentials."""

import json
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import URLLib3Session

from viridian_cli.aws import answers
from viridian_cli.exits import Exit, Stop


def post(url: str, region: str, document: dict[str, Any]) -> Any:
    """The JSON that the function behind a URL answers. Raises Stop with its words where it says no."""
    session = boto3.DEFAULT_SESSION or boto3.Session()  # the one that every client here is of
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    request = AWSRequest(
        method="POST",
        url=url,
        headers={"content-type": "application/json"},
        data=json.dumps(document).encode(),
    )
    SigV4Auth(credentials, "lambda", region).add_auth(request)
    answer = URLLib3Session(timeout=30).send(request.prepare())
    answers.ensure_aws(answer.status_code, answer.content)
    told = _told(answer.text)
    if answer.status_code == 200:
        return told
    if answer.status_code == 403 and isinstance(told, dict) and told.get("Message") == "Forbidden":
        raise Stop(
            "Not permitted: lambda:InvokeFunctionUrl and lambda:InvokeFunction on the function behind this. "
            "Ask for them (docs/gates.md), or use other credentials.",
            Exit.UNKNOWN,
        )
    line = str(told.get("message", told) if isinstance(told, dict) else told)
    raise Stop(line, Exit.REFUSED if answer.status_code < 500 else Exit.UNKNOWN)


def _told(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
