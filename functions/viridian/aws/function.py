"""Lambda: the edge of every function. It reads the message, names what AWS answered, logs once, and replies."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, TypeVar

import msgspec
from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from viridian.aws import clients
from viridian.errors import Busy, Refusal

logger = Logger()

_BUSY = {
    *clients.THROTTLED,
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "TransactionConflictException",
    "RequestTimeout",
    "ResourceContention",
    # Another try of the same step was quicker (aws-facts A12): looked for again, what it made is found, if it is ours.
    "AlreadyExists",
    "DuplicateTargetGroupName",
    "InvalidAMIName.Duplicate",
    "PriorityInUse",
    "ScalingActivityInProgress",
    "ServiceUnavailable",
    "Unavailable",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
}

# The plan is in the ledger; an approval is answered by its id.
_NOT_LOGGED = ("approval", "plan", "service")

Ask = TypeVar("Ask", bound=msgspec.Struct)
Answer = TypeVar("Answer", bound=msgspec.Struct)


def handler(kind: type[Ask]) -> Callable[[Callable[[Ask], Answer]], Callable[[Any, Any], dict[str, Any]]]:
    """Makes a Lambda handler of a function from one message to another."""

    def decorate(act: Callable[[Ask], Answer]) -> Callable[[Any, Any], dict[str, Any]]:
        @wraps(act)
        def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
            ask = _read(event, kind)
            told = _told(ask)
            logger.set_correlation_id(getattr(context, "aws_request_id", None))
            with logger.append_context_keys(**told):
                try:
                    answer = act(ask)
                except (ClientError, BotoCoreError) as error:
                    logger.warning("AWS refused", error=str(error))
                    _raise_named(error)
                except (AttributeError, LookupError, TypeError) as error:
                    logger.exception("unreadable")
                    raise Busy(f"an answer could not be read: {type(error).__name__}: {error}") from error
                except Exception as error:
                    logger.warning(type(error).__name__, reason=str(error))
                    raise
                reply: dict[str, Any] = msgspec.to_builtins(answer)
                logger.info(
                    type(answer).__name__,
                    **{key: value for key, value in reply.items() if key not in _NOT_LOGGED},
                )
                return reply

        return lambda_handler

    return decorate


def _read(event: Any, kind: type[Ask]) -> Ask:
    try:
        return msgspec.convert(event, kind)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise Refusal("message", str(error), f"Send what {kind.__name__} asks for.") from None


def _told(ask: Any) -> dict[str, Any]:
    """What every line of the log carries: the release above all."""
    about = ask if hasattr(ask, "release") else getattr(ask, "plan", ask)
    found = {name: getattr(about, name, None) for name in ("release", "epoch", "step")}
    return {name: value for name, value in found.items() if value is not None}


def _raise_named(error: ClientError | BotoCoreError) -> NoReturn:
    """botocore names many errors `ClientError`; Step Functions can only catch by class name."""
    if isinstance(error, HTTPClientError | NoConnection):
        raise Busy(f"no answer from AWS: {error}") from error
    if not isinstance(error, ClientError):
        raise error
    code, action = error.response["Error"].get("Code", "Unknown"), error.operation_name
    if code in _BUSY or error.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500:
        raise Busy(f"{action}: {code}") from error
    clients.ensure_permitted(error)
    raise error
