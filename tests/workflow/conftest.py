"""Worlds to release in: one for each test, or others that a test opens as it needs them."""

import os
from collections.abc import Iterator

import pytest

from tests.workflow import forked
from tests.workflow.world import World

NURSERY = pytest.StashKey[forked.Nursery]()


@pytest.fixture
def prepared(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world whose service has the profile that the test's mark, if any, names."""
    mark = request.node.get_closest_marker("profile")
    with forked.prepared(**(mark.kwargs if mark else {})) as standing:
        yield standing


@pytest.fixture
def world(prepared: World) -> World:
    return prepared


def pytest_collection_finish(session: pytest.Session) -> None:
    option = session.config.option
    if hasattr(os, "fork") and not (option.collectonly or option.usepdb or option.trace):
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
