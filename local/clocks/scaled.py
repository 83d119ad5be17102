"""Scaled time: cloud time runs a number of times as fast as real time, which sockets and HAProxy stay on."""

import contextvars
import threading
import time
import types
import weakref
from collections.abc import Callable
from typing import Any

from local.clocks.clock import ClockStopped, Timing, real_sleep


class ScaledClock(Timing):
    """Cloud time runs `speed` times real time; sockets, HAProxy and asyncio stay on real time."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        if speed <= 0:
            raise ValueError(f"speed is {speed}: give a number above 0")
        self._speed = speed
        self._here = threading.local()
        self._stopped = threading.Event()
        self._waiting: weakref.WeakSet[_ScaledEvent] = weakref.WeakSet()
        self._members: weakref.WeakSet[_ScaledThread] = weakref.WeakSet()
        self._origin_ns, self._origin_wall_ns = time.time_ns(), time.monotonic_ns()
        clock = self

        class BoundEvent(_ScaledEvent):
            def __init__(self, wall_seconds: float = 0.0) -> None:
                super().__init__(clock, wall_seconds)

        class BoundThread(_ScaledThread):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(clock, *args, **kwargs)

        self.event_class = BoundEvent
        self.thread_class = BoundThread

    @property
    def speed(self) -> float:
        return self._speed

    def now_ns(self) -> int:
        if self._speed == 1:
            return time.time_ns()
        return self._origin_ns + int((time.monotonic_ns() - self._origin_wall_ns) * self._speed)

    def start(self) -> None:
        self._origin_ns, self._origin_wall_ns = time.time_ns(), time.monotonic_ns()
        if self._speed != 1:
            self._show()
        self._replace_sleep(self._sleep_of_any_thread)

    def halt(self) -> None:
        """Whoever waits for cloud time unwinds; a handler at work finishes its call first."""
        self._stopping = True
        self._stopped.set()
        for event in list(self._waiting):
            event.set()
        for thread in list(self._members):
            thread.wait_for_end(2)

    def sleep(self, cloud_seconds: float) -> None:
        if self._stopped.wait(max(0.0, cloud_seconds) / self._speed):
            raise ClockStopped

    def spawn(self, fn: Callable[[], Any], name: str) -> "_ScaledThread":
        thread = self.thread_class(target=fn, name=name)
        thread.start()
        return thread

    def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        deadline = self.now() + timeout
        while not condition():
            if self.now() >= deadline:
                return False
            real_sleep(0.02)
        return True

    def threads(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(Thread=self.thread_class, Event=self.event_class)

    def _sleep_of_any_thread(self, seconds: float) -> None:
        if getattr(self._here, "member", False):
            self.sleep(seconds)
        else:
            real_sleep(seconds)


class _ScaledEvent(threading.Event):
    """threading.Event whose time-out is in cloud seconds, and never less than `wall_seconds` of real ones."""

    def __init__(self, clock: ScaledClock, wall_seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self._wall_seconds = wall_seconds

    def wait(self, timeout: float | None = None) -> bool:
        if self._clock._stopping:
            raise ClockStopped
        self._clock._waiting.add(self)
        answer = super().wait(None if timeout is None else self._real(timeout))
        if self._clock._stopping:
            raise ClockStopped
        return answer

    def _real(self, timeout: float) -> float:
        floor = min(timeout, self._wall_seconds)
        return min(max(timeout / self._clock.speed, floor), threading.TIMEOUT_MAX)


class _ScaledThread(threading.Thread):
    """threading.Thread that sleeps in cloud time and inherits the starter's context."""

    def __init__(self, clock: ScaledClock, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "daemon": True})
        self._clock = clock
        self._context_of_starter = contextvars.copy_context()

    def start(self) -> None:
        self._clock._members.add(self)
        super().start()

    def wait_for_end(self, wall_seconds: float) -> None:
        if self.is_alive() and self is not threading.current_thread():
            super().join(wall_seconds)

    def run(self) -> None:
        self._clock._here.member = True
        self._clock._guarded(lambda: self._context_of_starter.run(super(_ScaledThread, self).run), self.name)

    def join(self, timeout: float | None = None) -> None:
        super().join(None if timeout is None else min(timeout / self._clock.speed, threading.TIMEOUT_MAX))
