"""How long calls take: candidates and an empty call in turn, in one thread, with the collector off.

A round calls every candidate once (a batch of calls where one is below the clock's resolution); which comes first moves
on with each round. What disturbs the machine then disturbs all of them alike, and ratios of medians can be trusted.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLOOR = "empty call"
LEAST_FOR_P99 = 100
_LEAST_ROUNDS, _MOST_ROUNDS = 5, 100_000
_WARM_UP = 0.1
# A sample lasts at least so many steps of the clock.
_FINE = 20

Call = Callable[[], object]
Clock = Callable[[], int]


@dataclass(frozen=True)
class Latency:
    """Times of one candidate in microseconds per call; samples [n] float64, each the mean of `batch` calls."""

    samples: NDArray[np.float64]
    batch: int
    threads: int = 1

    def quantile(self, q: float) -> float:
        """The smallest sample that at least a share q of the samples does not exceed."""
        return float(np.quantile(self.samples, q, method="inverted_cdf"))

    @property
    def p50(self) -> float:
        """Median."""
        return self.quantile(0.5)

    @property
    def p90(self) -> float:
        """Nine of ten samples are not above."""
        return self.quantile(0.9)

    @property
    def p99(self) -> float:
        """Ninety-nine of a hundred samples are not above; means something from LEAST_FOR_P99 samples on."""
        return self.quantile(0.99)

    @property
    def least(self) -> float:
        """The fastest sample."""
        return float(self.samples.min())

    @property
    def spread(self) -> float:
        """Third quartile minus first."""
        return self.quantile(0.75) - self.quantile(0.25)

    def as_dict(self) -> dict[str, object]:
        """The figures, without the samples."""
        return {
            "unit": "us",
            "p50": self.p50,
            "p90": self.p90,
            "p99": self.p99,
            "min": self.least,
            "iqr": self.spread,
            "samples": len(self.samples),
            "batch": self.batch,
            "threads": self.threads,
        }


def _nothing() -> None:
    """What the floor calls."""


def resolution(clock: Clock = time.perf_counter_ns, tries: int = 200) -> int:
    """The smallest step the clock was seen to make, in ns, at least 1."""
    steps = []
    for _ in range(tries):
        start = now = clock()
        for _ in range(1_000_000):
            now = clock()
            if now != start:
                break
        steps.append(now - start)
    return max(1, min(steps))


def measure(
    calls: Mapping[str, Call], seconds: float, clock: Clock = time.perf_counter_ns, threads: int = 1
) -> dict[str, Latency]:
    """Times every call and the floor FLOOR within about `seconds`; at least five rounds whatever they take.

    threads: how many threads a call computes with, stated in the result. Order as in `calls`, FLOOR last.
    """
    everything: dict[str, Call] = {**calls, FLOOR: _nothing}
    names, functions = list(everything), list(everything.values())
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        fine = _FINE * resolution(clock)
        batches = [_warm_up(f, fine, int(seconds * 1e9 * _WARM_UP / len(functions)), clock) for f in functions]
        times = _rounds(functions, batches, clock() + int(seconds * 1e9 * (1 - _WARM_UP)), clock)
    finally:
        if collecting:
            gc.enable()
    table = np.array(times, dtype=np.float64).T / 1e3
    return {n: Latency(table[i] / batches[i], batches[i], threads) for i, n in enumerate(names)}


def _warm_up(call: Call, fine: int, share: int, clock: Clock) -> int:
    """Calls for `share` ns, at least three times; returns how many calls a sample needs to last `fine` ns."""
    start = clock()
    best = share + fine
    for _ in range(1_000):
        before = clock()
        call()
        after = clock()
        best = min(best, after - before)
        if after - start > share and _ >= 2:
            break
    return max(1, -(-fine // max(best, 1)))


def _sample(call: Call, batch: int, clock: Clock) -> int:
    if batch == 1:
        before = clock()
        call()
        return clock() - before
    repeat = range(batch)
    before = clock()
    for _ in repeat:
        call()
    return clock() - before


def _rounds(functions: list[Call], batches: list[int], deadline: int, clock: Clock) -> list[list[int]]:
    times: list[list[int]] = []
    count = len(functions)
    while len(times) < _MOST_ROUNDS and (len(times) < _LEAST_ROUNDS or clock() < deadline):
        row = [0] * count
        for k in range(count):
            i = (len(times) + k) % count
            row[i] = _sample(functions[i], batches[i], clock)
        times.append(row)
    return times
