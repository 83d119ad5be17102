"""A release behind a Network Load Balancer: flows by weight, and a preview listener where there are no rules."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.stack import ROOT
from tests.workflow.world import World
from tests.workflow.world import opened as any_opened

PAGE = (ROOT / "docs" / "network-load-balancers.md").read_text(encoding="utf-8")
(PROFILE,) = map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))


@contextmanager
def opened(**changes: Any) -> Iterator[World]:
    """A service whose profile is the page's, but for the ids in its route."""
    profile = {name: value for name, value in PROFILE.items() if name not in ("route", "guards")}
    with any_opened(route="network", tracking="cpu", **{**profile, **changes}) as world:
        yield world


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as world:
        yield world


def previews(world: World) -> dict[int, dict[str, int]]:
    """The weights of every listener but the route, by its port."""
    elb = world.cloud.client("elbv2")
    found = elb.describe_listeners(LoadBalancerArn=world.shop.load_balancer_arn)["Listeners"]
    return {
        each["Port"]: {
            group["TargetGroupArn"].split("/")[1]: group["Weight"]
            for group in each["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
        }
        for each in found
        if each["ListenerArn"] != world.shop.route_arn
    }


def test_a_good_release_is_promoted_and_blue_stays_behind_the_preview_listener(world: World) -> None:
    """Its profile is the page's."""
    assert re.sub(r"(/[0-9a-f]{16})+$", "", PROFILE["route"]) == re.sub(
        r"(/[0-9a-f]{16})+$", "", world.shop.route_arn
    )
    release = world.release()
    assert (release.end, release.cause) == ("Promoted", "")
    assert release.wrote_weights() == [
        {"shop-1": 75, release.green: 25}, {"shop-1": 50, release.green: 50}, {release.green: 100},
    ]  # fmt: skip
    assert previews(world) == {PROFILE["preview_port"]: {release.green: 0, "shop-1": 100}}
