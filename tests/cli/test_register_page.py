"""docs/register.md, typed as it stands."""

import json
import re
import shlex
import sys

import pytest

from tests.cli.conftest import Command
from tests.cli.test_init import Person
from tests.stack import ROOT
from tests.workflow.world import opened
from viridian import request

PAGE = (ROOT / "docs/register.md").read_text()


def test_what_it_says_to_type_registers_a_service_and_finds_it_well(
    viridian: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Person("n\n"))  # to the first one; the second one doesn't ask
    with opened(tagged=False, register=False) as world:
        topic, image = world.outputs["PagesTopicArn"], world.shop.image_id
        world.cloud.client("sns").subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15550100")
        ran = [
            (words[1], viridian(*words[1:]).code)
            for line in re.findall(r"^viridian .+$", PAGE, re.MULTILINE)
            for words in [shlex.split(line.replace("ami-0123456789abcdef0", image))]
        ]
    assert ran == [("init", 3), ("init", 0), ("plan", 0), ("doctor", 0)]


def test_the_profile_that_it_shows_is_one() -> None:
    (shown,) = re.findall(r"^\{\n.*?^\}$", PAGE, re.MULTILINE | re.DOTALL)
    request.parse_profile(json.loads(shown))
