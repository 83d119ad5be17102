"""Lambda: asking a function of the service's own."""

import json
from typing import Any

from botocore.exceptions import ReadTimeoutError

from viridian.aws import clients, ledger
from viridian.fence import Fence

_ANSWERS_IN = 45  # seconds; one that needs longer says that it is at work, and is asked again


def ask(arn: str, letter: dict[str, Any], fence: Fence) -> tuple[Any, str]:
    """What a function answers, and the error it ended with, if it did; one that is too slow is not asked twice at once."""
    try:
        with ledger.mutation(fence, "Invoke", arn) as entry:
            told = clients.writer("lambda", answers_in=_ANSWERS_IN).invoke(
                FunctionName=arn, Payload=json.dumps(letter, default=str)
            )
            answer = json.loads(told["Payload"].read() or b"null")
            failed = "FunctionError" in told
            entry.shown = told.get("FunctionError", "")
    except ReadTimeoutError:
        return None, f"it did not answer within {_ANSWERS_IN} s"
    return answer, _error(answer) if failed else ""


def tags(arn: str) -> dict[str, str] | None:
    """The tags of a function; None if there is none."""
    client = clients.reader("lambda")
    try:
        return dict(
            client.list_tags(Resource=":".join(arn.split(":")[:7]))["Tags"]
        )  # not of an alias or version
    except client.exceptions.ResourceNotFoundException:
        return None


def _error(answer: Any) -> str:
    told = answer if isinstance(answer, dict) else {}
    return f"{told.get('errorType', 'it failed')}: {told.get('errorMessage', '')}".rstrip(": ")
