"""The command as people run it, against a world in virtual time."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from viridian_cli.app import main


@dataclass(frozen=True)
class Ran:
    """What a command printed, and the code it ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command:
    """Types `viridian ...`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Ran:
        self._capsys.readouterr()
        code = main(list(words))
        out, err = self._capsys.readouterr()
        return Ran(code, out, err)


@pytest.fixture
def viridian(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """What it leaves in the environment of a process that would have ended is taken out again."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setattr("viridian_cli.aws.clock._ahead", timedelta())
    before = dict(os.environ)
    yield Command(capsys)
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
