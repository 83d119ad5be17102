"""`viridian services`: what is registered, and how it stands."""

import json

import pytest

from tests.cli.conftest import Command
from tests.workflow.world import World


@pytest.mark.parametrize(
    ("profile", "wrong"),
    [
        ("not json", "profile: /viridian/services/bad is not JSON"),
        ("[1]", "profile: [1]. Use a JSON object."),
        ("{}", "profile.route: missing. Add it."),
        (json.dumps({"route": "shop"}), "profile.route: shop."),
    ],
)
def test_a_profile_that_is_not_valid_says_why_and_leaves_the_others(
    world: World, viridian: Command, profile: str, wrong: str
) -> None:
    world.cloud.client("ssm").put_parameter(Name="/viridian/services/bad", Value=profile, Type="String")
    bad, shop = viridian("services", "--json").json
    assert (bad["service"], bad["route"], bad["wrong"].startswith(wrong)) == ("bad", None, True), bad
    assert (shop["route"], shop["wrong"]) == (world.shop.route_arn, None)
    ran = viridian("services")
    assert (ran.code, ran.err) == (0, "")
    assert wrong.split(". ")[0] in " ".join(ran.out.split())
