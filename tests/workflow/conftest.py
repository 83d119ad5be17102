"""Worlds to release in: one for each test, or others that a test opens as it needs them."""

import gc
from collections.abc import Iterator

import pytest

from tests.workflow.world import World, opened


@pytest.fixture(scope="session", autouse=True)
def _seldom_collected() -> Iterator[None]:
    """A world is many objects and a short life: the collector would look at all of moto again and again."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as standing:
        yield standing
