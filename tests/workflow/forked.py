"""A test of the prepared world runs in a process forked where that world stands: made once, it is new to each test.

The process with the world runs no test, and the one that runs the others never has that world's patches.
"""

import gc
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection, Pipe
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from local import seed
from local.cloud import TICK_SECONDS
from tests.fork import fork
from tests.workflow.world import World, opened

FEW = 5  # tests, for which warming up doesn't pay
_here: World | None = None  # in a process that was forked for one test


@contextmanager
def prepared(**profile: Any) -> Iterator[World]:
    """The world of `opened(**profile)`, for which nothing but the service's profile is given."""
    if _here is None:
        with opened(**profile) as made:
            yield made
        return
    _wake(_here)
    if profile:
        _here.shop.profile.update(profile)
        seed.registered(_here.cloud, "shop", _here.shop.profile)
    yield _here
    clock: Any = _here.cloud.clock
    clock._raise_failures()


def _wake(world: World) -> None:
    """A fork has but the thread that forked: the world's ticker begins again, before the tick that was due."""
    clock: Any = world.cloud.clock
    clock._actors.clear()
    clock._timers.clear()
    clock._ready.clear()
    clock._now_ns -= int(TICK_SECONDS * 1e9)
    world.cloud._tick()
    clock.sleep(TICK_SECONDS)


class Nursery:
    """The process in which the world stands, as the one that asks for tests sees it."""

    def __init__(self, session: pytest.Session) -> None:
        self._items = session.items
        self._asked: list[Any] = []
        self._line, theirs = Pipe()

        def work() -> None:
            self._line.close()
            _serve(session, theirs)

        self._pid = fork(work)
        theirs.close()

    def takes(self, item: pytest.Item) -> bool:
        """Whether a test has this world, and nothing that it shares with other tests."""
        fixtures: Any = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
        scopes = {made[-1].scope for made in fixtures.values()}
        return "prepared" in fixtures and scopes <= {"function", "session"}

    def run(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """What pytest does with a test, but that it happens elsewhere."""
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports, warned = self._ask(item)
        ending = pytest.CallInfo.from_call(
            lambda: item.session._setupstate.teardown_exact(nextitem), "teardown", reraise=KeyboardInterrupt
        )
        for data in reports:
            report = item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
            hook.pytest_runtest_logreport(report=report)
        if ending.excinfo:
            report = hook.pytest_runtest_makereport(item=item, call=ending)
            hook.pytest_runtest_logreport(report=report)
        for warning in warned:
            hook.pytest_warning_recorded.call_historic(kwargs=warning)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def close(self) -> None:
        self._line.close()
        os.waitpid(self._pid, 0)

    def _ask(self, item: pytest.Item) -> tuple[list[Any], list[Any]]:
        try:
            self._line.send(self._items.index(item))
            told = self._line.recv()
        except (EOFError, OSError) as error:
            told = f"the prepared world's process died: {error!r}"
        if not isinstance(told, str):
            reports, warned = told
            return reports, warned
        died = pytest.TestReport(
            item.nodeid, item.location, dict.fromkeys(item.keywords, 1), "failed", told, "call"
        )
        return [item.config.hook.pytest_report_to_serializable(config=item.config, report=died)], []


def _serve(session: pytest.Session, line: Connection) -> None:
    """Prepares the world when the first test asks for it, and forks for each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ExitStack() as stack:
        world: World | None = None
        index = _next(line)
        try:
            if len(session.items) > FEW:
                with opened() as first:  # models, parsed definitions and clients are kept by the process
                    first.release()
            world = stack.enter_context(opened())
        except Exception:  # each test tries for itself then, and tells of it
            world = None
        gc.collect()
        gc.freeze()
        while index is not None:
            item = session.items[index]
            _, status = os.waitpid(fork(lambda item=item: _play(item, world, line)), 0)  # type: ignore[misc]
            if status:
                line.send(f"its process died: {os.waitstatus_to_exitcode(status)}")
            index = _next(line)
        os._exit(0)  # taking the world down costs more than leaving it


def _next(line: Connection) -> int | None:
    try:
        return int(line.recv())
    except EOFError:
        return None


def _play(item: pytest.Item, world: World | None, line: Connection) -> None:
    """The whole protocol of one test, with every plugin's part in it; who tells of it is elsewhere."""
    global _here
    _here = world
    signal.signal(signal.SIGINT, signal.default_int_handler)
    plugins, told = item.config.pluginmanager, _Told()
    for plugin in plugins.get_plugins():
        if hasattr(plugin, "sendevent"):  # xdist's: only the process it started speaks on its channel
            plugins.unregister(plugin)
    plugins.register(told)
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    line.send((told.reports, told.warned))


class _Told:
    """What a test's own process has to tell."""

    def __init__(self) -> None:
        self.reports: list[Any] = []
        self.warned: list[dict[str, Any]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        serializable = item.config.hook.pytest_report_to_serializable
        for report in runtestprotocol(item, log=False, nextitem=None):
            self.reports.append(serializable(config=item.config, report=report))
        return True

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        warning_message.source = None
        self.warned.append(
            {"warning_message": warning_message, "when": when, "nodeid": nodeid, "location": location}
        )
