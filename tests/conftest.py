"""What holds for every test."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _seldom_collected() -> Iterator[None]:
    """A cloud is many objects and a short life: the collector would look at all of moto again and again."""
    gc.freeze()
    gc.set_threshold(400_000, 50, 50)
    yield
    gc.freeze()  # pytest collects five times more before the process ends
