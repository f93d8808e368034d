"""The threshold keeps its false-alarm rate exactly, whatever the indicator's distribution."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from edgepde_runtime.monitor import Monitor, fewest, rank
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgepde.mollifier.conformal import SMALLEST, Calibration, calibrate

levels = st.sampled_from([0.01, 0.02, 0.05, 0.1, 0.2, 1 / 3, 0.5, 0.9])


def left_out(values: np.ndarray[Any, Any], level: float) -> int:
    """How many of n + 1 values are above the threshold of the n others."""
    above = 0
    for i, value in enumerate(values):
        limit = calibrate(np.delete(values, i), level).threshold
        above += not abs(value) <= limit
    return above


@given(levels, st.integers(0, 40), st.randoms(use_true_random=False))
def test_of_n_plus_1_distinct_values_exactly_so_many_are_above(level: float, more: int, random: Any) -> None:
    n = fewest(level) + more
    values = np.array(random.sample(range(1, 10 * n + 10), n + 1), float)
    above = left_out(values, level)
    assert above == n + 1 - rank(n, level)
    assert Fraction(above, n + 1) <= Fraction(repr(level)) < Fraction(above + 1, n + 1)


scores = st.sampled_from([0.0, 1.0, 1.0, 2.0, -3.0, math.nan, math.inf, -math.inf])


@given(levels, st.lists(scores, min_size=2, max_size=60))
def test_ties_and_values_that_are_not_finite_never_raise_the_rate(level: float, values: list[float]) -> None:
    given_ = np.array(values)
    n = len(values) - 1
    if rank(n, level) > n:
        with pytest.raises(InputError, match=f"needs at least {fewest(level)} rows, got {n}"):
            calibrate(given_[1:], level)
        return
    # Even with one more that is infinite there must be a threshold; else there is none to speak of.
    if n - rank(n, level) < np.count_nonzero(~np.isfinite(given_)):
        return
    assert Fraction(left_out(given_, level), n + 1) <= Fraction(repr(level))


def test_false_alarms_on_fresh_rows_are_beta_binomial() -> None:
    rng, n, level, fresh, rounds = np.random.default_rng(7), 99, 0.05, 400, 3000
    above = np.empty(rounds, int)
    for i in range(rounds):
        limit = calibrate(rng.standard_cauchy(n), level).threshold
        above[i] = np.count_nonzero(np.abs(rng.standard_cauchy(fresh)) > limit)
    k = rank(n, level)

    def p_value(k: int) -> float:
        law = stats.betabinom(fresh, n + 1 - k, k)
        edges = [-1, *law.ppf(np.arange(1, 10) / 10).astype(int), fresh]
        expected = np.diff(law.cdf(edges)) * rounds
        found = np.histogram(above, np.array(edges) + 0.5)[0]
        return float(stats.chisquare(found, expected).pvalue)

    assert p_value(k) > 1e-3
    assert p_value(k - 1) < 1e-6 > p_value(k + 1)


def test_too_few_rows_are_refused_with_the_smallest_number_that_will_do() -> None:
    for level in (0.01, 0.001, 0.3, 0.07):
        n = fewest(level)
        assert calibrate(np.arange(1.0, n + 1), level).threshold == float(n)
        with pytest.raises(InputError, match=rf"a level of {level} needs at least {n} rows, got {n - 1}"):
            calibrate(np.arange(n - 1.0), level)


def test_what_is_not_finite_counts_as_infinitely_bad() -> None:
    values = np.arange(1.0, 1000.0)
    values[:9] = np.nan, np.inf, -np.inf, *[np.nan] * 6
    found = calibrate(values, 0.01)
    assert (found.unbounded, found.threshold) == (9, 999.0)
    values[9] = np.nan
    with pytest.raises(InputError, match=r"10 of 999 are not finite, and a level of 0\.01 leaves room for 9"):
        calibrate(values, 0.01)


@pytest.mark.parametrize(
    ("values", "level", "message"),
    [
        ([[1.0]], 0.5, r"expected numbers \[n\], got float64 \[1, 1\]"),
        (["a"], 0.5, r"expected numbers \[n\]"),
        ([1j] * 9, 0.5, r"expected numbers \[n\], got complex128"),
        ([True] * 9, 0.5, r"expected numbers \[n\], got bool"),
        ([1.0] * 9, 0.0, "level expected a number between 0 and 1, got 0.0"),
        ([1.0] * 9, 1.0, "level expected a number between 0 and 1"),
        ([1.0] * 9, math.nan, "level expected a number between 0 and 1, got nan"),
        ([], 0.5, "needs at least 1 rows, got 0"),
    ],
)
def test_nonsense_is_refused(values: Any, level: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        calibrate(values, level)


@given(st.lists(st.floats(0, 2.0**99, width=32) | st.just(math.nan), min_size=1, max_size=200), levels)
def test_what_is_found_can_be_written_and_its_threshold_is_a_score(values: list[float], level: float) -> None:
    try:
        found = calibrate(np.array(values, np.float32), level)
    except InputError:
        return
    assert found.threshold in (*values, SMALLEST)
    assert float(np.float32(found.threshold)) == found.threshold > 0
    monitor = found.monitor("residual", 3, "uniform in the box")
    assert Monitor.from_json(monitor.to_json()) == monitor
    assert max(monitor.quantiles) <= found.threshold


def test_a_numpy_level_is_a_level() -> None:
    a = calibrate(np.arange(1.0, 1000.0), 0.01)
    assert a == calibrate(np.arange(1, 1000), np.float64(0.01)) == Calibration(**vars(a))
    assert a.threshold == 990.0
    assert dict(zip(a.probabilities, a.quantiles, strict=True))[0.5] == 500.0
