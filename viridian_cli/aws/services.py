"""Parameter Store: which services are registered."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
from botocore.exceptions import ClientError

from viridian import request
from viridian.aws import clients, profiles
from viridian.errors import Refusal
from viridian_cli import failures
from viridian_cli.exits import Stop


class _Routed(msgspec.Struct, frozen=True):
    """Of a profile what must be right when it burns."""

    route: Annotated[str, msgspec.Meta(pattern=request.ROUTE)]


def names() -> list[str]:
    """Every registered service."""
    prefix = os.environ["SERVICES_PREFIX"]
    pages = clients.reader("ssm").get_paginator("get_parameters_by_path").paginate(Path=prefix)
    return sorted(
        parameter["Name"].removeprefix(f"{prefix}/") for page in pages for parameter in page["Parameters"]
    )


def route(service: str) -> str:
    """A service's route, whatever else is wrong with its profile; a Refusal if that hasn't one."""
    return request.parse_as(profiles.find(service)[0], _Routed).route


@contextmanager
def or_named() -> Iterator[None]:
    """In here a route is looked up; what is in the way of that is told with the way to do without."""
    try:
        yield
    except Exception as error:
        if not (isinstance(error, Refusal | Stop | ClientError) or failures.passes(error)):
            raise
        stop = failures.told(error)
        raise Stop(f"{stop} Or name the route itself, with --route.", stop.exit) from None
