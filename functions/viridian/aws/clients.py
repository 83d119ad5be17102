"""boto3 clients: those that read and may ask again, those that write and send once, those that ask once and briefly.

What AWS refused for want of rate was not carried out: that alone is sent again, and only while the fence still holds.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from viridian.errors import NotKnown, NotPermitted

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "PriorRequestNotComplete",  # Route 53's, for one hosted zone
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
_SENDINGS = 3


def _config(attempts: int, connects_in: int = 2, answers_in: int = 5) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=connects_in,
        read_timeout=answers_in,
        user_agent_extra="viridian",
    )


_READ = _config(4)
# A request that boto3 sends again on its own would slip past the fence (aws-facts S15), and may have been carried out.
_WRITE = _config(1)
# For what a plan can do without: it may not wait for it.
_BRIEF = _config(1, connects_in=1, answers_in=2)
_REGIONS = {"pricing": "us-east-1"}  # the Price List has no endpoint in most Regions


_client: Any = boto3.client  # its overloads list every service by name; here the name is a variable


@cache
def reader(service: str) -> Any:
    """The client that reads from one service."""
    return _client(service, config=_READ)


@cache
def brief(service: str) -> Any:
    """The client that asks one service once, and gives up soon."""
    return _client(service, config=_BRIEF, region_name=_REGIONS.get(service))


@contextmanager
def spared() -> Iterator[None]:
    """Whatever AWS doesn't answer in here is not known, which stops nothing."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"].get("Code", "Unknown")
        raise NotKnown(f"{error.operation_name}: {code}") from error
    except BotoCoreError as error:
        raise NotKnown(str(error)) from error


def ensure_permitted(error: ClientError) -> None:
    """Raises NotPermitted with the name of the call, if AWS did not allow it."""
    told = error.response["Error"]
    if told.get("Code") in DENIED:
        raise NotPermitted(f"{error.operation_name}: {told.get('Message', told['Code'])}") from error


@cache
def writer(service: str, answers_in: int = 5) -> Any:
    """The client that changes things in one service, which answers within so many seconds."""
    client = _client(service, config=_WRITE.merge(Config(read_timeout=answers_in)))
    named = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(f"needs-retry.{named}", _send_again)
    return client


@contextmanager
def fenced(check: Callable[[], None]) -> Iterator[None]:
    """While this stands, a throttled request is sent again, at most twice, each time after `check` has passed."""
    token = _fence.set(check)
    try:
        yield
    finally:
        _fence.reset(token)


_fence: ContextVar[Callable[[], None] | None] = ContextVar("fence", default=None)


def _send_again(attempts: int, response: tuple[Any, dict[str, Any]] | None, **_: Any) -> float | None:
    """botocore's question whether a request goes out once more: no seconds from now, or None for never."""
    check = _fence.get()
    code = response[1].get("Error", {}).get("Code") if response else None
    if check is None or code not in THROTTLED or attempts >= _SENDINGS:
        return None
    time.sleep(2**attempts / 10)
    check()
    return 0.0
