"""docs/security.md: the policies that the command needs are those that the page has, no action more, none less."""

import inspect
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from local.control.calls import PERSON
from tests.cli.conftest import Command
from tests.policies import listed
from tests.stack import ROOT
from tests.unit.test_policies import NAMED_OTHERWISE, SERVICES, mutates
from tests.workflow.world import World
from viridian_cli.app import found

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
POLICIES = {
    name: json.loads(text)["Statement"]
    for name, text in re.findall(r"^```json (\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
}
ACTIONS = {
    name: {action for statement in statements for action in statement["Action"]}
    for name, statements in POLICIES.items()
}
REASON = ("--reason", "to see what it asks")


@contextmanager
def asked(world: World) -> Iterator[set[str]]:
    """The actions that people's calls need meanwhile."""
    actions, before = set[str](), len(world.cloud.calls.entries)
    yield actions
    for entry in world.cloud.calls.entries[before:]:
        if entry["principal"] == PERSON:
            action = f"{SERVICES.get(entry['service'], entry['service'])}:{entry['call']}"
            actions.add(NAMED_OTHERWISE.get(action, action))


def test_whoever_looks_needs_the_readers_policy_and_nothing_else(world: World, viridian: Command) -> None:
    assert viridian("release", "shop", "2.0.0", "--ami", world.ami()["image_id"], "--wait").code == 0
    world.start(source=world.ami())  # is not in the ledger yet
    with asked(world) as actions:
        for name, module in found.items():
            if module.PANEL == "Look" and name != "watch":
                takes_one = "service" in inspect.signature(module.command).parameters
                ran = viridian(name, *(["shop"] if takes_one else []))
                assert ran.code == 0, (name, ran.err)
    assert actions == ACTIONS["reader"]


def test_whoever_decides_needs_the_operators_policy_as_well(world: World, viridian: Command) -> None:
    image = world.ami()["image_id"]
    with asked(world) as actions:
        orders = (
            ("plan", "shop", "2.0.0", "--ami", image),
            ("release", "shop", "2.0.0", "--ami", image),
            ("abort", "shop", *REASON, "--wait"),
            ("release", "shop", "2.1.0", "--ami", image, "--wait"),
            ("brake", "shop", *REASON),
            ("brake", "shop", "--without-ledger", "--yes", *REASON),
            ("hands-off", "shop", *REASON),
            ("hands-off", "shop", "--off"),
            ("collect",),
        )
        for order in orders:
            assert viridian(*order).code in (0, 1), order
            world.pass_minutes(1)
    assert actions - ACTIONS["reader"] == ACTIONS["operator"]


def test_nobody_may_change_anything_that_is_not_named() -> None:
    for statement in [*POLICIES["reader"], *POLICIES["operator"]]:
        if any(mutates(action) for action in statement["Action"]):
            assert "*" not in listed(statement["Resource"]), statement["Sid"]
