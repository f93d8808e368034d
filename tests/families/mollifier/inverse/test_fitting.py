"""Fits of readings: bases and their derivatives, gaps, noise carried to normal equations, penalties."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.inverse import spline
from edgepde.mollifier.inverse.bases import Basis, cosines, polynomials, splines, windows
from edgepde.mollifier.inverse.regression import penalised, regress
from edgepde.mollifier.inverse.smoothing import Smoothed, along, smooth
from edgepde.mollifier.inverse.space import gram, space
from edgepde.mollifier.inverse.statement import statement
from edgepde.mollifier.inverse.strong import joined

UNEVEN = Axis("x", np.sort(np.random.default_rng(0).uniform(-1.0, 2.0, 40)))
EVEN = Axis("x", np.linspace(-1.0, 2.0, 40))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), even=st.booleans(), order=st.integers(0, 4))
def test_polynomials_are_reproduced_with_their_derivatives(seed: int, even: bool, order: int) -> None:
    axis = EVEN if even else UNEVEN
    p = np.polynomial.Polynomial(np.random.default_rng(seed).standard_normal(5))
    for basis in (polynomials(axis, 7), splines(axis, 10), windows(axis, 6, 5)):
        got = basis.synthesis(order) @ (basis.analysis.T @ p(axis.values))
        wanted = p.deriv(order)(axis.values) if order else p(axis.values)
        np.testing.assert_allclose(got, wanted, atol=1e-5 * (1.0 + np.abs(p.coef).max()) * 10.0**order)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.sampled_from([0, 1, 2, 3, 4]))
def test_cosines_are_reproduced_with_their_derivatives(seed: int, order: int) -> None:
    a = np.random.default_rng(seed).standard_normal(6)
    basis, k = cosines(EVEN, 12), np.pi * np.arange(6) / 3.0
    phase = np.outer(EVEN.values + 1.0, k)
    got = basis.synthesis(order) @ (basis.analysis.T @ (np.cos(phase) @ a))
    np.testing.assert_allclose(got, (np.cos(phase + 0.5 * np.pi * order) * k**order) @ a, atol=1e-8 * 10.0**order)


def test_pinned_polynomials_vanish_at_both_ends() -> None:
    basis = polynomials(EVEN, 6, pinned=True)
    assert np.abs(basis.synthesis(0)[[0, -1]]).max() < 1e-12


def wave(missing: float, noise: float = 0.02, seed: int = 0) -> tuple[Grid, np.ndarray, np.ndarray]:
    grid = Grid.of(t=np.linspace(0.0, 1.0, 8), y=np.linspace(0.0, 1.0, 17), x=np.linspace(0.0, 1.0, 19))
    m = grid.mesh()
    u = 1.0 + np.exp(-m["t"]) * np.cos(2 * np.pi * m["y"]) * np.cos(np.pi * m["x"])
    random = np.random.default_rng(seed)
    values = u + noise * random.standard_normal(u.shape)
    values[random.random(u.shape) < missing] = np.nan
    return grid, u, values


@pytest.mark.parametrize(
    ("missing", "boundary"), [(0.0, "zero-flux"), (0.3, "zero-flux"), (0.7, "zero-flux"), (0.0, ""), (0.3, "")]
)
def test_smoothing_finds_field_and_noise_whatever_is_missing(missing: float, boundary: str) -> None:
    grid, u, values = wave(missing)
    made = smooth(values, grid, boundary)  # type: ignore[arg-type]
    fit = made.derivative((0, 0, 0))
    assert np.isfinite(fit).all()
    assert np.sqrt(((fit - u) ** 2).mean()) < 0.015
    assert made.sigma == pytest.approx(0.02, rel=0.1)
    assert made.description


def test_a_fit_with_gaps_is_least_squares_over_what_is_there() -> None:
    grid, _, values = wave(0.4)
    made = smooth(values, grid, "zero-flux")
    whole = np.einsum("ta,yb,xc->tyxabc", *(b.synthesis(0) for b in made.bases)).reshape(values.size, -1)
    read = np.isfinite(values).ravel()
    wanted, *_ = np.linalg.lstsq(whole[read], values.ravel()[read], rcond=None)
    np.testing.assert_allclose(made.coefficients.ravel(), wanted, atol=1e-4)


def test_too_few_readings_are_refused() -> None:
    grid, _, values = wave(0.0)
    values[:] = np.nan
    values[0, 0, :5] = 1.0
    with pytest.raises(InputError, match="readings: expected"):
        smooth(values, grid, "zero-flux")


def test_an_axis_too_short_for_windows_is_named() -> None:
    grid = Grid.of(y=np.arange(6.0), x=np.arange(30.0))
    with pytest.raises(InputError, match="axis y: expected 7 samples"):
        smooth(np.ones(grid.shape), grid, "")


def test_a_noise_that_is_known_is_used() -> None:
    grid, _, values = wave(0.0)
    assert smooth(values, grid, "zero-flux", noise=0.5).sigma == 0.5


def heat(noise: float) -> tuple[Grid, Smoothed, spline.Fields]:
    grid, _, values = wave(0.0, noise)
    made = smooth(values, grid, "zero-flux")
    return grid, made, spline.fields(made, grid, statement("heat_field"))


def test_noise_carried_to_the_normal_equations_is_their_slope() -> None:
    grid, made, sides = heat(0.01)
    own = space(grid, "yx")
    lam = own.spread(0.01 + 0.001 * np.arange(17.0)[:, None] * np.ones(19))
    slopes = joined([(1.0, sides.target_slopes), (-lam, sides.operator_slopes)])
    rows = spline._carried(sides.operator, slopes, made, own)
    way = np.random.default_rng(1).standard_normal(made.coefficients.shape)
    h = 1e-6

    def at(sign: float) -> np.ndarray:
        other = Smoothed(made.bases, made.coefficients + sign * h * way, made.sigma, made.read)
        f = spline.fields(other, grid, statement("heat_field"))
        return own.load((sides.operator * (f.target - lam * f.operator)).sum(0))

    wanted = (at(1.0) - at(-1.0)) / (2.0 * h)
    np.testing.assert_allclose(rows @ way.ravel(), wanted, rtol=1e-5, atol=1e-6 * np.abs(wanted).max())


def test_the_mean_of_products_of_noise_is_that_of_dense_matrices() -> None:
    grid, made, sides = heat(0.01)
    variance = spline.noise_of_operator(sides, made) / made.sigma**2
    y, x = made.bases[1:]
    lines = [
        np.einsum("yb,xc->yxbc", y.synthesis(2), x.synthesis(0))
        + np.einsum("yb,xc->yxbc", y.synthesis(0), x.synthesis(2))
    ]
    plane = (lines[0] ** 2).sum((2, 3))
    time = (made.bases[0].synthesis(0) ** 2).sum(1)
    np.testing.assert_allclose(variance, time[:, None, None] * plane, rtol=1e-9)
    assert variance.shape == grid.shape


def test_curvature_is_the_integral_of_the_squared_second_derivative() -> None:
    grid = Grid.of(y=np.linspace(0.0, 1.0, 30), x=np.linspace(0.0, 1.0, 30))
    own = space(grid, "yx")
    y, x = np.linspace(0.0, 1.0, 30)[:, None], np.linspace(0.0, 1.0, 30)
    c, *_ = np.linalg.lstsq(np.kron(own.lines[0], own.lines[1]), (y**2 * x).ravel(), rcond=None)
    assert c @ own.rough @ c == pytest.approx(4.0 / 3.0 + 2.0 * 4.0 / 3.0, rel=1e-8)
    line = np.linalg.eigvalsh(gram(8, 2))
    assert (np.abs(line) < 1e-8 * line.max()).sum() == 2


def test_a_field_over_the_first_axis_is_spread_along_it() -> None:
    grid, _, _ = wave(0.0)
    own = space(grid, "t")
    assert own.spread(np.arange(8.0)).shape == (8, 1, 1)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_without_noise_the_coefficients_come_back(seed: int) -> None:
    random = np.random.default_rng(seed)
    a = random.standard_normal((30, 8))
    c, noise = random.standard_normal(8), 1e-12 * np.eye(8)
    made = regress(a.T @ a, a.T @ a @ c, noise, gram(8, 2))
    np.testing.assert_allclose(made.c, c, rtol=1e-4, atol=1e-4)


def test_a_smooth_truth_in_noise_gets_a_stronger_penalty_than_a_rough_one() -> None:
    random = np.random.default_rng(2)
    own = space(Grid.of(x=np.linspace(0.0, 1.0, 120)), "x")
    line = own.lines[0]
    smooth_truth, rough_truth = np.ones(own.count), random.standard_normal(own.count)
    found = []
    for truth in (smooth_truth, rough_truth):
        y = (line @ truth + 0.1 * random.standard_normal(120)) / 0.1
        w = line / 0.1
        found.append(penalised(w.T @ w, w.T @ y, float(y @ y), 120, own.rough).strength)
    assert found[0] > 100.0 * found[1]


def test_the_stated_covariance_is_that_of_repeated_noise() -> None:
    random = np.random.default_rng(3)
    own = space(Grid.of(x=np.linspace(0.0, 1.0, 120)), "x")
    line, truth = own.lines[0], np.sin(3.0 * np.linspace(0.0, 1.0, own.count))
    inside = []
    for _ in range(40):
        y = (line @ truth + 0.1 * random.standard_normal(120)) / 0.1
        made = penalised(line.T @ line / 0.01, line.T @ y / 0.1, float(y @ y), 120, own.rough)
        deviation = np.sqrt(np.einsum("ni,ij,nj->n", line, made.covariance, line))
        inside.append(np.abs(line @ (made.c - truth)) < 1.645 * deviation)
    assert 0.8 < np.mean(inside) < 0.98


def test_a_cut_basis_is_the_first_columns() -> None:
    whole: Basis = cosines(EVEN, 9)
    part = whole.first(4)
    assert part.count == 4
    assert part.trace == pytest.approx(4.0)
    np.testing.assert_array_equal(part.synthesis(2), whole.synthesis(2)[:, :4])
    np.testing.assert_allclose(along(np.eye(40)[0], [part.analysis.T]), part.analysis[0])
