"""What a handler sees of this process: its function's environment, its own time and time-out, its own stdout."""

import contextlib
import io
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from local.clocks.clock import Clock

real_monotonic = time.monotonic

_environment: ContextVar[dict[str, str] | None] = ContextVar("environment", default=None)
_printed: ContextVar[io.StringIO | None] = ContextVar("printed", default=None)
_budget: ContextVar["Budget | None"] = ContextVar("budget", default=None)


class FunctionTimedOut(BaseException):
    """Ends a handler where it sleeps, as Lambda's own time-out does; not an Exception: no handler eats it."""


@dataclass
class Budget:
    """A handler's time: its sleeps count in cloud seconds, its work in real ones (it isn't any faster here)."""

    seconds: float
    slept: float = 0.0
    slept_wall: float = 0.0
    began: float = field(default_factory=real_monotonic)

    def left(self) -> float:
        worked = real_monotonic() - self.began - self.slept_wall
        return self.seconds - self.slept - worked


def install(hooks: contextlib.ExitStack, clock: Clock) -> None:
    """Puts the layers in place; outside a handler everything is as it was."""
    hooks.enter_context(patch.object(os, "environ", _Environ(os.environ)))
    hooks.callback(_print_again)
    hooks.enter_context(patch.object(time, "sleep", _within_budget(time.sleep, clock)))
    if math.isinf(clock.speed):
        hooks.enter_context(patch.object(time, "monotonic", _monotonic(clock)))


@contextlib.contextmanager
def inside(variables: dict[str, str], budget: Budget) -> Iterator[io.StringIO]:
    """A handler runs in here; what it prints is in what is given."""
    printed = io.StringIO()
    _listen()
    with _bound(_environment, variables), _bound(_printed, printed), _bound(_budget, budget):
        yield printed


def forget(root: Path) -> None:
    """Takes a function's code out of the process, so that the next cloud can load another."""
    if str(root) in sys.path:
        sys.path.remove(str(root))
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(f"{root}{os.sep}"):
            del sys.modules[name]


@contextlib.contextmanager
def _bound(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def _within_budget(sleep: Callable[[float], None], clock: Clock) -> Callable[[float], None]:
    def bounded(seconds: float) -> None:
        budget = _budget.get()
        if budget is None:
            return sleep(seconds)
        allowed, before, wall = min(seconds, max(0.0, budget.left())), clock.now(), real_monotonic()
        sleep(allowed)
        budget.slept += clock.now() - before
        budget.slept_wall += real_monotonic() - wall
        if allowed < seconds:
            raise FunctionTimedOut
        return None

    return bounded


def _monotonic(clock: Clock) -> Callable[[], float]:
    """Where time jumps, a handler that measures how long it waited must see the jump."""
    return lambda: real_monotonic() if _budget.get() is None else clock.now()


class _Environ(MutableMapping[str, str]):
    """os.environ, with the function's variables on top inside an invocation."""

    def __init__(self, real: MutableMapping[str, str]) -> None:
        self._real = real

    def _layer(self) -> dict[str, str]:
        return _environment.get() or {}

    def __getitem__(self, key: str) -> str:
        layer = self._layer()
        return layer[key] if key in layer else self._real[key]

    def __setitem__(self, key: str, value: str) -> None:
        layer = _environment.get()
        if layer is None:
            self._real[key] = value
        else:
            layer[key] = value

    def __delitem__(self, key: str) -> None:
        if key in self._layer():
            del self._layer()[key]
        else:
            del self._real[key]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._real, **self._layer()})

    def __len__(self) -> int:
        return len({**self._real, **self._layer()})

    def copy(self) -> dict[str, str]:
        return {**self._real, **self._layer()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _Stdout:
    """sys.stdout, except that what a handler prints belongs to its function's log.

    Loggers keep it for as long as their module lives, so it looks for the real one each time.
    """

    def __init__(self, real: Any) -> None:
        self.real = real

    def _to(self) -> Any:
        real = self.real if isinstance(sys.stdout, _Stdout) else sys.stdout
        return _printed.get() or (sys.__stdout__ if real.closed else real)

    def write(self, text: str) -> int:
        return int(self._to().write(text))

    def flush(self) -> None:
        self._to().flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._to(), name)


def _listen() -> None:
    """At each invocation, because a test runner puts a stdout of its own in place between a test's phases."""
    if not isinstance(sys.stdout, _Stdout):
        sys.stdout = _Stdout(sys.stdout)


def _print_again() -> None:
    if isinstance(sys.stdout, _Stdout):
        sys.stdout = sys.stdout.real
