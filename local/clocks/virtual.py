"""Virtual time: threads are real, one runs at a time, and when none can, time jumps to whoever's is first."""

import contextvars
import heapq
import itertools
import threading
import types
from collections import deque
from collections.abc import Callable
from typing import Any

from local.clocks.clock import ClockStopped, Timing, real_sleep

START = 1_767_603_600.0  # Monday 2026-01-05 09:00 UTC: the same first moment in every virtual run


class Stuck(RuntimeError):
    """Nobody can run and nobody waits for a time: nothing would ever happen again."""


class _Actor:
    """A thread of the virtual world. Only the one that holds the baton runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.gate = threading.Lock()
        self.gate.acquire()
        self.waiting = False
        self.signalled = False
        self.turn = 0


class VirtualClock(Timing):
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

    def spawn(self, fn: Callable[[], Any], name: str) -> "_VirtualThread":
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
            real_sleep(seconds)
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
                _with_room(self._clock._guarded, lambda: context.run(self._work), self.name)
        finally:
            self._alive = False
            self._done.set()
            self._clock._leave(actor)

    def is_alive(self) -> bool:
        return self._alive

    def join(self, timeout: float | None = None) -> None:
        if self._alive:
            self._done.wait(timeout)


def _with_room(fn: Callable[..., Any], *args: Any) -> Any:
    return fn(*args)


# A frame as large as this gets a piece of stack to itself, and what is left of the piece is for all that it calls. In
# pieces of the usual 16 KiB, a loop whose calls cross the end of one has it mapped and unmapped at each turn.
_with_room.__code__ = _with_room.__code__.replace(co_stacksize=70_000)
