"""The latency harness on a clock of our own: quantiles, batches, turns, and what it leaves behind."""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np
import pytest
from edgepde_runtime.latency import FLOOR, Latency, measure, resolution
from hypothesis import given
from hypothesis import strategies as st


class Clock:
    """A clock in ns that moves by `step` at every look and by what calls cost; it shows multiples of `grain`."""

    def __init__(self, step: int = 1, grain: int = 1) -> None:
        self.now, self.step, self.grain = 0, step, grain

    def __call__(self) -> int:
        self.now += self.step
        return self.now // self.grain * self.grain

    def call(self, cost: int) -> Callable[[], None]:
        """A call that costs so many ns."""

        def run() -> None:
            self.now += cost

        return run


def test_figures_are_the_calls_own() -> None:
    clock = Clock()
    result = measure({"a": clock.call(50_000), "b": clock.call(200_000)}, 0.1, clock)
    assert list(result) == ["a", "b", FLOOR]
    assert result["a"].p50 == pytest.approx(50.0, rel=1e-3)
    assert result["b"].p50 / result["a"].p50 == pytest.approx(4.0, rel=1e-3)
    assert result["a"].batch == result["b"].batch == 1
    assert len(result["a"].samples) == len(result[FLOOR].samples)


def test_the_time_budget_is_kept() -> None:
    clock = Clock()
    measure({"a": clock.call(1_000_000)}, 0.5, clock)
    assert 0.4e9 < clock.now < 0.6e9


def test_a_slow_call_is_sampled_five_times_all_the_same() -> None:
    clock = Clock()
    assert len(measure({"a": clock.call(10**10)}, 0.1, clock)["a"].samples) == 5


def test_calls_below_the_clocks_resolution_are_timed_in_batches() -> None:
    clock = Clock(step=10, grain=1000)
    result = measure({"a": clock.call(250)}, 0.2, clock)
    assert result["a"].batch >= 20
    assert result["a"].p50 == pytest.approx(0.25, rel=0.1)


def test_resolution() -> None:
    assert resolution(Clock(step=7, grain=1000)) == 1000
    assert resolution() >= 1


def test_candidates_take_turns() -> None:
    clock, order = Clock(), []

    def noted(name: str) -> Callable[[], None]:
        def run() -> None:
            order.append(name)
            clock.now += 100_000

        return run

    measure({"a": noted("a"), "b": noted("b")}, 0.05, clock)
    measured = order[-60:]
    assert measured.count("a") == pytest.approx(30, abs=2)
    firsts = {tuple(measured[i : i + 2]) for i in range(0, 58, 2)}
    assert {("a", "b"), ("b", "a")} <= firsts or len(set(measured[::2])) == 2


def test_drift_hits_all_candidates_alike() -> None:
    clock = Clock()

    def drifting() -> None:
        clock.now += 10_000 + clock.now // 10_000

    result = measure({"a": drifting, "b": drifting}, 0.3, clock)
    assert result["b"].p50 / result["a"].p50 == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_off_inside_and_as_before_after(was_on: bool) -> None:
    clock, seen = Clock(), []

    def look() -> None:
        seen.append(gc.isenabled())
        clock.now += 100_000
        if len(seen) > 30:
            raise ValueError("stop")

    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        with pytest.raises(ValueError, match="stop"):
            measure({"a": look}, 1.0, clock)
        assert gc.isenabled() == was_on
    finally:
        (gc.enable if before else gc.disable)()
    assert not any(seen)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_quantiles_are_samples_in_order(samples: list[float]) -> None:
    latency = Latency(np.array(samples), 1)
    figures = [latency.least, latency.p50, latency.p90, latency.p99]
    assert figures == sorted(figures)
    assert set(figures) <= set(samples)
    assert sum(s <= latency.p99 for s in samples) >= 0.99 * len(samples)
    assert latency.spread >= 0.0


def test_threads_are_stated() -> None:
    clock = Clock()
    assert measure({"a": clock.call(10_000)}, 0.01, clock, threads=2)["a"].as_dict()["threads"] == 2
