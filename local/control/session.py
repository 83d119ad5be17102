"""boto3 for the cloud's one account, made once a process: reading botocore's models is what takes the time."""

import functools
from typing import Any

import boto3
from botocore.config import Config

ACCOUNT, REGION = "123456789012", "us-east-1"


@functools.lru_cache(maxsize=1)
def session() -> boto3.Session:
    """It knows no real account: while the cloud is up, boto3's default session is this one."""
    return boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)


@functools.cache
def client(service: str) -> Any:
    return session().client(service)  # type: ignore[call-overload]


@functools.cache
def unchecked(service: str, region: str) -> Any:
    """As Step Functions calls a service: parameters aren't checked here, and nothing is sent twice."""
    once = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    return session().client(service, region_name=region, config=once)  # type: ignore[call-overload]
