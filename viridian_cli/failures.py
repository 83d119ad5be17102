"""What AWS and the network answer when they won't, as one line that says what to do."""

from collections.abc import Mapping
from typing import Any

from botocore import exceptions
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from viridian import errors
from viridian.aws.clients import DENIED, THROTTLED
from viridian_cli.exits import Exit, Stop

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure")
_NO_URL = "Invalid endpoint: "  # as botocore says it, with a plain ValueError


def told(error: Exception) -> Stop:
    """The line and the code of whatever went wrong."""
    if isinstance(error, Stop):
        return error
    if isinstance(error, errors.Refusal | errors.HandsOff):
        return Stop(str(error))
    if isinstance(error, ClientError):
        return _refused_by_aws(error)
    if isinstance(error, errors.NotPermitted):
        return Stop(f"Not permitted: {error}. Ask for that action, or use other credentials.", Exit.UNKNOWN)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return Stop("No AWS credentials: set AWS_PROFILE, or log in with `aws sso login`.", Exit.UNKNOWN)
    if isinstance(error, SSOError | TokenRetrievalError):
        return Stop(f"No AWS credentials any more: log in with `aws sso login` ({error})", Exit.UNKNOWN)
    if isinstance(error, ProfileNotFound):
        return Stop(
            f"{error}: set AWS_PROFILE to one that `aws configure list-profiles` shows.", Exit.UNKNOWN
        )
    if isinstance(error, NoRegionError):
        return Stop("No Region: set AWS_REGION to the one where Viridian's stack is.", Exit.UNKNOWN)
    if isinstance(error, HTTPClientError | exceptions.ConnectionError):
        return Stop(
            f"AWS can't be reached: {_line(error)}. See to the network, then try again.", Exit.UNKNOWN
        )
    if isinstance(error, BotoCoreError):
        return Stop(f"AWS's library says: {_line(error)}", Exit.UNKNOWN)
    if isinstance(error, ResponseParserError):
        what = f"What answers isn't AWS ({_line(error)[:80]})"
        return Stop(f"{what}: see to what is in between, and to AWS_ENDPOINT_URL.", Exit.UNKNOWN)
    if isinstance(error, ValueError) and str(error).startswith(_NO_URL):
        return Stop(f"{error}: set AWS_ENDPOINT_URL to a URL, or to nothing.", Exit.UNKNOWN)
    line = f"This should not have happened: {type(error).__name__}: {_line(error)}"
    return Stop(f"{line} (VIRIDIAN_DEBUG=1 shows where)", Exit.UNKNOWN)


def cause(execution: Mapping[str, Any]) -> str:
    """Why an execution has failed; that it was refused, its error says."""
    return str(execution.get("cause") or "").removeprefix("Refusal: ")


def passes(error: Exception) -> bool:
    """Whether the same question may be answered a moment later: the network, AWS's own trouble, or too many questions."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or error.response.get("Error", {}).get("Code") in THROTTLED
    return isinstance(error, HTTPClientError | exceptions.ConnectionError | ResponseParserError)


def _refused_by_aws(error: ClientError) -> Stop:
    told_ = error.response.get("Error", {})
    code, words = told_.get("Code", "Unknown"), _line(told_.get("Message", ""))
    if code in DENIED:
        return Stop(f"Not permitted: {error.operation_name}. {words}".rstrip(), Exit.UNKNOWN)
    if code in _EXPIRED:
        return Stop("The AWS credentials have expired: log in again (`aws sso login`).", Exit.UNKNOWN)
    if code in _UNKNOWN:
        return Stop(
            "AWS doesn't know these credentials: see what `aws sts get-caller-identity` says.", Exit.UNKNOWN
        )
    return Stop(f"AWS did not do {error.operation_name}: {code}: {words}", Exit.UNKNOWN)


def _line(what: object) -> str:
    return " ".join(str(what).split())
