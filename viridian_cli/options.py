"""The options that mean the same in every command."""

import re
from typing import Annotated

import msgspec
import typer

from viridian import request
from viridian_cli import completion
from viridian_cli.exits import Stop


def _service(name: str) -> str:
    if not name:
        raise Stop("service: missing. Name one that `viridian services` lists.")
    return name


def _reason(why: str) -> str:
    if not why.strip():
        raise Stop("reason: empty. Say why: it is kept with the release, and told to people.")
    return why


def _full_reason(why: str) -> str:
    try:
        return msgspec.convert(why, request.Reason)
    except msgspec.ValidationError:
        raise Stop(f"reason: {why or 'empty'}. {request.FIXES['reason']}") from None


def _route(arn: str) -> str:
    if arn and not re.search(request.ROUTE, arn):
        raise Stop(f"route: {arn}. {request.FIXES['route']}")
    return arn


Service = Annotated[
    str,
    typer.Argument(
        help="The service, as it is registered.", autocompletion=completion.services, callback=_service
    ),
]
Release = Annotated[
    str,
    typer.Argument(
        help="The release's id or its version; the one that runs, or ran last, if left out.",
        autocompletion=completion.releases_,
    ),
]
Reason = Annotated[
    str,
    typer.Option(
        "--reason", "-m", help="Why; it is kept with the release, and told to people.", callback=_reason
    ),
]
FullReason = Annotated[
    str,
    typer.Option(
        "--reason",
        "-m",
        help="Why, in ten characters or more; it is kept with the release.",
        callback=_full_reason,
    ),
]
Route = Annotated[
    str, typer.Option(help="The route itself, if the service's profile can't be read.", callback=_route)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait", help="Stay until it is over: 0 promoted, 1 rolled back, 2 held, 3 refused, 4 can't tell."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask first.")]
