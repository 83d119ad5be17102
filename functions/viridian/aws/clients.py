"""boto3 clients, two kinds: those that read and may ask again, those that write and send once."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

_READ = Config(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=2,
    read_timeout=5,
    user_agent_extra="viridian",
)
# A request that boto3 sends again on its own would slip past the fence (aws-facts S15): Step Functions retries instead.
_WRITE = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=2,
    read_timeout=5,
    user_agent_extra="viridian",
)


_client: Any = boto3.client  # its overloads list every service by name; here the name is a variable


@cache
def reader(service: str) -> Any:
    """The client that reads from one service."""
    return _client(service, config=_READ)


@cache
def writer(service: str) -> Any:
    """The client that changes things in one service."""
    return _client(service, config=_WRITE)
