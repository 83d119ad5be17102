"""`make mutate`: mutmut over the modules that decide, with the tests that decide; what survives is explained or a failure.

mutmut wants the source beside the tests, so it works on a copy, in out/mutation/.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGE = ROOT / "out" / "mutation"
DOC = ROOT / "docs" / "mutation.md"
MUTMUT = Path(sys.executable).with_name("mutmut")

MUTATED = ("traffic", "fence", "converge", "verdict")
TESTS = (
    "test_traffic",
    "test_next_move",
    "test_verdict",
    "test_errand",
)
CONFIGURATION = """
[tool.pytest.ini_options]
pythonpath = ["."]
addopts = ["--import-mode=importlib", "--tb=short"]

[tool.mutmut]
source_paths = ["viridian"]
only_mutate = [{mutated}]
also_copy = ["handlers", "local", "events", "statemachine", "template.yaml"]
pytest_add_cli_args_test_selection = [{tests}]
pytest_add_cli_args = ["--hypothesis-seed=0", "-p", "no:cacheprovider"]
use_git_change_detection = false
"""

Survivor = tuple[str, str, str]


def stage() -> None:
    """A copy of the repository as mutmut wants it, with nothing left of an earlier one."""
    shutil.rmtree(STAGE, ignore_errors=True)
    skipped = shutil.ignore_patterns("__pycache__", "faults", "workflow")
    for source in ("functions/viridian", "functions/handlers", "tests", "local", "events", "statemachine"):
        shutil.copytree(ROOT / source, STAGE / Path(source).name, ignore=skipped)
    shutil.copy(ROOT / "template.yaml", STAGE)
    tests = [f"tests/unit/{name}.py" for name in TESTS if (ROOT / f"tests/unit/{name}.py").exists()]
    configuration = CONFIGURATION.format(
        mutated=", ".join(f'"viridian/{name}.py"' for name in MUTATED),
        tests=", ".join(f'"{name}"' for name in tests),
    )
    (STAGE / "pyproject.toml").write_text(configuration)


def mutmut(*arguments: str) -> str:
    """What mutmut prints."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [MUTMUT, *arguments], cwd=STAGE, env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout[-5000:] + done.stderr[-5000:])
    return done.stdout


def results() -> dict[str, str]:
    """What became of each mutant."""
    found = re.findall(r"^\s+(\S+__mutmut_\d+): (.+)$", mutmut("results", "--all", "true"), re.MULTILINE)
    return dict(found)


def shown(mutant: str) -> Survivor:
    """A mutant as its function, what stood there, and what stands there now."""
    diff = mutmut("show", mutant).splitlines()
    module, _, mangled = mutant.rpartition("__mutmut_")[0].rpartition(".")
    function = mangled.removeprefix("x_").replace("xǁ", "").replace("ǁ", ".")
    lines = [line for line in diff if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    before = " ".join(line[1:].strip() for line in lines if line.startswith("-"))
    after = " ".join(line[1:].strip() for line in lines if line.startswith("+"))
    return f"{module.removeprefix('viridian.')}.{function}", before, after


def explained() -> dict[Survivor, str]:
    """The survivors that docs/mutation.md explains, by what they are."""
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \| (.+?) \|$", DOC.read_text(), re.MULTILINE)
    return {(function, before, after): why for function, before, after, why in rows}


def main() -> int:
    """Prints the counts and every survivor; 1 if one is unexplained, or an explained one doesn't survive."""
    began = time.monotonic()
    stage()
    mutmut("run", *sys.argv[1:])
    found = results()
    survivors = {shown(mutant): mutant for mutant, status in found.items() if status not in KILLED}
    known = explained()
    for function, before, after in survivors:
        told = known.get((function, before, after), "NOT EXPLAINED")
        print(f"{function}: {told}\n  - {before}\n  + {after}")
    gone = sorted(set(known) - set(survivors))
    for function, before, _ in gone:
        print(f"{function}: explained, but it doesn't survive any more: {before}")
    unexplained = sum(each not in known for each in survivors)
    print(
        f"{len(found)} mutants, {len(found) - len(survivors)} killed, {len(survivors) - unexplained} explained, "
        f"{unexplained} unexplained, in {time.monotonic() - began:.0f} s"
    )
    return 1 if unexplained or gone else 0


KILLED = ("killed", "timeout")

if __name__ == "__main__":
    raise SystemExit(main())
