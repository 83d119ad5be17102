"""One time for the emulated world: virtual, where it jumps when nobody can run, or a multiple of real time."""

import contextvars
import functools
import heapq
import itertools
import threading
import time
import traceback
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol
from unittest.mock import patch

import time_machine

Ticks = Callable[[float], None] | list[Callable[[float], None]]

START = 1_767_603_600.0  # Monday 2026-01-05 09:00 UTC: the same first moment in every virtual run
_real_sleep = time.sleep


class ClockStopped(BaseException):
    """Unwinds a thread of the cloud when the cloud goes down; not an Exception, so that no handler eats it."""


class Stuck(RuntimeError):
    """Nobody can run and nobody waits for a time: nothing would ever happen again."""


class Clock(Protocol):
    """What the emulated world knows of time, and how it starts whatever runs beside the caller."""

    failures: list[str]

    @property
    def speed(self) -> float: ...
    def now(self) -> float: ...
    def wall(self) -> float: ...
    def sleep(self, cloud_seconds: float) -> None: ...
    def every(self, cloud_seconds: float, fns: Ticks, name: str) -> None: ...
    def spawn(self, fn: Callable[[], None], name: str) -> Any: ...
    def until(self, condition: Callable[[], bool], timeout: float) -> bool: ...
    def threads(self) -> types.SimpleNamespace: ...
    def start(self) -> None: ...
    def halt(self) -> None: ...
    def stop(self) -> None: ...


class _Timing:
    """Shared by both clocks: the shown time, tickers, and the failures of what runs in the background."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self._stopping = False
        self._undo: list[AbstractContextManager[Any]] = []

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
        self._undo.append(_stops(journey))

    def _replace_sleep(self, sleep: Callable[[float], None]) -> None:
        replaced = patch.object(time, "sleep", sleep)
        replaced.start()
        self._undo.append(_stops(replaced))

    def halt(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """Ends what runs, then gives the process its own time back."""
        self.halt()
        while self._undo:
            self._undo.pop().__exit__(None, None, None)

    def spawn(self, fn: Callable[[], None], name: str) -> Any:
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


@contextmanager
def _undoing(stop: Callable[[], Any]) -> Iterator[None]:
    try:
        yield
    finally:
        stop()


def _stops(started: Any) -> AbstractContextManager[Any]:
    undo = _undoing(started.stop)
    undo.__enter__()
    return undo


# --- virtual time -----------------------------------------------------------------------------------------


class _Actor:
    """A thread of the virtual world. Only the one that holds the baton runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.gate = threading.Lock()
        self.gate.acquire()
        self.waiting = False
        self.signalled = False
        self.turn = 0


class VirtualClock(_Timing):
    """Threads are real, one runs at a time (a baton, first in first out); when none can, time jumps."""

    speed = float("inf")

    def __init__(self, start: float = START) -> None:
        super().__init__()
        self._now_ns = int(start * 1e9)
        self._ready: deque[_Actor] = deque()
        self._timers: list[tuple[int, int, _Actor, int]] = []
        self._order = itertools.count()
        self._actors: dict[_Actor, threading.Thread] = {}
        self._here = threading.local()
        self._watcher: _Actor | None = None
        self._news = False
        self._stuck = False
        clock = self

        class BoundEvent(_VirtualEvent):
            def __init__(self, _wall_seconds: float = 0.0) -> None:
                super().__init__(clock)

        class BoundThread(_VirtualThread):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(clock, *args, **kwargs)

        self.event_class = BoundEvent
        self.thread_class = BoundThread

    def now_ns(self) -> int:
        return self._now_ns

    def start(self) -> None:
        """The calling thread holds the baton from here on; it gives it away in sleep, until and waits."""
        self._main = self._here.actor = _Actor("main")
        self._show()
        self._replace_sleep(self._sleep_of_any_thread)

    def halt(self) -> None:
        """Unwinds whatever still runs, one by one, so that no thread outlives its world."""
        self._stopping = True
        while self._actors:
            actor, thread = self._actors.popitem()
            actor.gate.release()
            thread.join(5)

    def sleep(self, cloud_seconds: float) -> None:
        self._pause(self._me(), max(0.0, cloud_seconds))

    def spawn(self, fn: Callable[[], None], name: str) -> "_VirtualThread":
        thread = self.thread_class(target=lambda: self._guarded(fn, name), name=name)
        thread.start()
        return thread

    def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Runs the world until the condition holds; it is looked at once in every instant."""
        me = self._me()
        deadline = self.now() + timeout
        while not condition():
            self._raise_failures()
            if self.now() >= deadline:
                return False
            self._watcher, self._news = me, False
            self._pause(me, deadline - self.now())
            self._watcher = None
        self._raise_failures()
        return True

    def threads(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(Thread=self.thread_class, Event=self.event_class)

    def _raise_failures(self) -> None:
        if self.failures:
            raise RuntimeError("in the background: " + "\n".join(self.failures))

    def _sleep_of_any_thread(self, seconds: float) -> None:
        if getattr(self._here, "actor", None) is None:
            _real_sleep(seconds)
        else:
            self.sleep(seconds)

    def _me(self) -> _Actor:
        actor: _Actor | None = getattr(self._here, "actor", None)
        if actor is None:
            raise RuntimeError("a thread that isn't part of the virtual world waits for its time")
        return actor

    def _pause(self, me: _Actor, seconds: float | None) -> bool:
        """Gives the baton away; True when an event woke this actor, False when its time came."""
        if self._stopping and me is not self._main:
            raise ClockStopped
        me.turn += 1
        me.signalled, me.waiting = False, True
        if seconds is not None:
            heapq.heappush(self._timers, (self._now_ns + int(seconds * 1e9), next(self._order), me, me.turn))
        following = self._next()
        if following is not me:
            following.gate.release()
            me.gate.acquire()
        if self._stopping and me is not self._main:
            raise ClockStopped
        if self._stuck:
            self._stuck = False
            raise Stuck("every thread waits, and none of them for a time")
        return me.signalled

    def _next(self) -> _Actor:
        """Whoever may run; else the watcher, once an instant; else whoever's time is first."""
        if not self._ready and self._watcher is not None and self._news:
            self._wake(self._watcher, signalled=True)
        while not self._ready:
            if not self._timers:
                self._stuck = True
                self._wake(self._main, signalled=False)
                break
            first, _, actor, turn = self._timers[0]
            if actor.waiting and actor.turn == turn:
                self._now_ns = max(self._now_ns, first)
            else:
                heapq.heappop(self._timers)
                continue
            while self._timers and self._timers[0][0] <= self._now_ns:
                _, _, actor, turn = heapq.heappop(self._timers)
                if actor.turn == turn:
                    self._wake(actor, signalled=False)
        return self._ready.popleft()

    def _wake(self, actor: _Actor, signalled: bool) -> None:
        if actor.waiting:
            actor.waiting, actor.signalled, self._news = False, signalled, True
            self._ready.append(actor)

    def _enter(self, actor: _Actor, thread: threading.Thread) -> None:
        self._actors[actor] = thread
        self._ready.append(actor)
        self._news = True

    def _leave(self, actor: _Actor) -> None:
        self._actors.pop(actor, None)
        if not self._stopping:
            self._next().gate.release()


class _VirtualEvent:
    """threading.Event in virtual time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._set = False
        self._waiters: list[_Actor] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        waiters, self._waiters = self._waiters, []
        for actor in waiters:
            self._clock._wake(actor, signalled=True)

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        if self._set:
            return True
        me = self._clock._me()
        self._waiters.append(me)
        woken = self._clock._pause(me, timeout)
        if me in self._waiters:
            self._waiters.remove(me)
        return woken


class _VirtualThread:
    """threading.Thread whose start, join and life go by the baton; it inherits the starter's context."""

    def __init__(
        self,
        clock: VirtualClock,
        group: None = None,
        target: Callable[..., Any] | None = None,
        name: str | None = None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        self._clock = clock
        self._work = lambda: target(*args, **(kwargs or {})) if target else None
        self._done = clock.event_class()
        self._alive = False
        self.name = name or "thread"
        self.daemon = True
        self.native_id: int | None = None

    def start(self) -> None:
        self._alive = True
        actor = _Actor(self.name)
        context = contextvars.copy_context()
        thread = threading.Thread(target=self._live, args=(actor, context), name=self.name, daemon=True)
        thread.start()
        self._clock._enter(actor, thread)

    def _live(self, actor: _Actor, context: contextvars.Context) -> None:
        actor.gate.acquire()
        self._clock._here.actor = actor
        self.native_id = threading.get_native_id()
        try:
            if not self._clock._stopping:
                self._clock._guarded(lambda: context.run(self._work), self.name)
        finally:
            self._alive = False
            self._done.set()
            self._clock._leave(actor)

    def is_alive(self) -> bool:
        return self._alive

    def join(self, timeout: float | None = None) -> None:
        if self._alive:
            self._done.wait(timeout)


# --- scaled time ------------------------------------------------------------------------------------------


class ScaledClock(_Timing):
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

    def spawn(self, fn: Callable[[], None], name: str) -> "_ScaledThread":
        thread = self.thread_class(target=fn, name=name)
        thread.start()
        return thread

    def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        deadline = self.now() + timeout
        while not condition():
            if self.now() >= deadline:
                return False
            _real_sleep(0.02)
        return True

    def threads(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(Thread=self.thread_class, Event=self.event_class)

    def _sleep_of_any_thread(self, seconds: float) -> None:
        if getattr(self._here, "member", False):
            self.sleep(seconds)
        else:
            _real_sleep(seconds)


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
