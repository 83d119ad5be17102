"""The smallest schedule that still fails: hypothesis leaves out of a failing run what isn't needed for it to fail."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st

from tests.faults import nursery
from tests.faults.points import Outcome, Run


def smallest(run: Run, play: Callable[[Run], Outcome] | None = None) -> Outcome | None:
    """The outcome of the smallest part of a run's schedule that isn't good; None if none of them fails again."""
    played: dict[tuple[int, ...], Outcome] = {}

    def fails(picked: tuple[int, ...]) -> bool:
        if picked not in played:
            part = replace(run, faults=tuple(run.faults[index] for index in picked))
            played[picked] = (play or _played)(part)
        return not played[picked].good

    every = range(len(run.faults))
    parts = st.sets(st.sampled_from(every), min_size=1).map(sorted).map(tuple)
    everything = tuple(every)
    if not fails(everything):
        return None
    try:
        picked = find(
            st.one_of(parts, st.just(everything)),
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
    except Exception:
        picked = everything
    fewest = min((key for key, outcome in played.items() if not outcome.good), key=len)
    return played[min(picked, fewest, key=len)]


def _played(run: Run) -> Outcome:
    ((_, outcome),) = nursery.played([nursery.Task(run)], 1)
    return outcome
