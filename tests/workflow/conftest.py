"""Worlds to release in: one for each test, or others that a test opens as it needs them."""

import pytest

from tests.workflow.world import World


@pytest.fixture
def world(prepared: World) -> World:
    return prepared
