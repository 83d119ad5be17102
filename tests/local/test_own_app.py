"""A person's own app as the process of each instance: it is told its port, and lives and dies with its instance."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.plane.balancer import HAProxyPlane
from local.reality import Reality
from tests.local.test_balancer import Now, answers, eventually

SERVER = f"{sys.executable} -m http.server {{port}} --bind 127.0.0.1"
BY_ENVIRONMENT = (
    f'{sys.executable} -c \'import http.server as h, os; print(os.environ["VERSION"], flush=True); '
    'h.test(h.SimpleHTTPRequestHandler, port=int(os.environ["PORT"]), bind="127.0.0.1")\''
)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[HAProxyPlane]:
    standing = HAProxyPlane(Now(), Reality(), tmp_path)
    standing.start()
    yield standing
    standing.stop()


def launch(plane: HAProxyPlane, command: str) -> int:
    """The port of an instance whose app answers."""
    plane.launch("i-1", {"version": "2.0.0", "fault": None, "command": command})
    eventually(lambda: plane.probe([("i-1", "/")]) == [200], 15)
    return plane._running["i-1"].port


def test_it_is_healthy_when_it_answers_the_load_balancers_check(plane: HAProxyPlane) -> None:
    launch(plane, SERVER)
    assert plane.probe([("i-1", "/"), ("i-1", "/no-such-page")]) == [200, 404]


def test_it_may_read_its_port_and_version_from_its_environment(plane: HAProxyPlane, tmp_path: Path) -> None:
    launch(plane, BY_ENVIRONMENT)
    assert (tmp_path / "instances" / "i-1.log").read_text().startswith("2.0.0\n")


def test_what_it_prints_is_kept_for_looking_at(plane: HAProxyPlane, tmp_path: Path) -> None:
    launch(plane, f"echo {{version}} on {{port}}; {SERVER}")
    port = plane._running["i-1"].port
    said = tmp_path / "instances" / "i-1.log"
    eventually(lambda: '"GET / HTTP/1.1" 200' in said.read_text())
    assert said.read_text().startswith(f"2.0.0 on {port}\n")


def test_it_goes_with_its_instance_and_so_does_what_it_has_started(plane: HAProxyPlane) -> None:
    port = launch(plane, f"{SERVER} & wait")
    plane.kill("i-1")
    eventually(lambda: not answers(port))


def test_one_that_ends_by_itself_answers_no_check(plane: HAProxyPlane, tmp_path: Path) -> None:
    plane.launch("i-1", {"version": "2.0.0", "command": "echo no configuration; exit 3"})
    eventually(lambda: plane._running["i-1"].process.poll() == 3)
    assert plane.probe([("i-1", "/")]) == [None]
    assert (tmp_path / "instances" / "i-1.log").read_text() == "no configuration\n"
    plane.kill("i-1")
