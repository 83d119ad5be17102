"""Every page: each block is what it says it is, each command line is one that exists, each link leads somewhere.

A shell types the `sh` blocks, and those without a kind, for programs that only note how they were called. Those that
another test plays are listed with it.
"""

import json
import re
import shutil
import stat
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import yaml
from awscli.clidriver import create_clidriver
from policy_sentry.querying.actions import get_action_data
from typer.main import get_group

from bench import diagram
from tests.policies import listed
from tests.stack import ROOT, resources
from viridian import request
from viridian_cli.app import app

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*/*.md")])
# What isn't a command line or a document of its own, by its page and how it begins: the test that holds it, or why none can.
OTHERWISE = {
    ("CONTRIBUTING.md", "make test     all tests"): "names of targets, each with a word",
    ("README.md", "PlanRelease →"): "the plot, by hand; docs/architecture.md has the one that is written",
    ("README.md", '"timetable"'): "lines of a plan; tests/workflow/test_planned.py has such",
    ("docs/clone.md", '{"TargetValue"'): "tests/unit/test_whole_clone.py",
    ("docs/codepipeline.md", "{"): "tests/workflow/test_joins.py",
    ("docs/infrastructure-as-code.md", "resource "): "nothing here reads HCL",
    ("docs/report.md", "$ viridian explain"): "tests/cli/test_explain.py",
    ("docs/orders.md", "{"): "tests/workflow/test_pausing.py",
    ("docs/register.md", "shop HTTPS:443"): "tests/cli/test_register_page.py",
    ("docs/route53.md", "2.0.0 is good"): "what `make demo-route53` printed",
    ("docs/smoke-tests.md", "https://shop"): "tests/workflow/test_smoke_tests.py",
    ("docs/tellings.md", "shop 2.0.0 is rolled back"): "tests/workflow/test_tellings.py",
    ("docs/tellings.md", '{\n  "version": "0"'): "tests/workflow/test_tellings.py",
    ("docs/upgrades.md", '"fleet": {'): "a part of the block before it",
}
PROGRAMS = ("aws", "curl", "git", "make", "pipx", "sam", "viridian")
FILTERS = ("sed",)  # run as they are
FILLED_IN = {
    "NEW_IMAGE": "ami-0123456789abcdef0",
    "RELEASE": "2.0.0-3f9c21",
    "REPOSITORY": "there",
    "SERVICE": "shop",
    "SHOP_URL": "http://127.0.0.1/",
}
# Version 1 of the AWS CLI, which is here, doesn't know it: it takes a payload as it is.
VERSION_2 = {"cli-binary-format"}


class Block(NamedTuple):
    """What stands between two fences."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> list[Block]:
    fenced = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [
        Block(str(page.relative_to(ROOT)), text.count("\n", 0, block.start()) + 1, block[1], block[2])
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for block in fenced.finditer(text)
    ]


def held_otherwise(block: Block) -> str | None:
    known = ((begins, by) for (page, begins), by in OTHERWISE.items() if page == block.page)
    return next((by for begins, by in known if block.text.startswith(begins)), None)


BLOCKS = [block for block in blocks() if not held_otherwise(block)]


def of(*kinds: str) -> pytest.MarkDecorator:
    found_ = [block for block in BLOCKS if block.kind in kinds]
    return pytest.mark.parametrize("block", found_, ids=map(str, found_))


def test_every_block_is_of_a_kind_that_a_test_holds() -> None:
    kinds = {block.kind for block in BLOCKS}
    assert kinds <= {"", "sh", "json", "yaml", "python", "mermaid"}
    for page, begins in OTHERWISE:
        assert any(held_otherwise(block) == OTHERWISE[page, begins] for block in blocks()), (page, begins)
    for (page, _), by in OTHERWISE.items():
        if by.startswith("tests/"):
            assert Path(page).name in (ROOT / by).read_text(encoding="utf-8"), f"{by} knows nothing of {page}"


# --- documents -------------------------------------------------------------------------------------------------


@of("json")
def test_a_document_is_one_that_would_be_taken(block: Block) -> None:
    ensure_taken(json.loads(block.text))


def ensure_taken(document: dict[str, Any]) -> None:
    """A policy has actions that AWS knows; a profile, a release and an order are let in."""
    if "Statement" in document:
        for statement in document["Statement"]:
            for action in listed(statement["Action"]):
                assert get_action_data(*action.split(":")), action
    elif "resume" in document:
        assert request.parse_resume(document)
    elif "reason" in document and "release" in document:
        assert request.parse_order(document)
    elif "version" in document:
        assert request.parse(document)
    else:
        assert request.parse_profile({"route": ROUTE, **document})


ROUTE = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"


@of("yaml")
def test_a_yaml_block_is_yaml(block: Block) -> None:
    class Tags(yaml.SafeLoader):
        """CloudFormation's own tags."""

    Tags.add_multi_constructor("!", lambda loader, tag, node: tag)
    assert yaml.load(block.text, Tags)


@of("python")
def test_a_python_block_compiles(block: Block) -> None:
    assert compile(block.text, str(block), "exec")


@of("mermaid")
def test_a_plot_is_of_a_kind_that_mermaid_draws(block: Block) -> None:
    assert block.text.split()[0] in ("stateDiagram-v2", "flowchart")


def test_the_plots_of_the_machines_are_what_they_are_now() -> None:
    page = diagram.PAGE.read_text(encoding="utf-8")
    assert diagram.written(page) == page, "run `make diagram`"
    for state in ("PlanRelease", "ShiftTraffic", "RestoreBlue", "RetireBlue"):
        assert f"| `{state}` | " in page


# --- command lines ---------------------------------------------------------------------------------------------


@of("", "sh")
def test_every_command_line_is_one_that_exists(block: Block, tmp_path: Path) -> None:
    for program, *words in typed(block.text, tmp_path):
        CHECKS.get(program, lambda _: None)(words)


def typed(script: str, folder: Path) -> list[list[str]]:
    """How the programs of a script were called, each word as the shell gave it."""
    (folder / "viridian").mkdir()
    (folder / "out" / "local").mkdir(parents=True)
    (folder / "out" / "local" / "env").touch()
    calls = folder / "calls"
    for name in PROGRAMS:
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\nprintf '%s\\0' {name} \"$@\" END >> {calls}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for name in FILTERS:
        (folder / "bin" / name).symlink_to(str(shutil.which(name)))
    environment = {"PATH": str(folder / "bin"), **FILLED_IN}
    ran = subprocess.run(
        ["/bin/sh", "-ec", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    told = calls.read_text().split("\0END\0") if calls.exists() else []
    return [call.split("\0") for call in told if call]


def check_viridian(words: list[str]) -> None:
    name, *given = words
    group = get_group(app)
    with group.make_context("viridian", [name]) as parent:
        context = group.commands[name].make_context(name, given, parent=parent)
    if reason := context.params.get("reason"):
        msgspec.convert(reason, request.Reason)


@cache
def aws_cli() -> Any:
    return create_clidriver()


def check_aws(words: list[str]) -> None:
    service, operation, *given = words
    known = aws_cli()._get_command_table()[service]._get_command_table()[operation].arg_table
    options = {
        word.removeprefix("--").partition("=")[0]: n for n, word in enumerate(given) if word.startswith("--")
    }
    assert set(options) <= set(known) | set(aws_cli()._get_argument_table()) | VERSION_2, (service, operation)
    assert {
        name for name, argument in known.items() if argument.required and argument.cli_name.startswith("--")
    } <= set(options)
    for option in ("value", "input"):
        if option in options and given[options[option] + 1].startswith("{"):
            ensure_taken(json.loads(given[options[option] + 1]))


def check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets
    named = [word for word in words if "=" not in word]
    variables = [word.partition("=")[0] for word in words if "=" in word]
    assert set(named) <= set(targets[1].split())
    assert all(re.search(rf"\$[({{]?{name}\b", makefile) for name in variables)


CHECKS = {"aws": check_aws, "make": check_make, "viridian": check_viridian}


# --- links -----------------------------------------------------------------------------------------------------


@cache
def anchors(page: Path) -> set[str]:
    """As forges make them: https://docs.github.com/get-started/writing-on-github (section links)."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_page_and_to_a_title_of_it(page: Path) -> None:
    text = re.sub(
        r"^```.*?^```$|`[^`\n]*`", "`", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_list_of_pages() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\]\(([\w-]+\.md)\)", index))
    assert named == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}


# --- what pages say of the code --------------------------------------------------------------------------------


def test_there_is_a_runbook_for_every_end_and_every_alarm() -> None:
    machine = json.loads((ROOT / "statemachine" / "release.asl.json").read_text(encoding="utf-8"))
    kinds = ("Succeed", "Fail")
    ends = {name.lower() for name, state in machine["States"].items() if state["Type"] in kinds} - {
        "nothingtouched"
    }
    alarms = {name.lower() for name in resources("CloudWatch::Alarm")}
    signals = {"errors", "latency", "unhealthy", "fail-open"}
    assert ends | alarms | signals <= anchors(ROOT / "docs" / "runbooks.md")


def test_the_limits_are_those_of_the_code() -> None:
    profile = msgspec.json.schema(request.Profile)["$defs"]["Profile"]["properties"]
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    said = {
        name: int(n.replace(",", ""))
        for name, n in re.findall(r"^\| (.*) \| ([\d,]+)\b.* \|$", page, re.MULTILINE)
    }
    assert said["steps of a release"] == profile["steps"]["maxItems"]
    assert said["guards of a service"] == profile["guards"]["maxItems"]
    assert said["smoke tests of a service"] == profile["smoke_tests"]["maxItems"]
    assert said["blue kept at full size"] == profile["keep_minutes"]["maximum"]
    assert said["blue kept at zero"] == profile["retain_days"]["maximum"]
