"""One warmed-up world, forked for each run: a run pays for nothing but itself, and leaves nothing behind."""

import functools
import gc
import os
import pickle
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import place, play
from tests.faults.points import Outcome, Run
from tests.fork import fork

PATIENCE = 300.0  # real seconds after which a run is stuck
CHUNK = 40

FUNCTIONS = str(Path(__file__).parents[2] / "functions")


@dataclass(frozen=True)
class Task:
    """A run, and what is entered around its world; a task with `under` gets a world of its own."""

    run: Run
    under: play.Under | None = None
    story: bool = False


def played(tasks: Sequence[Task], jobs: int = 2) -> Iterator[tuple[Task, Outcome]]:
    """Each task's outcome as it comes in, from so many processes at a time."""
    prepare()
    chunks = _chunks(tasks)
    working: dict[int, _Worker] = {}
    try:
        while chunks or working:
            while chunks and len(working) < jobs:
                worker = _Worker(chunks.pop(0))
                working[worker.pipe] = worker
            ready, _, _ = select.select(list(working), [], [])
            for pipe in ready:
                found = working[pipe].read()
                if found is None:
                    working.pop(pipe).close()
                else:
                    yield found
    finally:
        for worker in working.values():
            worker.kill()


def reach_functions() -> None:
    """The functions' own imports are found, here and in every process that comes of this one."""
    if FUNCTIONS not in sys.path:
        sys.path.insert(0, FUNCTIONS)


@functools.cache
def prepare() -> None:
    """What every world needs, loaded once: the functions' code stays, and so do their clients."""
    reach_functions()
    for scenario in ("baked", "bad"):  # models, parsed definitions and clients are kept by the process
        play.play(Run("warm", scenario))
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


def _chunks(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks of one world together, the longest lists first."""
    by_world: dict[str, list[Task]] = {}
    for task in tasks:
        by_world.setdefault(place.world_of(task.run) if task.under is None else "", []).append(task)
    chunks = [
        some[begin : begin + CHUNK] for some in by_world.values() for begin in range(0, len(some), CHUNK)
    ]
    return sorted(chunks, key=len, reverse=True)


class _Worker:
    """A process that plays a list of tasks and tells of each."""

    def __init__(self, tasks: list[Task]) -> None:
        self._tasks = tasks
        self._left = dict(enumerate(tasks))
        self.pipe, writing = os.pipe()
        self._pid = fork(lambda: _work(tasks, writing))
        os.close(writing)

    def read(self) -> tuple[Task, Outcome] | None:
        """The next outcome; None after the last. What a dead worker leaves undone is broken."""
        told = _received(self.pipe)
        if told is None and not self._left:
            return None
        number, outcome = told or next(
            (number, Outcome(task.run, "", broken="the process died")) for number, task in self._left.items()
        )
        return self._left.pop(number), outcome

    def close(self) -> None:
        os.close(self.pipe)
        os.waitpid(self._pid, 0)

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGTERM)
        self.close()


def _work(tasks: list[Task], pipe: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    numbered = list(enumerate(tasks))
    alone = [(number, task) for number, task in numbered if task.under is not None]
    shared = [(number, task) for number, task in numbered if task.under is None]
    for number, task in alone:
        _send(pipe, (number, _in_child(lambda task=task: play.play(task.run, task.under), task.run)))  # type: ignore[misc]
    if not shared:
        return
    with ExitStack() as stack:
        play.seeded(0)
        try:
            ready = stack.enter_context(place.prepared(shared[0][1].run))
        except Exception:
            broken = traceback.format_exc()
            for number, task in shared:
                _send(pipe, (number, Outcome(task.run, "", broken=broken)))
            return
        gc.collect()
        gc.freeze()
        for number, task in shared:
            _send(pipe, (number, _in_child(lambda task=task: _in(ready, task), task.run)))  # type: ignore[misc]
        os._exit(0)  # taking the world down costs more than leaving it


def _in(ready: place.Prepared, task: Task) -> Outcome:
    ready.wake()
    return play.within(ready, task.run, story=task.story)


def _in_child(work: Callable[[], Outcome], run: Run) -> Outcome:
    reading, writing = os.pipe()

    def tell() -> None:
        os.close(reading)
        _send(writing, work())

    pid = fork(tell)
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], PATIENCE)
        if not ready:
            os.kill(pid, signal.SIGKILL)
            return Outcome(run, "", broken=f"stuck for {PATIENCE:.0f} real seconds")
        outcome = _received(reading)
        return outcome if isinstance(outcome, Outcome) else Outcome(run, "", broken="the run's process died")
    finally:
        os.close(reading)
        os.waitpid(pid, 0)


def _send(pipe: int, told: Any) -> None:
    data = pickle.dumps(told)
    data = len(data).to_bytes(8, "big") + data
    while data:
        data = data[os.write(pipe, data) :]


def _received(pipe: int) -> Any:
    size = _exactly(pipe, 8)
    return pickle.loads(_exactly(pipe, int.from_bytes(size, "big"))) if len(size) == 8 else None


def _exactly(pipe: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(pipe, size - len(data))
        if not more:
            return b""
        data += more
    return data
