"""Time in the local cloud: it jumps when nobody can run, or runs as many times as fast as it is asked to."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from local.clocks.scaled import ScaledClock
from local.clocks.virtual import START, Stuck, VirtualClock


@pytest.fixture
def virtual() -> Iterator[VirtualClock]:
    clock = VirtualClock()
    clock.start()
    yield clock
    clock.stop()


def test_virtual_hours_pass_at_once_and_every_clock_shows_them(virtual: VirtualClock) -> None:
    began = time.perf_counter()
    time.sleep(7200)
    assert time.perf_counter() - began < 1
    assert time.time() == START + 7200
    assert datetime.now(UTC) == datetime.fromtimestamp(START + 7200, UTC)


def test_threads_meet_in_the_order_of_their_times(virtual: VirtualClock) -> None:
    seen: list[tuple[str, float]] = []

    def walker(name: str, pause: float) -> None:
        for _ in range(3):
            virtual.sleep(pause)
            seen.append((name, virtual.now() - START))

    virtual.spawn(lambda: walker("slow", 20), "slow")
    virtual.spawn(lambda: walker("fast", 15), "fast")
    virtual.until(lambda: len(seen) == 6, 1000)
    assert seen == [("fast", 15), ("slow", 20), ("fast", 30), ("slow", 40), ("fast", 45), ("slow", 60)]


def test_runs_are_identical() -> None:
    def once() -> list[Any]:
        clock = VirtualClock()
        seen: list[Any] = []
        clock.start()
        event = clock.event_class()
        clock.every(7, lambda now: seen.append(("tick", now)), "tick")
        clock.spawn(lambda: seen.append(("woken", event.wait(100), clock.now())), "waiter")

        def set_later() -> None:
            clock.sleep(30)
            event.set()

        clock.spawn(set_later, "setter")
        clock.until(lambda: False, 60)
        clock.stop()
        return seen

    assert once() == once()
    assert ("woken", True, START + 30) in once()


def test_an_event_times_out_at_its_time(virtual: VirtualClock) -> None:
    assert not virtual.event_class().wait(90)
    assert virtual.now() == START + 90


def test_until_looks_once_in_every_instant_and_stops_at_the_first_that_holds(virtual: VirtualClock) -> None:
    ticks: list[float] = []
    virtual.every(5, ticks.append, "tick")
    assert virtual.until(lambda: len(ticks) == 3, 1000)
    assert virtual.now() == START + 15
    assert not virtual.until(lambda: False, 12)
    assert virtual.now() == START + 27


def test_a_failing_ticker_fails_whoever_waits(virtual: VirtualClock) -> None:
    virtual.every(5, lambda now: 1 / 0, "broken")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match=r"broken[\s\S]*ZeroDivisionError"):
        virtual.until(lambda: False, 60)


def test_waiting_for_nothing_is_an_error_not_a_hang(virtual: VirtualClock) -> None:
    with pytest.raises(Stuck):
        virtual.event_class().wait()


def test_nothing_outlives_a_clock_not_even_who_sleeps_in_a_finally() -> None:
    clock, unwound = VirtualClock(), []

    def stubborn() -> None:
        try:
            time.sleep(10_000)
        finally:
            unwound.append(True)
            time.sleep(10_000)

    before = threading.active_count()
    clock.start()
    clock.spawn(stubborn, "stubborn")
    clock.every(5, lambda now: None, "tick")
    clock.sleep(60)
    clock.stop()
    assert unwound == [True]
    assert threading.active_count() == before
    assert abs(time.time() - START) > 86400  # real time is back


@pytest.mark.parametrize("speed", [1, 60])
def test_scaled_time_runs_as_fast_as_it_is_asked_to(speed: float) -> None:
    clock = ScaledClock(speed)
    clock.start()
    try:
        began, wall = time.time(), time.monotonic()
        thread = clock.spawn(lambda: time.sleep(0.2 * speed), "sleeper")
        thread.join(100 * speed)
        assert 0.2 <= time.monotonic() - wall < 0.5
        assert time.time() - began == pytest.approx((time.monotonic() - wall) * speed, rel=0.1)
    finally:
        clock.stop()


def test_threads_that_are_not_the_clouds_sleep_in_real_time() -> None:
    clock = ScaledClock(1000)
    clock.start()
    try:
        wall = time.monotonic()
        time.sleep(0.1)
        assert time.monotonic() - wall >= 0.1
    finally:
        clock.stop()


def test_a_scaled_clock_stops_whoever_waits() -> None:
    clock = ScaledClock(10)
    clock.start()
    event = clock.event_class()
    threads = [
        clock.spawn(lambda: time.sleep(10_000), "sleeps"),
        clock.spawn(event.wait, "waits"),
    ]
    clock.every(1, lambda now: None, "tick")
    clock.stop()
    assert not any(thread.is_alive() for thread in threads)
    assert clock.failures == []


def test_a_clock_that_stands_still_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        ScaledClock(0)
