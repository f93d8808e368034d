"""Scattered readings: exact on polynomials, a bound that holds, too few neighbours refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.mollifier.scattered import scattered


@settings(max_examples=20)
@given(st.integers(0, 2**20), st.integers(1, 5), st.sampled_from([1, 2, 3]), st.booleans())
def test_polynomials_are_exact_and_the_bound_holds(seed: int, degree: int, d: int, ball: bool) -> None:
    rng = np.random.default_rng(seed)
    degree = min(degree, 3) if d == 3 else degree
    points, targets = rng.random((500, d)), rng.random((9, d))
    orders = [p for p in itertools.product(range(3), repeat=d) if sum(p) <= min(degree, 2)]
    order = orders[seed % len(orders)]
    made = scattered(points, targets, order, degree, radius=0.45 if ball and d == 2 else None)
    direction = rng.standard_normal(d)
    direction /= np.linalg.norm(direction)
    along, factor = points @ direction, np.prod(direction ** np.array(order))
    k = sum(order)
    for power in range(degree + 1):
        slope = np.prod(np.arange(power, power - k, -1)) * (targets @ direction) ** max(power - k, 0) * factor
        assert np.allclose(made.apply(along**power), slope, rtol=1e-7, atol=1e-9 * made.gain.max())
    for frequency in (0.5, 3.0, 20.0):
        exact = frequency**k * np.sin(frequency * (targets @ direction) + k * np.pi / 2) * factor
        error = np.abs(made.apply(np.sin(frequency * along)) - exact)
        assert (error <= made.bias * frequency ** (degree + 1) + 1e-12 * made.gain).all()
    assert np.allclose(made.gain, np.abs(made.matrix.toarray()).sum(1))
    assert np.allclose(made.spread, np.sqrt((made.matrix.toarray() ** 2).sum(1)))


def test_what_cannot_be_fitted_is_refused_with_its_target() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((40, 2))
    with pytest.raises(InputError, match="target 0: expected at least 45 neighbours, got 40"):
        scattered(points, points[:1], (0, 0), 8)
    with pytest.raises(InputError, match="target 1: expected at least 6 neighbours, got"):
        scattered(points, [[0.5, 0.5], [9.0, 9.0]], (1, 0), 2, radius=0.6)
    line = np.column_stack([np.linspace(0, 1, 40), np.linspace(0, 1, 40)])
    with pytest.raises(InputError, match="target 0: expected neighbours that determine a polynomial"):
        scattered(line, line[:1], (1, 0), 2)
    with pytest.raises(InputError, match="degree: expected at least the order"):
        scattered(points, points[:1], (2, 1), 2)
    with pytest.raises(InputError, match="points: expected finite places"):
        scattered([[0.0, np.nan]], points[:1], (0, 0), 0)
    with pytest.raises(InputError, match="expected 2 coordinates, got 1"):
        scattered(points, [[0.5]], (0, 0), 0)


def test_readings_of_another_size_or_missing_are_refused() -> None:
    points = np.random.default_rng(0).random((40, 2))
    made = scattered(points, points[:3], (1, 0), 2)
    assert made.apply(np.ones((5, 40))).shape == (5, 3)
    for wrong in (np.ones(39), np.full(40, np.nan)):
        with pytest.raises(InputError, match="readings: expected 40 finite values"):
            made.apply(wrong)
