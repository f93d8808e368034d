"""E-processes: under the null hypothesis their mean is at most 1, counted out over every sequence there is."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.evidence import (
    ALTERNATIVES,
    DEEPEST,
    _log_gamma,
    highest_rate,
    kept,
    log_weight,
    rate_evidence,
    shape_evidence,
    together,
    uniform_evidence,
)
from edgepde_runtime.monitor import Monitor, rank
from hypothesis import given, settings
from hypothesis import strategies as st

rates = st.floats(1e-4, 0.5)


def one(values: Any) -> float:
    """The single entry of an array."""
    return float(np.asarray(values).ravel()[0])


@given(rates, st.integers(1, 40), st.floats(0, 1))
def test_the_mean_of_a_rate_s_evidence_is_1_at_the_tolerated_rate_and_less_below(
    most: float, n: int, part: float
) -> None:
    k = np.arange(n + 1)
    e = np.exp(rate_evidence(np.full(n + 1, n), k, most))
    ways = np.array([math.comb(n, int(i)) for i in k], float)
    assert (ways * most**k * (1 - most) ** (n - k) * e).sum() == pytest.approx(1.0, rel=1e-6)
    p = part * most
    assert (ways * p**k * (1 - p) ** (n - k) * e).sum() <= 1.0 + 1e-6
    above = min(0.99, 4 * most)
    assert (ways * above**k * (1 - above) ** (n - k) * e).sum() > 1.0


@given(rates, st.integers(0, 300), st.data())
def test_a_trial_never_raises_the_evidence_on_average_whatever_came_before(
    most: float, n: int, data: st.DataObject
) -> None:
    k, p = data.draw(st.integers(0, n)), data.draw(st.floats(0, 1)) * most
    e = [one(rate_evidence(np.array([m]), np.array([j]), most)) for m, j in ((n, k), (n + 1, k), (n + 1, k + 1))]
    assert (1 - p) * math.exp(e[1] - e[0]) + p * math.exp(e[2] - e[0]) <= 1.0 + 1e-9


@st.composite
def laws(draw: st.DrawFn, bins: int) -> np.ndarray[Any, Any]:
    weights = np.array(draw(st.lists(st.floats(0.01, 1.0), min_size=bins, max_size=bins)))
    return np.asarray(weights / weights.sum())


@settings(max_examples=10)
@given(laws(3))
def test_the_mean_of_a_shape_s_evidence_is_at_most_1_for_any_one_law(law: np.ndarray[Any, Any]) -> None:
    before, after, mean = 4, 4, 0.0
    sequences = [np.bincount(s, minlength=3) for s in itertools.product(range(3), repeat=after)]
    for first in itertools.product(range(3), repeat=before):
        reference = np.bincount(first, minlength=3)
        e = np.exp(shape_evidence(reference[None], np.array(sequences)[:, None]))[:, 0]
        chance = np.prod(law**reference) * np.prod(law ** np.array(sequences), axis=1)
        mean += float((chance * e).sum())
    assert mean <= 1.0 + 1e-9


def test_the_evidence_for_uniform_bins_has_the_mean_1() -> None:
    counts = np.array([np.bincount(s, minlength=3) for s in itertools.product(range(3), repeat=6)])
    assert np.exp(uniform_evidence(counts[:, None])).mean() == pytest.approx(1.0, rel=1e-9)


@given(st.lists(st.integers(0, 2000), min_size=8, max_size=8), st.lists(st.integers(0, 2000), min_size=8, max_size=8))
def test_evidence_for_shapes_is_that_of_its_definition(before: list[int], after: list[int]) -> None:
    def mixed(c: list[int]) -> float:
        return sum(math.lgamma(n + 0.5) - math.lgamma(0.5) for n in c) + math.lgamma(4.0) - math.lgamma(sum(c) + 4.0)

    both = [a + b for a, b in zip(before, after, strict=True)]
    best = sum(n * math.log(n / sum(both)) for n in both if n)
    found = one(shape_evidence(np.array([before]), np.array([[after]])))
    assert found == pytest.approx(mixed(before) + mixed(after) - best, rel=1e-9, abs=1e-6)
    assert one(uniform_evidence(np.array([[after]]))) == pytest.approx(
        mixed(after) + sum(after) * math.log(8), rel=1e-9, abs=1e-6
    )


@given(st.floats(0.5, 1e15))
def test_the_logarithm_of_gamma(x: float) -> None:
    assert one(_log_gamma(np.array([x]))) == pytest.approx(math.lgamma(x), rel=1e-12, abs=1e-11)


def test_weights_of_all_windows_are_at_most_1_together() -> None:
    assert sum(math.exp(log_weight(j)) for j in range(20_000)) < 1.0
    assert together(np.zeros(3), [0, 1, 2]) == pytest.approx(math.log(0.5 + 0.25 + 1 / 12))
    assert together(np.array([-1e5, -1e5]), [0, 1]) < -9e4


def test_few_windows_are_kept_each_until_it_is_dropped_for_good() -> None:
    for start in range(1, 150):
        there = [kept(start, block) for block in range(start, 500)]
        assert there[0]
        assert there == sorted(there, reverse=True)
    for block in [*range(64), *range(64, 3000, 37)]:
        starts = [s for s in range(block + 1) if kept(s, block)]
        assert len(starts) <= 2 * DEEPEST + 3
        # A change at any time has a window that begins at most as late after it as the window is then long.
        for age in (1, 2, 4, 8, 64, 256):
            assert block < 2 * age or any(age <= block - s < 2 * age for s in starts)
    assert kept(0, 10**9)


@given(st.integers(99, 400), st.floats(1e-6, 0.1))
def test_the_true_rate_is_above_the_highest_with_at_most_the_stated_chance(count: int, delta: float) -> None:
    monitor = Monitor("r", 0.01, count, 0, 0, "uniform", (0.5,), (1.0,))
    p, above = highest_rate(monitor, delta), count - rank(count, 0.01)
    chance = sum(math.comb(count, i) * p**i * (1 - p) ** (count - i) for i in range(above + 1))
    assert chance <= delta * (1 + 1e-9)
    assert above / count < p < 1.0
    assert highest_rate(monitor, delta / 2) > p


def test_a_thousand_rows_bring_little_slack() -> None:
    monitor = Monitor("r", 0.01, 999, 0, 0, "uniform", (0.5,), (1.0,))
    assert 0.015 < highest_rate(monitor, 1e-3) < 0.026
    assert ALTERNATIVES > 1
