"""Newmark's scheme against closed forms: orders in dt, energy, the stability limit."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, diags

from edgepde.errors import ProblemError
from edgepde.problems.newmark import FOX_GOODWIN, Newmark, largest_eigenvalue, step_limit

ONE = csc_matrix(np.eye(1))


def chain(n: int) -> tuple[csc_matrix, csc_matrix]:
    """Mass and stiffness of a bar of n linear elements."""
    ones = np.ones(n)
    mass = diags([ones / 6, np.r_[1 / 3, np.full(n - 1, 2 / 3), 1 / 3], ones / 6], [-1, 0, 1]) / n
    stiff = diags([-ones, np.r_[1.0, np.full(n - 1, 2.0), 1.0], -ones], [-1, 0, 1]) * n
    return csc_matrix(mass), csc_matrix(stiff)


def last(scheme: Newmark, source: np.ndarray, start: np.ndarray | None = None) -> float:
    *_, end = scheme.march(np.ones(1), source, start)
    return float(end[0])


@pytest.mark.parametrize(("beta", "order"), [(FOX_GOODWIN, 4), (0.25, 2), (0.0, 2)])
def test_a_released_oscillator_converges_at_the_order_of_beta(beta: float, order: int) -> None:
    omega, errors = 3.0, []
    for steps in (40, 80):
        scheme = Newmark(ONE, csc_matrix(np.array([[omega**2]])), 1.0 / steps, beta)
        errors.append(abs(last(scheme, np.zeros(steps + 2), np.ones(1)) - math.cos(omega)))
    assert order - 0.2 < math.log2(errors[0] / errors[1]) < order + 0.5


@pytest.mark.parametrize(("beta", "order"), [(FOX_GOODWIN, 4), (0.25, 2)])
def test_a_driven_oscillator_converges_at_the_order_of_beta(beta: float, order: int) -> None:
    """u'' + 9 u = f with u = sin(2 t)^6, whose source begins smoothly."""

    def force(t: np.ndarray) -> np.ndarray:
        s, c = np.sin(2 * t), np.cos(2 * t)
        return np.where(t > 0, 120 * s**4 * c**2 - 24 * s**6 + 9 * s**6, 0.0)

    errors = []
    for steps in (60, 120):
        times = np.arange(-1, steps + 1) / steps
        found = last(Newmark(ONE, csc_matrix(np.array([[9.0]])), 1.0 / steps, beta), force(times))
        errors.append(abs(found - math.sin(2.0) ** 6))
    assert order - 0.3 < math.log2(errors[0] / errors[1]) < order + 0.6


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.floats(0.0, 0.25), st.floats(0.05, 0.99), st.integers(0, 2**31))
def test_energy_stays(n: int, beta: float, share: float, seed: int) -> None:
    mass, stiff = chain(n)
    limit = step_limit(largest_eigenvalue(stiff, mass), min(beta, 0.24))
    scheme = Newmark(mass, stiff, share * limit, beta)
    start = np.random.default_rng(seed).standard_normal(n + 1)
    steps = list(scheme.march(np.zeros(n + 1), np.zeros(60), start))
    energies = np.array([scheme.energy(a, b) for a, b in itertools.pairwise(steps)])
    assert energies[0] > 0
    assert np.ptp(energies) <= 1e-9 * energies[0]


@pytest.mark.parametrize("beta", [0.0, FOX_GOODWIN, 0.2])
def test_the_limit_is_where_it_blows_up(beta: float) -> None:
    mass, stiff = chain(40)
    limit = step_limit(largest_eigenvalue(stiff, mass), beta)
    start = np.random.default_rng(0).standard_normal(41)
    sizes = []
    for share in (0.99, 1.01):
        scheme = Newmark(mass, stiff, share * limit, beta, limit=math.inf)
        *_, end = scheme.march(np.zeros(41), np.zeros(802), start)
        sizes.append(float(np.abs(end).max()))
    assert sizes[0] < 100 * np.abs(start).max()
    assert sizes[1] > 1e10


@pytest.mark.parametrize("n", [5, 60])
def test_the_largest_eigenvalue(n: int) -> None:
    """Of a bar of n elements: 12 n^2, alternating ends."""
    mass, stiff = chain(n)
    assert largest_eigenvalue(stiff, mass) == pytest.approx(12.0 * n**2, rel=1e-6)


def test_a_quarter_has_no_limit() -> None:
    assert step_limit(1e9, 0.25) == math.inf


def test_a_step_above_the_limit_is_refused_with_the_limit() -> None:
    mass, stiff = chain(40)
    limit = step_limit(largest_eigenvalue(stiff, mass), FOX_GOODWIN)
    with pytest.raises(ProblemError, match=f"step: .* above the stability limit {limit:g}"):
        Newmark(mass, stiff, 1.001 * limit)
    Newmark(mass, stiff, 0.999 * limit)


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan, math.inf])
def test_a_step_that_is_no_step(step: float) -> None:
    with pytest.raises(ProblemError, match="step: expected a positive number"):
        Newmark(ONE, ONE, step, limit=1.0)


@pytest.mark.parametrize("beta", [-0.1, 0.3, math.nan])
def test_beta_outside(beta: float) -> None:
    with pytest.raises(ProblemError, match=r"beta: expected 0 \.\. 1/4"):
        Newmark(ONE, ONE, 0.1, beta, limit=1.0)
