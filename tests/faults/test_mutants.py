"""The deliberate bugs: each still fits the product it is put into, and has a name of its own."""

from pathlib import Path

import pytest

from tests.faults import mutants
from tests.faults.mutants import MUTANTS, Mutant
from tests.stack import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_fits_where_it_is_put(mutant: Mutant) -> None:
    with mutant.change():
        for machine in (ROOT / "statemachine").glob("*.json"):
            machine.read_text()


def test_bugs_have_names_of_their_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 24


def test_a_patch_that_no_longer_fits_says_so() -> None:
    with (
        pytest.raises(ValueError, match="needs mending"),
        mutants.altered("viridian.fleet:below", "x = 7", "")(),
    ):
        pass
    text = (ROOT / "statemachine" / "release.asl.json").read_text()
    with mutants.machine("release", "no such thing", "")(), pytest.raises(ValueError, match="needs mending"):
        Path(ROOT / "statemachine" / "release.asl.json").read_text()
    assert '"Catch"' in text
