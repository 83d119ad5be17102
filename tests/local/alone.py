"""What one part of the local cloud is tried with alone: moto made strict, a person's clients, a clock to be turned."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from moto import mock_aws

from local import strict
from local.control.session import client
from local.reality import Reality
from tests.speed import fast

Event = tuple[str, str, dict[str, Any], list[str]]  # what EventBridge hears: source, type, detail, resources
START = 1_800_000_000.0 // 60 * 60


def sample(stem: str) -> Any:
    """A document as AWS publishes it."""
    return json.loads((Path(__file__).parents[2] / "events" / f"{stem}.json").read_text())


class Clock:
    """It shows what a test sets."""

    def __init__(self, time: float = START) -> None:
        self.time = time

    def now(self) -> float:
        return self.time


class World(SimpleNamespace):
    """Whatever a test puts into it, and the way to AWS."""

    clock: Clock

    def client(self, service: str) -> Any:
        return client(service)


@contextmanager
def standing(*parts: Any) -> Iterator[None]:
    """moto, refusing what AWS refuses, with these parts at work."""
    with ExitStack() as undo:
        undo.enter_context(fast())
        undo.enter_context(mock_aws())
        strict.install(Reality())
        undo.callback(strict.uninstall)
        for part in parts:
            part.install()
            undo.callback(part.uninstall)
        yield
