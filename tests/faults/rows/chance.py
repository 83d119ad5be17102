"""Schedules that nobody thought of: hypothesis draws one to four faults for a scenario, by the run's seed."""

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.faults.points import ANY_END, Clean, Fault, Point, Row, Run
from tests.faults.scenarios import PLAIN

DRAWN = 150
ON_CALLS = ("crash_before", "crash_after", "lost", "throttle")
ON_WRITES = (*ON_CALLS, "resend")
SIDES = st.sampled_from(("blue", "green"))


def _fault(kind: str, point: Point | None = None, **args: Any) -> Fault:
    return Fault(kind, point, args)


def schedules(clean: Clean) -> st.SearchStrategy[Run]:
    """Any scenario, with what can go wrong at its points and around it."""

    def drawn(scenario: str) -> st.SearchStrategy[Run]:
        some = st.lists(_faults(clean, scenario), min_size=1, max_size=4, unique_by=str)
        seeds = st.integers(min_value=1, max_value=1_000_000)
        return st.builds(
            lambda faults, seed: Run("CHANCE", scenario, tuple(faults), seed, ends=ANY_END), some, seeds
        )

    return st.sampled_from(PLAIN).flatmap(drawn)


def _faults(clean: Clean, scenario: str) -> st.SearchStrategy[Fault]:
    writes, reads = st.sampled_from(clean.mutating(scenario)), st.sampled_from(clean.reads(scenario))
    states = st.sampled_from(clean.states(scenario))
    refusals = st.sampled_from(("InternalFailure", "ServiceUnavailable", "Throttling"))
    return st.one_of(
        st.builds(_fault, st.sampled_from(ON_WRITES), writes),
        st.builds(_fault, st.sampled_from(ON_CALLS), reads),
        st.builds(
            lambda point, code: _fault("fail_before", point, code=code, status=503),
            st.one_of(writes, reads),
            refusals,
        ),
        st.builds(
            lambda point, seconds: _fault("delay", point, seconds=seconds),
            st.one_of(writes, reads),
            st.integers(min_value=1, max_value=30),
        ),
        st.builds(
            lambda state, wakes: _fault("zombie", state=state, at="fence", wakes_after=wakes),
            states,
            st.sampled_from((1, 30, 120, 900)),
        ),
        st.builds(
            lambda state, how: _fault("duplicate", state=state, how=how),
            states,
            st.sampled_from(("serial", "lockstep")),
        ),
        st.builds(lambda share: _fault("throttle", p=share), st.sampled_from((0.05, 0.1, 0.2, 0.3))),
        st.builds(
            lambda service, after: _fault("outage", service=service, after=after, minutes=1),
            st.sampled_from(("elbv2", "autoscaling", "ec2", "cloudwatch", "dynamodb")),
            st.integers(min_value=0, max_value=400),
        ),
        st.builds(
            lambda which, do: _fault("events", which=which, do=do, seconds=30),
            st.sampled_from(("alarm", "status")),
            st.sampled_from(("drop", "repeat", "delay", "reorder")),
        ),
        st.builds(lambda point, side: _fault("terminated", point, side=side, count=1), writes, SIDES),
        st.builds(lambda point: _fault("ill", point, side="green"), writes),
    )


def runs(clean: Clean) -> Iterator[Run]:
    """As many schedules as hypothesis draws from the clean runs' seed: the same each time."""
    found: dict[str, Run] = {}

    @seeded(clean.outcome("release").run.seed)
    @settings(
        max_examples=DRAWN,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(schedules(clean))
    def draw(run: Run) -> None:
        found.setdefault(run.text(), run)

    draw()
    yield from found.values()


ROWS = [Row("CHANCE", "Schedules of one to four faults, drawn by chance", runs, most=120)]
