"""How long a function takes to get ready: its module and its clients, from the package that Lambda would be given."""

import filecmp
import json
import os
import pickle
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.tape import Invocation

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / ".aws-sam" / "build"
CODE = ("handlers", "viridian")
LAMBDA_MACHINE = "aarch64"  # template.yaml: Architectures
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
}
# Processor time, which a busy machine doesn't stretch; the interpreter's own start belongs to Lambda's part.
READY = """
import importlib, json, sys, time
paths, module, clients = json.loads(sys.argv[1])
sys.path[:0] = paths
began = time.process_time()
importlib.import_module(module)
imported = time.process_time()
from viridian.aws import clients as made
for kind, service in clients:
    getattr(made, kind)(service)
print(json.dumps([imported - began, time.process_time() - imported]))
"""

# The same twice: a handler with its first invocation, AWS's answers played back to it; and boto3 with the clients alone.
COLD = """
import importlib, json, os, pickle, sys, time, types
paths, module, services, variables = json.loads(sys.argv[1])
sys.path[:0] = paths
os.environ.update(variables)
began = time.process_time()
if services:
    import boto3
    for service in services:
        boto3.client(service)
else:
    handler = importlib.import_module(module)
imported = time.process_time() - began
event, answers, at, tools = pickle.load(sys.stdin.buffer)
if services or event is None:
    print(json.dumps([imported, 0]))
    sys.exit()
sys.path.append(tools)
import time_machine
from botocore.client import BaseClient
def played(self, operation, params):
    asked = (self.meta.service_model.service_name, operation)
    answer = answers.pop([call[:2] for call in answers].index(asked))[2]
    if "Error" in answer:
        raise self.exceptions.from_code(answer["Error"]["Code"])(answer, operation)
    return answer
BaseClient._make_api_call = played
time_machine.travel(at, tick=True).start()
context = types.SimpleNamespace(aws_request_id="first")
began = time.process_time()
handler.lambda_handler(event, context)
print(json.dumps([imported, time.process_time() - began]))
"""


@dataclass(frozen=True)
class Cold:
    """A handler's import, and that and its first invocation, in those of boto3 with a client of each same service."""

    importing: float
    first: float | None


@dataclass(frozen=True)
class Start:
    """Processor seconds of one vCPU here: the import of the handler, and the clients that it needs; `source` in words."""

    importing: float
    clients: float
    source: str

    @property
    def seconds(self) -> float:
        return self.importing + self.clients


def measure(module: str, clients: list[tuple[str, str]], runs: int = 5) -> Start:
    """The median of several fresh processes; the package brings no bytecode, so it is compiled each time, as there."""
    with _package() as (paths, source):
        times = [_ready(paths, module, clients) for _ in range(runs)]
    return Start(statistics.median(t[0] for t in times), statistics.median(t[1] for t in times), source)


def cold(firsts: Mapping[str, Invocation | None], runs: int) -> dict[str, Cold]:
    """Each handler against the bare clients, in fresh processes by turns, so that what else runs here slows both alike.

    Where no first invocation is known, a handler is only imported, and the ledger's client is all that it is held against.
    """
    found = {}
    with _package() as (paths, _):
        for module, first in firsts.items():
            services = (first and first.services) or ["dynamodb"]
            bare, ours = [], []
            for _ in range(runs):
                bare.append(_begun(paths, module, services, None))
                ours.append(_begun(paths, module, [], first))
            # The least of each: whatever else runs here only ever adds to what a process takes.
            least = min(map(sum, bare))
            importing, whole = min(t[0] for t in ours), min(map(sum, ours))
            found[module] = Cold(importing / least, whole / least if first else None)
    return found


def _begun(
    paths: list[str], module: str, services: list[str], first: Invocation | None
) -> tuple[float, float]:
    given = json.dumps([paths, module, services, first.variables if first else {}])
    tools = sysconfig.get_paths()["purelib"]  # it has what puts the clock back to when it was
    played = (first.event, first.answers, first.at, tools) if first else (None, [], 0.0, tools)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", COLD, given],
        input=pickle.dumps(played),
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.PIPE,
        check=True,
    )
    importing, invoked = json.loads(done.stdout.splitlines()[-1])  # the log comes before
    return float(importing), float(invoked)


def size() -> tuple[int, str]:
    """The bytes that Lambda is given for a function, zipped, and what was zipped, in words."""
    built = BUILT / "BrakeFunction"
    with _package() as (paths, source), tempfile.TemporaryFile() as file:
        roots = [built] if is_current(built) else list(map(Path, paths))
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
            for root in roots:
                for path in sorted(root.rglob("*")):
                    if path.is_file() and "__pycache__" not in path.parts:
                        package.write(path, path.relative_to(root))
        return file.tell(), source


def _ready(paths: list[str], module: str, clients: list[tuple[str, str]]) -> tuple[float, float]:
    command = [sys.executable, "-I", "-S", "-B", "-c", READY, json.dumps([paths, module, clients])]
    done = subprocess.run(
        command, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=True
    )
    importing, made = json.loads(done.stdout)
    return float(importing), float(made)


@contextmanager
def _package() -> Iterator[tuple[list[str], str]]:
    """Where to import from, and what that is in words."""
    site = Path(sysconfig.get_paths()["purelib"])
    built = BUILT / "BrakeFunction"
    with tempfile.TemporaryDirectory() as folder:
        if not is_current(built):
            _copy(site, _requirements(), Path(folder))
            why = "is older than the code" if built.exists() else "is not there"
            yield (
                [str(ROOT / "functions"), folder],
                f"functions/ and its requirements as .venv has them: {BUILT.name} {why}",
            )
            return
        native = sorted({path.relative_to(built).parts[0] for path in built.rglob("*.so")})
        if platform.machine() == LAMBDA_MACHINE and sys.version_info[:2] == (3, 13):
            native = []
        _copy(site, native, Path(folder))
        but = (
            f"; {', '.join(native)} from .venv, since the package's is for {LAMBDA_MACHINE}" if native else ""
        )
        yield [folder, str(built)], f"the package of `sam build`{but}"


def is_current(built: Path) -> bool:
    """Whether the package was built from this very code."""
    if not built.exists():
        return False
    for part in CODE:
        names = [
            str(path.relative_to(ROOT / "functions")) for path in (ROOT / "functions" / part).rglob("*.py")
        ]
        same, *_ = filecmp.cmpfiles(ROOT / "functions", built, names, shallow=False)
        if len(same) != len(names):
            return False
    return True


def _requirements() -> list[str]:
    """What functions/requirements.txt installs, by the names of modules."""
    return [
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "dateutil",
        "jmespath",
        "jsonata",
        "msgspec",
        "s3transfer",
        "six.py",
        "typing_extensions.py",
        "tzdata",
        "urllib3",
    ]


def _copy(site: Path, names: list[str], to: Path) -> None:
    """Without bytecode: a package doesn't have any."""
    for name in names:
        if (site / name).is_dir():
            shutil.copytree(site / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(site / name, to / name)
