"""docs/start.md, line by line: a newcomer's shell, from the clone to a promoted release of an app of their own.

Three words are not what a newcomer types. `git clone` copies this checkout, with what is not committed yet. `pipx
install .` installs nothing from the network: `viridian` is then the checkout's. And the virtual environment that `make`
would prepare is the one that runs this test.
"""

import importlib
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stack import ROOT

PAGE = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
(LOCAL, ACCOUNT) = re.split(r"^## In your account$", PAGE, flags=re.MULTILINE)
BLOCKS = re.findall(r"^```sh( terminal)?\n(.*?)^```$", LOCAL, re.DOTALL | re.MULTILINE)
COMMANDS = [(bool(terminal), line) for terminal, lines in BLOCKS for line in lines.splitlines()]
PATIENCE = 600.0  # seconds, for everything: a busy machine is no failure
STAND_INS = {
    "git": '[ "$1 $3" = "clone viridian" ] && cp -Rp "$2" "$3"',
    "pipx": '[ "$*" = "install ." ] && test -f pyproject.toml',
    "viridian": f'PYTHONPATH="$CHECKOUT:$CHECKOUT/functions" exec {sys.executable} -m viridian_cli "$@"',
}


def executable(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def newcomer(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has nothing of AWS's, and this checkout for a repository."""
    for name, script in STAND_INS.items():
        executable(tmp_path / "bin" / name, script)
    repository = tmp_path / "repository"
    tracked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\0"
    ):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            (repository / name).write_bytes((ROOT / name).read_bytes())
    executable(repository / ".venv" / "bin" / "python", f'exec {sys.executable} "$@"')
    (repository / ".venv" / ".stamp").touch()
    return {
        "CHECKOUT": str(tmp_path / "viridian"),
        "HOME": str(tmp_path),
        "LOCAL_PORT": "0",  # somebody else's cloud may be up
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "REPOSITORY": str(repository),
        "TERM": "dumb",
    }


@contextmanager
def terminal(line: str, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """A terminal of its own for one command, until Ctrl-C; it has come up once the file for a shell is there."""
    with (folder / "terminal.log").open("w+") as said:
        up = subprocess.Popen(
            ["sh", "-c", line], cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
        try:
            until = time.monotonic() + PATIENCE
            while not (folder / "out" / "local" / "env").exists():
                assert up.poll() is None, Path(said.name).read_text()
                assert time.monotonic() < until
                time.sleep(0.1)
            yield
        finally:
            os.killpg(up.pid, signal.SIGINT)
            up.wait(60)


def test_a_newcomer_releases_their_own_app_in_fewer_than_ten_commands(
    newcomer: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    opened = next(n for n, (terminal_, _) in enumerate(COMMANDS) if terminal_)
    before, (_, own), after = COMMANDS[:opened], COMMANDS[opened], COMMANDS[opened + 1 :]
    released = next(n for n, (_, line) in enumerate(COMMANDS) if line.startswith("viridian release"))
    assert released + 1 < 10
    said = types(before, tmp_path, newcomer)
    with terminal(own, tmp_path / "viridian", newcomer):
        said = types(after, tmp_path / "viridian", newcomer)
        instances = tmp_path / "viridian" / "out" / "local" / "instances"
        assert any('"GET / HTTP/1.1" 200' in log.read_text() for log in instances.iterdir())
    assert "\nPromoted.\n" in said
    assert said.index("\nPromoted.\n") < said.index("\nRolledBack.")
    with capsys.disabled():
        print(f"\ndocs/start.md: {len(COMMANDS)} commands, {time.monotonic() - began:.0f} s", end=" ")


def types(commands: list[tuple[bool, str]], folder: Path, environment: dict[str, str]) -> str:
    """What a shell prints for these lines; the last one that fails is the rollback, whose code says so."""
    script = "\n".join(
        f"{line} || [ $? = {1 if ' rollback ' in line else 0} ] || exit" for _, line in commands
    )
    ran = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_what_pipx_installs_is_every_package_and_the_command() -> None:
    """The stand-in for `pipx install .` installs nothing; what it would install is all there is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tool = project["tool"]["setuptools"]
    modules = [
        (name, module.relative_to(ROOT / folder))
        for name, folder in tool["package-dir"].items()
        for module in (ROOT / folder).rglob("*.py")
    ]
    packages = {".".join((name, *module.parent.parts)) for name, module in modules}
    assert set(tool["packages"]) == packages
    module, _, function = project["project"]["scripts"]["viridian"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
