"""What these tests share: an account with a service to release, and a web server behind a load balancer's name."""

from collections.abc import Iterator

import pytest

from tests.account import account
from tests.web import Web, serving

__all__ = ["account"]


@pytest.fixture
def web() -> Iterator[Web]:
    with serving(Web()) as served:
        yield served
