"""`viridian init`: what it finds, what it asks, and what it writes."""

import io
import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from local import seed
from tests.cli.conftest import Command
from tests.workflow.world import World, opened

QUICK = '{"steps": [{"weight": 50, "observe_minutes": 4}, {"weight": 100, "observe_minutes": 4}]}'


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A service that nobody has registered, and that lends nothing."""
    with opened(tagged=False, register=False) as standing:
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        yield standing


class Person(io.StringIO):
    """Somebody at a terminal, with what they type."""

    def isatty(self) -> bool:
        return True


def registered(world: World, service: str = "shop") -> Any:
    client = world.cloud.client("ssm")
    try:
        return json.loads(client.get_parameter(Name=f"/viridian/services/{service}")["Parameter"]["Value"])
    except client.exceptions.ParameterNotFound:
        return None


def test_what_it_registers_releases_without_edits(bare: World, viridian: Command) -> None:
    ran = viridian("init", "shop", "--yes", "--json")
    assert (ran.code, ran.err) == (0, "")
    profile = registered(bare)
    assert profile == ran.json["profile"]
    assert (profile["route"], profile["guards"]) == (bare.shop.route_arn, ["shop-errors"])
    assert profile["smoke_tests"] == [{"path": "/health"}]
    assert viridian(*shlex.split(ran.json["next"])[1:]).code == 0
    ran = viridian("release", "shop", "2.0.0", "--ami", bare.ami()["image_id"], "--wait")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("Promoted.\n")
