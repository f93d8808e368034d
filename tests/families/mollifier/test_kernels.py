"""Kernels: exact on polynomials, derivatives in the mean, orders of convergence; what sampled mollifiers lack."""

from __future__ import annotations

import math

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.mollifier.grid import Axis
from edgepde.mollifier.joining import joined
from edgepde.mollifier.kernels import kernel, taps
from edgepde.mollifier.profiles import names, profile
from edgepde.mollifier.sampled import corrected, sampled

Floats = NDArray[np.float64]


def wave(x: Floats, order: int, frequency: float = 2 * np.pi) -> Floats:
    return np.asarray(frequency**order * np.sin(frequency * x + order * np.pi / 2))


@settings(max_examples=60)
@given(
    st.integers(0, 2**20),
    st.integers(0, 5),
    st.integers(0, 6),
    st.integers(0, 5),
    st.sampled_from(names()),
    st.booleans(),
    st.booleans(),
)
def test_polynomials_up_to_every_rows_degree_are_exact(
    seed: int, order: int, more: int, wider: int, shape: str, even: bool, whole: bool
) -> None:
    rng = np.random.default_rng(seed)
    degree = order + more
    half = max((degree + 1) // 2 + wider, 1)
    n = 2 * half + 1 + seed % 5
    places = np.linspace(-1, 1, n) if even else np.cumsum(0.2 + rng.random(n)) / n
    own = kernel(Axis("x", places), order, degree, None if whole else half, shape)
    rows = own.matrix(n)
    used = np.arange(n) if len(own.taps) == n else None
    for power in range(degree + 2):
        exact = math.perm(power, order) * places ** max(power - order, 0)
        error = np.abs(rows @ places**power - exact)
        allowed = 1e-14 * (n + power) * np.abs(rows).sum(1) * np.abs(places).max() ** power + 1e-13
        if power <= degree:
            assert (error <= allowed).all()
        elif used is not None:
            assert (error[own.degree[used] >= power] <= allowed[own.degree[used] >= power]).all()


def test_symmetric_rows_are_exact_one_degree_further_where_parity_gives_it() -> None:
    axis = Axis("x", np.linspace(0, 1, 31))
    for order in range(5):
        for degree in range(order, 9):
            own = kernel(axis, order, degree, 6)
            assert own.degree[0] == own.degree[-1] == degree
            assert own.degree[6] == degree + (degree - order + 1) % 2


@given(st.integers(1, 5), st.integers(0, 5), st.integers(0, 2**20))
def test_integration_by_parts_on_samples(order: int, more: int, seed: int) -> None:
    """A row is a mean of k-th divided differences: w = H * difference^k with sum H = 1, so w u = H (D^k u)."""
    half = order + more // 2 + 3
    own = kernel(Axis("x", np.linspace(0, 2, 2 * half + 1)), order, order + more, half)
    h = 2.0 / (2 * half)
    u = np.random.default_rng(seed).standard_normal(2 * half + 1)
    for row in own.taps:
        mean = row * h**order
        for _ in range(order):
            mean = -np.cumsum(mean)[:-1]
        assert mean.sum() == pytest.approx(1.0, abs=1e-9)
        slack = 1e-10 * np.abs(mean).sum() * np.abs(u).max() / h**order
        assert row @ u == pytest.approx(mean @ np.diff(u, order) / h**order, abs=slack * 2**order)


@pytest.mark.parametrize("name", names())
def test_integration_by_parts_of_mollifiers(name: str) -> None:
    """int eta^(k) u = (-1)^k int eta u^(k), and eta^(k) is the derivative of eta^(k-1)."""
    x, weight = np.polynomial.legendre.leggauss(400)
    eta = profile(name)
    for order in range(1, 6):
        left = weight @ (eta.derivative(x, order) * np.exp(1.3 * x))
        right = (-1.3) ** order * weight @ (eta.derivative(x, 0) * np.exp(1.3 * x))
        assert left == pytest.approx(right, rel=1e-6)
        s, step = np.linspace(-0.9, 0.9, 41), 1e-5
        slope = (eta.derivative(s + step, order - 1) - eta.derivative(s - step, order - 1)) / (2 * step)
        assert np.allclose(slope, eta.derivative(s, order), rtol=1e-6, atol=1e-6 * np.abs(slope).max())
    assert (eta.derivative(np.array([-1.0, 1.0, 1.5]), 3) == 0).all()
    assert (eta.weight(np.linspace(-0.99, 0.99, 99).astype(np.longdouble)) > 0).all()


@pytest.mark.parametrize(("order", "degree"), [(0, 3), (1, 2), (1, 4), (2, 3), (2, 6), (4, 5), (4, 8)])
def test_errors_fall_with_the_radius_to_the_power_degree_plus_one_less_the_order(order: int, degree: int) -> None:
    errors = []
    for n in (33, 65):
        x = np.linspace(0, 1, n)
        error = np.abs(taps(Axis("x", x), order, degree, 6) @ np.exp(2 * x[:13]) - 2**order * np.exp(2 * x[:13]))
        errors.append((error[0], error[6]))
    for first, second, extra in zip(*errors, (0, (degree - order + 1) % 2), strict=True):
        assert math.log2(first / second) > degree + extra + 1 - order - 0.4


def test_rows_of_the_right_end_mirror_those_of_the_left() -> None:
    for order in range(4):
        own = taps(Axis("x", np.linspace(0, 1, 20)), order, order + 3, 5)
        assert np.array_equal(own, (-1) ** order * own[::-1, ::-1])


def test_uneven_and_whole_lines_have_a_row_for_every_sample() -> None:
    uneven = Axis("x", np.linspace(0, 1, 20) ** 1.5)
    assert taps(uneven, 1, 4, 4).shape == (20, 9)
    assert taps(uneven, 1, 4).shape == taps(Axis("x", np.linspace(0, 1, 20)), 1, 4).shape == (20, 20)


def test_another_kernel_at_the_ends() -> None:
    for x in (np.linspace(0, 1, 30), np.linspace(0, 1, 30) ** 1.3):
        axis = Axis("x", x)
        for inner, outer in (((5, 4), (3, 9)), ((5, None), (3, 6)), ((4, 7), (9, None))):
            a, b = kernel(axis, 2, *inner), kernel(axis, 2, *outer)
            both = joined(a, b, 4, 30)
            expected = np.concatenate([b.matrix(30)[:4], a.matrix(30)[4:-4], b.matrix(30)[-4:]])
            assert np.array_equal(both.matrix(30), expected)
            assert both.degree[0] == outer[0]
            assert both.bias[0] == pytest.approx(b.bias[0])


@pytest.mark.parametrize(
    ("order", "degree", "half", "message"),
    [
        (2, 1, 4, "axis x: expected a degree of at least the order 2, got 1"),
        (2, 9, 4, "axis x: degree 9: expected a window of 10 samples, got 9"),
        (2, 4, 8, "axis x: expected a window of at most its 16 samples, got 17"),
        (-1, 4, 4, "axis x: expected an order and a half width >= 0"),
        (1, 16, None, "axis x: degree 16: expected a window of 17 samples, got 16"),
    ],
)
def test_what_does_not_fit_an_axis_is_refused(order: int, degree: int, half: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        kernel(Axis("x", np.linspace(0, 1, 16)), order, degree, half)


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(InputError, match="profile: expected one of bump, polynomial, got 'hat'"):
        kernel(Axis("x", np.linspace(0, 1, 16)), 1, 2, 3, "hat")


def relative(order: int, w: Floats, spacing: float) -> float:
    """Root mean square error of a row for sin(2 pi x), at many places, relative."""
    places = np.linspace(0, 1, 50)
    near = places[:, None] + spacing * np.arange(-(len(w) // 2), len(w) // 2 + 1)
    error = wave(near, 0) @ w - wave(places, order)
    return float(np.sqrt(np.mean(error**2)) / wave(places, order).std())


def test_a_sampled_bump_is_useless_at_order_4_and_its_moments_mend_it() -> None:
    for samples in (8, 16, 32):
        h = 0.1 / samples
        assert relative(4, sampled(4, samples, h), h) > 100
        assert relative(4, corrected(4, samples, h, 5), h) < 0.05
        assert relative(4, corrected(4, samples, h, 7), h) < 2e-4
        assert relative(4, kernel(Axis("x", h * np.arange(2 * samples + 1)), 4, 7, samples).taps[samples], h) < 2e-4


def test_at_order_2_a_sampled_polynomial_has_the_mollifiers_own_bias() -> None:
    for samples in (8, 16, 32):
        h = 0.1 / samples
        bias = relative(2, sampled(2, samples, h, "polynomial"), h)
        assert 0.005 < bias < 0.02
        assert relative(2, corrected(2, samples, h, 5, "polynomial"), h) < 1e-3
