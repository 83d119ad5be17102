"""Answers of another shape: pages with one entry each, and what green says to its smoke tests."""

from collections.abc import Callable, Mapping
from socket import socket
from typing import Any, cast
from unittest.mock import patch

from botocore.client import BaseClient

from tests.faults.kinds import kind
from tests.faults.place import Place
from tests.faults.points import Fault
from tests.web import Answer, Web, cuts, drips, hangs, in_turn, says, serving

NAMING = ("Arns", "ARNs", "Names", "Ids", "Versions")


@kind("paged")
def paged(world: Place, fault: Fault) -> None:
    """Whatever AWS lists comes args size entries at a time; what is asked for by name comes whole, as on AWS."""
    asking, size = BaseClient._make_api_call, int(fault.args.get("size", 1))  # type: ignore[attr-defined]

    def ask(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        page = _pages(client, operation)
        if page is None or not world.injector._ours() or _names(arguments):
            return asking(client, operation, arguments)
        if client.meta.service_model.service_name == "dynamodb":
            return asking(client, operation, {**arguments, "Limit": size})
        begin = int(arguments.get(page["input_token"]) or 0)
        rest = {name: value for name, value in arguments.items() if name != page["input_token"]}
        return _cut(asking(client, operation, rest), page, begin, size, lambda: world.fired(fault))

    world.injector._hooks.enter_context(patch.object(BaseClient, "_make_api_call", ask))


def _pages(client: Any, operation: str) -> Mapping[str, Any] | None:
    """How this operation is paged, by botocore's own model."""
    method = next((name for name, each in client._PY_TO_OP_NAME.items() if each == operation), "")
    if not method or not client.can_paginate(method):
        return None
    page: Mapping[str, Any] = client._cache["page_config"][operation]
    return page if isinstance(page["input_token"], str) else None


def _names(arguments: Mapping[str, Any]) -> bool:
    return any(name.endswith(NAMING) and value for name, value in arguments.items())


def _cut(
    answer: dict[str, Any], page: Mapping[str, Any], begin: int, size: int, paging: Callable[[], None]
) -> dict[str, Any]:
    """One page of a whole answer; the lists of an operation with several are cut one after the other."""
    keys = [page["result_key"]] if isinstance(page["result_key"], str) else list(page["result_key"])
    left, total = begin, 0
    taken = size
    for key in keys:
        entries = answer.get(key, [])
        total += len(entries)
        answer[key] = entries[left : left + taken]
        taken -= len(answer[key])
        left = max(0, left - len(entries))
    answer.pop(page["output_token"], None)
    if begin + size < total:
        paging()
        answer[page["output_token"]] = str(begin + size)
    return answer


def _floods(connection: socket) -> None:
    """A gigabyte, if anybody wants it."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\nConnection: close\r\n\r\n")
    for _ in range(1024):
        connection.sendall(b"x" * 1_048_576)


def _answers(how: str) -> Answer:
    sick, well = says(b"no", "500 Internal Server Error"), says(b"ok")
    every: Mapping[str, Callable[[], Answer]] = {
        "500": lambda: sick,
        "hang": lambda: hangs,
        "cut": lambda: cuts,
        "redirect": lambda: says(b"", "302 Found", "Location: http://169.254.169.254/latest/meta-data/"),
        "flood": lambda: _floods,
        "drip": lambda: drips(b"x" * 1000, 0.2),
        "garbage": lambda: lambda connection: connection.sendall(b"\x00\xff not http\r\n\r\n"),
        "flaky": lambda: in_turn(*([sick] * 4), *([well] * 100)),
        "once": lambda: in_turn(well, well, sick, *([well] * 100)),
        "slow": lambda: well,
        "old": lambda: says(b'{"status": "ok", "version": "1.0.0"}'),
        "new": lambda: says(b'{"status": "ok", "version": "2.0.0"}'),
        "packed": lambda: says(b"\x1f\x8b\x08", "200 OK", "Content-Encoding: gzip"),
        "deep": lambda: says(b"[" * 60_000),
    }
    return every[how]()


@kind("smoke")
def smoke(world: Place, fault: Fault) -> None:
    """Green answers its smoke tests with args how."""
    how, clock = str(fault.args["how"]), cast(Any, world.cloud.clock)
    web, answer = Web(), _answers(how)

    def told(connection: socket) -> None:
        world.fired(fault)
        if how == "slow":
            clock._now_ns += (
                800_000_000  # whoever asks waits here, and in virtual time nobody else is at work
            )
        answer(connection)

    web.answers["/"] = told
    world.injector._hooks.enter_context(serving(web))
