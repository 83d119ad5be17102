"""One time for the emulated world: what its clocks promise, and what both do alike."""

import functools
import time
import traceback
import types
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol
from unittest.mock import patch

import time_machine

Ticks = Callable[[float], None] | list[Callable[[float], None]]

real_sleep = time.sleep


class ClockStopped(BaseException):
    """Unwinds a thread of the cloud when the cloud goes down; not an Exception, so that no handler eats it."""


class Clock(Protocol):
    """What the emulated world knows of time, and how it starts whatever runs beside the caller."""

    failures: list[str]

    @property
    def speed(self) -> float: ...
    def now(self) -> float: ...
    def wall(self) -> float: ...
    def sleep(self, cloud_seconds: float) -> None: ...
    def every(self, cloud_seconds: float, fns: Ticks, name: str) -> None: ...
    def spawn(self, fn: Callable[[], Any], name: str) -> Any: ...
    def until(self, condition: Callable[[], bool], timeout: float) -> bool: ...
    def threads(self) -> types.SimpleNamespace: ...
    def start(self) -> None: ...
    def halt(self) -> None: ...
    def stop(self) -> None: ...


class Timing:
    """Shared by both clocks: the shown time, tickers, and the failures of what runs in the background."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self._stopping = False
        self._undo = ExitStack()

    def now(self) -> float:
        return self.now_ns() / 1e9

    def now_ns(self) -> int:
        raise NotImplementedError

    def sleep(self, cloud_seconds: float) -> None:
        raise NotImplementedError

    def wall(self) -> float:
        return time.monotonic()

    def _show(self) -> None:
        """Makes time.time() and datetime.now() show the cloud's time to every thread of the process."""
        journey = time_machine.travel(self.now_ns() / 1e9, tick=False)
        traveller: Any = journey.start()
        traveller.time_ns = self.now_ns
        self._undo.callback(journey.stop)

    def _replace_sleep(self, sleep: Callable[[float], None]) -> None:
        replaced = patch.object(time, "sleep", sleep)
        replaced.start()
        self._undo.callback(replaced.stop)

    def halt(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """Ends what runs, then gives the process its own time back."""
        self.halt()
        self._undo.close()

    def spawn(self, fn: Callable[[], Any], name: str) -> Any:
        raise NotImplementedError

    def every(self, cloud_seconds: float, fns: Ticks, name: str) -> None:
        """Calls fn(now), or several one after the other, each so many cloud seconds.

        A failure is kept in `failures` (in virtual time the next `until` raises it); the ticker goes on.
        """
        ticks = fns if isinstance(fns, list) else [fns]
        self.spawn(lambda: self._ticking(cloud_seconds, ticks, name), name)

    def _ticking(self, cloud_seconds: float, ticks: list[Callable[[float], None]], name: str) -> None:
        due = self.now()
        while not self._stopping:
            due = max(due + cloud_seconds, self.now())
            self.sleep(due - self.now())
            for tick in ticks:
                self._guarded(functools.partial(tick, self.now()), name)

    def _guarded(self, fn: Callable[[], Any], name: str) -> None:
        try:
            fn()
        except ClockStopped:
            return
        except Exception:
            if not self._stopping:
                self.failures.append(f"{name}\n{traceback.format_exc()}")
