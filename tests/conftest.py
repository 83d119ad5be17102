"""What holds for every test."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _seldom_collected() -> Iterator[None]:
    """A cloud is many objects and a short life: the collector would look at all of moto again and again."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(400_000, 50, 50)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
