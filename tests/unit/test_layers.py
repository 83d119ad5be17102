"""The layers: decisions know nothing of AWS, adapters nothing of acts; and what writes asks the fence first."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import ROOT

FUNCTIONS, COMMAND = ROOT / "functions", ROOT / "viridian_cli"
MODULES = sorted(FUNCTIONS.rglob("*.py"))
COMMANDS = sorted(COMMAND.rglob("*.py"))
AWS = {"boto3", "botocore"}
# layer: what none of its modules may import
FORBIDDEN = {
    "viridian": {*AWS, "viridian.aws", "viridian.acts", "handlers", "local"},
    "viridian/acts": {*AWS, "handlers", "local"},
    "viridian/aws": {"viridian.acts", "handlers", "local"},
    "handlers": {*AWS, "handlers", "local"},
}
# The command knows the domain and its adapters; no function knows the command.
COMMAND_FORBIDDEN = {
    "viridian_cli": {"boto3", "handlers", "local", "viridian_cli.commands"},
    "viridian_cli/commands": {*AWS, "handlers", "local", "viridian_cli.commands"},
    "viridian_cli/aws": {"handlers", "local", "viridian_cli.commands"},
    "viridian_cli/report": {*AWS, "handlers", "local", "viridian_cli.commands", "viridian_cli.aws"},
}
FORBIDDEN = {name: {*modules, "viridian_cli"} for name, modules in FORBIDDEN.items()}
# What may be sent without a fence, and why.
UNFENCED = {
    "viridian/aws/events.py": "an event changes nothing, and tells what is in the ledger already",
    "viridian/aws/pages.py": "a page changes nothing, and must go out when the fence is lost",
    "viridian/aws/executions.py": "the name of an execution is its own fence: AWS starts none twice",
}


def layer(module: Path) -> str:
    return module.parent.relative_to(FUNCTIONS).as_posix()


def imported(module: Path) -> Iterator[str]:
    """Every module that is imported, by its full name and by those of its parents."""
    for node in ast.walk(ast.parse(module.read_text())):
        found: list[str] = []
        if isinstance(node, ast.Import):
            found = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            found = [node.module or "", *(f"{node.module}.{name.name}" for name in node.names)]
        for name in found:
            parts = name.split(".")
            yield from (".".join(parts[: n + 1]) for n in range(len(parts)))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(FUNCTIONS)))
def test_imports_point_inwards(module: Path) -> None:
    assert layer(module) in FORBIDDEN, "a new layer needs its rule"
    assert not FORBIDDEN[layer(module)] & set(imported(module))


@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: str(module.relative_to(ROOT)))
def test_the_command_asks_aws_in_one_place(module: Path) -> None:
    allowed = {"viridian_cli.commands"} if module.name == "app.py" else set()
    where = module.parent.relative_to(ROOT).as_posix()
    assert not COMMAND_FORBIDDEN[where] & set(imported(module)) - allowed


def writers() -> list[tuple[str, ast.FunctionDef]]:
    """The functions of adapters that ask for a client that writes."""
    return [
        (module.relative_to(FUNCTIONS).as_posix(), node)
        for module in MODULES
        if layer(module) == "viridian/aws" and module.relative_to(FUNCTIONS).as_posix() not in UNFENCED
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.FunctionDef) and "clients.writer(" in ast.unparse(node)
    ]


@pytest.mark.parametrize(
    ("module", "function"), writers(), ids=[f"{path}:{function.name}" for path, function in writers()]
)
def test_what_writes_takes_a_fence_and_uses_it(module: str, function: ast.FunctionDef) -> None:
    arguments = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
    assert "fence" in arguments
    calls = [
        node
        for block in ast.walk(function)
        if isinstance(block, ast.With) and "ledger.mutation(" in ast.unparse(block.items[0])
        for node in ast.walk(block)
        if isinstance(node, ast.Call)
    ]
    sent = {ast.unparse(node.func).rsplit(".", 1)[-1] for node in calls}
    verbs = (
        "create_", "modify_", "delete_", "put_", "update_", "deregister_", "enable_", "set_", "suspend_",
        "send_", "start_", "stop_", "cancel_", "change_", "disable_", "resume_", "add_", "associate_", "invoke",
    )  # fmt: skip
    everything = {
        ast.unparse(node.func).rsplit(".", 1)[-1]
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    mutating = {name for name in everything if name.startswith(verbs)}
    assert mutating, "a client that writes is asked for to write"
    assert mutating <= sent, "every write stands inside `ledger.mutation`"


def test_there_are_writers_to_look_at() -> None:
    assert len(writers()) > 15


def test_clients_are_made_in_one_place() -> None:
    makers = [module.name for module in MODULES if "import boto3\n" in module.read_text()]
    assert makers == ["clients.py"]


def test_every_handler_and_the_command_can_be_imported_first() -> None:
    """As Lambda does it with a handler, and the shell with the command: no other module has been there before."""
    asked = """
import importlib, sys
for name in sys.argv[1:]:
    for known in [each for each in sys.modules if each.split(".")[0] in ("handlers", "viridian", "viridian_cli")]:
        del sys.modules[known]
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(f"{name}: {error}")
"""
    names = [
        ".".join(module.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for root, modules in ((FUNCTIONS, MODULES), (ROOT, COMMANDS))
        for module in modules
        if module.parent.name == "handlers" or module.name == "app.py"
    ]
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{FUNCTIONS}", "AWS_DEFAULT_REGION": "us-east-1"}
    ran = subprocess.run(
        [sys.executable, "-c", asked, *names],
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.returncode) == ("", 0), ran.stderr
