"""Worlds to release in: one for each test, or others that a test opens as it needs them."""

from collections.abc import Iterator

import pytest

from tests.workflow.world import World, opened


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as standing:
        yield standing
