"""docs/gates.md: its examples are a service whose hook looks at green, and whose people answer as the page says."""

import json
import re
import shlex
from typing import Any

from local import seed
from tests import hook
from tests.person import Person
from tests.stack import ROOT
from tests.workflow.world import ONE_STEP, World

PAGE = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")


def example(language: str, nth: int = 0) -> str:
    return str(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[nth])


def handler() -> Any:
    """The page's hook, as Lambda would load it."""
    found: dict[str, Any] = {}
    exec(example("python"), found)
    return found["lambda_handler"]


def test_the_examples_of_the_page_let_a_release_through(world: World) -> None:
    profile = json.loads(example("json"))
    assert profile["hooks"]["before_traffic"]["arn"] == hook.stands(world.cloud, handler())
    seed.registered(world.cloud, "shop", {**world.shop.profile, **profile, "route": world.shop.route_arn})
    release = world.start(source=world.ami(), steps=ONE_STEP).until("AwaitApproval")
    world.pass_minutes(6)
    assert len(hook.letters) == 1

    words = shlex.split(example("sh", 1).replace("\\\n", " "))
    told = shlex.split(world.pages()[-1].message.split("\n")[-3].rstrip("\\"))
    assert words[:3] == told[:3] == ["curl", "--aws-sigv4", "aws:amz:us-east-1:lambda"]
    reply = json.loads(words[words.index("-d") + 1])
    asked = json.loads(re.findall(r"-d '(.*?)'", world.pages()[-1].message)[0])
    assert reply.keys() == asked.keys()
    answer = Person.named(world.cloud, "mara").post(
        world.outputs["ApprovalsUrl"], {**reply, **{name: asked[name] for name in ("id", "release")}}
    )
    assert answer.status == 200, answer.body
    assert release.wait().end == "Promoted", release.cause
