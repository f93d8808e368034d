"""Burgers' exact solution is one, down to the smallest viscosity; lift and mask keep what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.problems.burgers import burgers, cole_hopf
from edgepde.problems.derivatives import lift_factors, mask_derivatives, term_coefficients, term_table

Array = NDArray[np.float64]
NU = [0.005, 0.02, 0.1, 1.0]


def at(nu: float, x: Array, t: Array, **options: float) -> Array:
    return cole_hopf(np.array([[nu]]), np.stack([x, t], axis=1), **options)[0]


@pytest.mark.parametrize("nu", NU)
def test_it_satisfies_the_equation(nu: float) -> None:
    """Sixth-order differences, with a step fitted to the layer."""
    rng = np.random.default_rng(0)
    x, t = rng.uniform(-1, 1, 60), rng.uniform(0.05, 0.95, 60)
    x[:20] = rng.uniform(-4, 4, 20) * min(nu, 0.2)
    h = min(0.01, 0.1 * nu)
    k = np.arange(-3, 4)
    first, second = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60, np.array([2, -27, 270, -490, 270, -27, 2]) / 180
    along_x = np.stack([at(nu, x + j * h, t) for j in k], axis=1)
    along_t = np.stack([at(nu, x, t + j * h) for j in k], axis=1)
    u, u_x, u_xx, u_t = along_x[:, 3], along_x @ first / h, along_x @ second / h**2, along_t @ first / h
    size = np.abs(u_t) + np.abs(u * u_x) + nu * np.abs(u_xx)
    assert np.abs(u_t + u * u_x - nu * u_xx).max() <= 1e-6 * max(1.0, size.max())


@pytest.mark.parametrize("nu", NU)
def test_it_meets_the_initial_and_boundary_conditions(nu: float) -> None:
    s = np.linspace(-1, 1, 41)
    np.testing.assert_allclose(at(nu, s, np.zeros(41)), -np.sin(np.pi * s), atol=1e-14)
    t = np.linspace(0, 1, 41)
    for side in (-1.0, 0.0, 1.0):
        np.testing.assert_allclose(at(nu, np.full(41, side), t), 0.0, atol=1e-12)


@given(st.floats(0.005, 1), st.floats(-1, 1), st.floats(0, 1))
def test_it_is_odd_and_below_its_start(nu: float, x: float, t: float) -> None:
    here, there = at(nu, np.array([x, -x]), np.array([t, t]))
    assert here == pytest.approx(-there, abs=1e-12)
    assert abs(here) <= 1.0 + 1e-12
    assert here * x <= 1e-12  # it flows towards the layer


@given(st.floats(0.005, 1), st.integers(0, 2**31))
def test_halving_the_quadrature_step_changes_nothing(nu: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, t = rng.uniform(-1, 1, 20), rng.uniform(0, 1, 20)
    x[:10] *= 0.02
    np.testing.assert_allclose(at(nu, x, t), at(nu, x, t, step=0.05), atol=1e-12)


def test_more_points_than_a_block_and_several_viscosities_come_out_alike() -> None:
    rng = np.random.default_rng(1)
    points = np.stack([rng.uniform(-1, 1, 5000), rng.uniform(0, 1, 5000)], axis=1)
    nu = np.array([[0.05], [0.5]])
    both = cole_hopf(nu, points)
    assert both.shape == (2, 5000)
    for b in range(2):
        np.testing.assert_array_equal(both[b, 4090:4100], cole_hopf(nu[b : b + 1], points[4090:4100])[0])


def finite_differences(nu: float, cells: int, steps: int) -> tuple[Array, Array]:
    """u at t = 1 on [0, 1] by Crank-Nicolson with central fluxes, each step's equations solved by Newton."""
    x = np.linspace(0, 1, cells + 1)
    h, dt, u = 1 / cells, 1 / steps, -np.sin(np.pi * x)

    def rate(u: Array) -> Array:
        flux = u * u / 2
        return -(flux[2:] - flux[:-2]) / (2 * h) + nu * (u[2:] - 2 * u[1:-1] + u[:-2]) / h**2

    for _ in range(steps):
        old, u = u, u.copy()
        for _ in range(3):
            middle = u[1:-1]
            lower, upper = u[:-2] / (2 * h) + nu / h**2, -u[2:] / (2 * h) + nu / h**2
            jac = np.diag(1 + dt * nu / h**2 * np.ones_like(middle))
            jac -= dt / 2 * (np.diag(lower[1:], -1) + np.diag(upper[:-1], 1))
            u[1:-1] -= np.linalg.solve(jac, middle - old[1:-1] - dt / 2 * (rate(u) + rate(old)))
    return x, u


def test_a_finite_difference_solver_finds_the_same_solution() -> None:
    """Two grids, extrapolated: an independent way to the same numbers."""
    x, coarse = finite_differences(0.1, 50, 50)
    _, fine = finite_differences(0.1, 100, 100)
    extrapolated = (4 * fine[::2] - coarse) / 3
    exact = at(0.1, x, np.ones_like(x))
    assert np.abs(coarse - exact).max() < 3e-3
    assert np.abs(extrapolated - exact).max() < 5e-5


def test_the_lift_meets_the_conditions_and_solves_the_heat_equation() -> None:
    problem = burgers()
    mu = torch.tensor([[0.005], [0.3], [1.0]], dtype=torch.float64)
    s = torch.linspace(-1, 1, 21, dtype=torch.float64)
    zero, one = torch.zeros_like(s), torch.ones_like(s)
    start = lift_factors(problem, ("u",), torch.stack([s, zero], 1), mu)[:, 0]
    torch.testing.assert_close(start, (-torch.sin(torch.pi * s)).expand(3, 21))
    for side in (-1.0, 0.0, 1.0):
        edge = lift_factors(problem, ("u",), torch.stack([side * one, (s + 1) / 2], 1), mu)
        torch.testing.assert_close(edge, torch.zeros_like(edge))
    u_t, u_xx = lift_factors(problem, ("u_t", "u_xx"), torch.stack([s, (s + 1) / 2], 1), mu).unbind(1)
    torch.testing.assert_close(u_t, mu * u_xx)


def test_the_mask_vanishes_where_values_are_given_and_nowhere_else() -> None:
    problem = burgers()
    s = torch.linspace(0, 1, 21, dtype=torch.float64)
    zero, one = torch.zeros_like(s), torch.ones_like(s)
    for edge in ((s, zero), (zero, s), (one, s)):
        (mask,) = mask_derivatives(problem, [(0, 0)], torch.stack(edge, 1))
        assert not mask.any()
    inner = torch.rand(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.98 + 0.01
    assert (mask_derivatives(problem, [(0, 0)], inner)[0] > 0).all()
    end = torch.stack([s[1:-1], one[1:-1]], 1)
    assert (mask_derivatives(problem, [(0, 0)], end)[0] > 0).all()


@pytest.mark.parametrize("nu", [0.02, 0.5])
def test_the_stated_terms_are_burgers_equation(nu: float) -> None:
    """The exact solution's factors, put into the terms, leave nothing."""
    problem = burgers()
    rng = np.random.default_rng(2)
    x, t, h = rng.uniform(-0.9, 0.9, 20), rng.uniform(0.1, 0.9, 20), 1e-3
    u, left, right = at(nu, x, t), at(nu, x - h, t), at(nu, x + h, t)
    factor = {
        "u": u,
        "u_x": (right - left) / (2 * h),
        "u_xx": (right - 2 * u + left) / h**2,
        "u_t": (at(nu, x, t + h) - at(nu, x, t - h)) / (2 * h),
    }
    points = torch.from_numpy(np.stack([x, t], axis=1))
    coefficients = term_coefficients(problem, points, torch.tensor([[nu]], dtype=torch.float64))[0].numpy()
    values = [*[factor[f] for f in problem.factors], np.ones(20)]
    residual = sum(
        c * np.prod([values[f] for f in row], axis=0) for c, row in zip(coefficients, term_table(problem), strict=True)
    )
    assert np.abs(residual).max() < 2e-3 * max(np.abs(v).max() for v in factor.values())


@given(st.integers(0, 2**31))
def test_parameters_scale_there_and_back(seed: int) -> None:
    problem = burgers(0.005, 1.0)
    mu = np.exp(np.random.default_rng(seed).uniform(np.log(0.005), 0, (5, 1)))
    s = problem.scaled(mu)
    assert (np.abs(s) <= 1 + 1e-12).all()
    np.testing.assert_allclose(problem.unscaled(s), mu, rtol=1e-12)
    np.testing.assert_allclose(
        problem.scaled(np.array([[0.005], [np.sqrt(0.005)], [1.0]])), [[-1], [0], [1]], atol=1e-12
    )
