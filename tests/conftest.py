"""What holds for every test."""

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest

NURSERY = pytest.StashKey[Any]()


@pytest.fixture(scope="session", autouse=True)
def _seldom_collected() -> Iterator[None]:
    """A cloud is many objects and a short life: the collector would look at all of moto again and again."""
    gc.freeze()
    gc.set_threshold(400_000, 50, 50)
    yield
    gc.freeze()  # pytest collects five times more before the process ends


@pytest.fixture
def prepared(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A world whose service has the profile that the test's mark, if any, names."""
    from tests.workflow import forked  # with all of moto, which most tests do without

    mark = request.node.get_closest_marker("profile")
    with forked.prepared(**(mark.kwargs if mark else {})) as standing:
        yield standing


@pytest.fixture
def world(prepared: Any) -> Any:
    """Where a release takes place; a file whose releases need another one makes its own."""
    return prepared


def pytest_collection_finish(session: pytest.Session) -> None:
    option = session.config.option
    wanted = any("prepared" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and hasattr(os, "fork") and not (option.collectonly or option.usepdb or option.trace):
        from tests.workflow import forked

        session.stash[NURSERY] = forked.Nursery(session)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    nursery = item.session.stash.get(NURSERY, None)
    if nursery is None or not nursery.takes(item):
        return None
    nursery.run(item, nextitem)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if NURSERY in session.stash:
        session.stash[NURSERY].close()
