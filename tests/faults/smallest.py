"""The smallest schedule that still fails: hypothesis leaves out of a failing run what isn't needed for it to fail."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from tests.faults import nursery
from tests.faults.points import Outcome, Run


def smallest(run: Run, play: Callable[[Run], Outcome] | None = None) -> Outcome | None:
    """The outcome of the smallest part of a run's schedule that isn't good; None if none of them fails again."""
    played: dict[tuple[int, ...], Outcome] = {}

    def fails(chosen: tuple[bool, ...]) -> bool:
        picked = tuple(index for index, kept in enumerate(chosen) if kept)
        if picked and picked not in played:
            part = replace(run, faults=tuple(run.faults[index] for index in picked))
            played[picked] = (play or _played)(part)
        return bool(picked) and _failed(played[picked])

    if not fails((True,) * len(run.faults)):
        return None
    with suppress(NoSuchExample):
        find(
            st.tuples(*[st.booleans()] * len(run.faults)),
            fails,
            settings=settings(
                max_examples=50,
                phases=[Phase.generate, Phase.shrink],
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
            random=Random(run.seed),
        )
    return played[min((picked for picked, outcome in played.items() if _failed(outcome)), key=len)]


def _failed(outcome: Outcome) -> bool:
    """A part that the instrument can't play says nothing."""
    return not outcome.good and not outcome.broken


def _played(run: Run) -> Outcome:
    ((_, outcome),) = nursery.played([nursery.Task(run)], 1)
    return outcome
