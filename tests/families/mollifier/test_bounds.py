"""The stated bound holds at every row, for functions whose derivatives are known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from edgepde_runtime.ops.mollified_derivative.reference import run
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.mollifier.bank import Bank, bank
from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.kernels import kernel
from edgepde.mollifier.names import Index, combination
from edgepde.mollifier.settings import Setting

Floats = NDArray[np.float64]
NAMES = ("u", "u_x", "u_y", "u_xx", "u_xy", "u_xxyy", "u_xxx", "u_yyyy", "laplacian", "biharmonic")
EVALUATION = 2.0**-50
"""How far numpy's values of the functions below may be off: what the readings' errors are without noise."""


def places(seed: int, samples: int, uneven: float, length: float) -> Floats:
    """Increasing places from -length / 3, gaps apart by a factor of up to 1 + uneven."""
    gaps = 1.0 + uneven * np.random.default_rng(seed).random(samples - 1)
    return length * (np.append(0.0, np.cumsum(gaps)) / gaps.sum() - 1 / 3)


class Wave:
    """prod_a sin(f_a s_a + phase_a); |D^alpha| <= prod f_a^alpha_a."""

    def __init__(self, frequencies: tuple[float, ...], phase: float) -> None:
        self.frequencies, self.phase = frequencies, phase

    def __call__(self, grid: Grid, orders: Index) -> Floats:
        parts = [
            f**k * np.sin(f * axis.values + self.phase * (i + 1) + k * np.pi / 2)
            for i, (f, k, axis) in enumerate(zip(self.frequencies, orders, grid.axes, strict=True))
        ]
        return np.asarray(math.prod(np.ix_(*parts)))

    def largest(self, orders: Index) -> float:
        return math.prod(f**k for f, k in zip(self.frequencies, orders, strict=True))

    def derivative(self, grid: Grid, name: str) -> Floats:
        return np.asarray(sum(c * self(grid, orders) for c, orders in combination(name, grid.letters)))


def worst(made: Bank, wave: Wave, noise: float = 0.0, dtype: type = np.float64) -> float:
    """Largest error over its bound, readings off by at most `noise`."""
    shape = made.grid.shape
    u = wave(made.grid, (0,) * len(shape))
    off = noise * np.sign(np.random.default_rng(3).standard_normal(shape))
    y = made.apply((u + off).astype(dtype))
    extra = 2.0**-24 if dtype is np.float32 else EVALUATION
    bound = made.bound(wave.largest, noise * (1 + 1e-12) + extra * (1 + noise))
    exact = np.stack([wave.derivative(made.grid, name) for name in made.names])
    error = np.abs(y - exact)
    return float(np.divide(error, bound, out=np.where(error > 0, np.inf, 0.0), where=bound > 0).max())


@settings(max_examples=60)
@given(
    st.integers(0, 2**20),
    st.integers(0, 4),
    st.integers(0, 7),
    st.integers(0, 6),
    st.sampled_from(["polynomial", "bump"]),
    st.sampled_from([0.0, 0.3, 3.0]),
    st.floats(0.1, 20.0),
)
def test_one_axis(seed: int, order: int, more: int, wider: int, profile: str, uneven: float, frequency: float) -> None:
    degree = order + more
    half = max((degree + 1) // 2 + wider, 1)
    axis = Axis("x", places(seed, 2 * half + 1 + seed % 9, uneven, 1.0 + seed % 3))
    made = bank(Grid((axis,)), ["u_" + "x" * order if order else "u"], degree, half, profile, smooth=True)
    assert worst(made, Wave((frequency,), seed % 63 / 10)) <= 1.0
    assert worst(made, Wave((frequency,), seed % 63 / 10), noise=1e-3) <= 1.0


@settings(max_examples=10)
@given(st.integers(0, 2**20), st.integers(4, 12), st.booleans(), st.sampled_from([0.0, 1.0]), st.floats(0.1, 12.0))
def test_products_and_sums(seed: int, degree: int, smooth: bool, uneven: float, frequency: float) -> None:
    grid = Grid.of(y=places(seed, 19, uneven, 1.0), x=places(seed + 1, 24, 0.0, 3.0))
    made = bank(grid, NAMES, degree=degree, half={"y": 6 + seed % 3, "x": 7}, smooth=smooth)
    assert worst(made, Wave((frequency, 1.7 * frequency), seed % 63 / 10)) <= 1.0
    assert worst(made, Wave((frequency, 0.4), seed % 63 / 10), dtype=np.float32) <= 1.0


def test_whole_lines_and_three_axes() -> None:
    grid = Grid.of(t=np.linspace(0, 1, 10), y=np.linspace(0, 2, 12), x=np.linspace(-1, 1, 13))
    made = bank(grid, ["u_t", "u_xx", "u_txy", "laplacian", "biharmonic"], degree=8, half="line", smooth=True)
    assert [t.shape[1:] for t in made.taps] == [(10, 10), (12, 12), (13, 13)]
    for frequency in (0.3, 2.0, 6.0):
        assert worst(made, Wave((frequency, 1.0, 2.0), 0.3)) <= 1.0


def test_other_kernels_at_the_ends() -> None:
    plans = {
        "u_xx": {(0, 2): (Setting(0, 2, 3), Setting(2, 7, 5, edge=Setting(2, 4, 9), rows=4))},
        "u_xxyy": {(2, 2): (Setting(2, 5, None, edge=Setting(2, 3, 6), rows=3), Setting(2, 6, 8))},
    }
    for uneven in (0.0, 1.0):
        grid = Grid.of(y=places(1, 19, uneven, 1.0), x=places(2, 24, uneven, 3.0))
        made = bank(grid, list(plans), plans=plans)
        for frequency in (0.2, 2.0, 9.0):
            assert worst(made, Wave((frequency, 1.3 * frequency), 0.4)) <= 1.0


def test_samples_beside_even_places() -> None:
    even = np.linspace(0, 1, 31)
    shaken = even + 4e-7 / 30 * np.sin(np.arange(31.0) * 9)
    grid = Grid.of(x=np.sort(shaken))
    assert grid.axes[0].uniform
    made = bank(grid, ["u_x", "u_xx", "u_xxxx"], degree=10, half=8)
    wave = Wave((3.0,), 0.2)
    assert worst(made, wave) <= 1.0
    without = bank(Grid.of(x=even), made.names, degree=10, half=8)
    assert np.abs(without.apply(wave(grid, (0,))) - without.apply(wave(without.grid, (0,)))).max() > 10 * (
        without.bound(wave.largest).min()
    )


@pytest.mark.parametrize("profile", ["polynomial", "bump"])
def test_the_bound_is_reached_within_a_few_percent(profile: str) -> None:
    """The next monomial is the worst function of kernels whose Peano kernel keeps its sign, at every interior row."""
    axis = Axis("x", np.linspace(0, 1, 41))
    for order, degree in itertools.product((0, 1, 2), (1, 3, 5)):
        own = kernel(axis, order, max(order, degree), 6, profile)
        p = int(own.degree[6])
        error = own.matrix(41) @ axis.values ** (p + 1)
        exact = axis.values ** (p + 1 - order) * math.perm(p + 1, order)
        ratio = np.abs(error - exact)[6:-6] / (own.bias[6] * math.factorial(p + 1))
        assert (ratio <= 1 + 1e-9).all()
        assert (ratio >= 0.5).all()


def test_carry_bounds_what_a_row_makes_of_the_derivative() -> None:
    axis = Axis("x", np.linspace(0, 1, 33))
    for order in range(5):
        own = kernel(axis, order, order + 3, 8)
        rows = own.matrix(33)
        for frequency in (0.0, 3.0, 40.0, 90.0):
            u = np.cos(frequency * axis.values[None] + np.linspace(0, 3, 7)[:, None])
            slack = 1e-12 * own.gain.max()
            assert np.abs(u @ rows.T).max() <= own.carry.max() * frequency**order + slack


def test_noise_is_counted_exactly() -> None:
    grid = Grid.of(y=np.linspace(0, 1, 14), x=np.linspace(0, 1, 15))
    made = bank(grid, ["u_xx", "laplacian", "biharmonic"], degree=6, half=5)
    unit = np.eye(14 * 15).reshape(-1, 14, 15)
    found = np.sqrt((made.apply(unit) ** 2).sum(0))
    assert np.allclose(found, made.spread, rtol=1e-10)
    signs = np.abs(made.apply(unit)).sum(0)
    bound = made.bound(lambda _: 0.0, noise=1.0, rounding=0.0)
    assert (signs <= bound * (1 + 1e-12)).all()
    assert np.allclose(signs[0], bound[0], rtol=1e-10)


def test_kernels_applied_before_carry_the_errors_of_later_ones() -> None:
    """With every derivative at most 1: the least over orders of bias_i + carry_i bias_j."""
    grid = Grid.of(y=places(1, 17, 1.0, 1.0), x=places(2, 19, 1.0, 2.0))
    plans = {"u_xxyy": {(2, 2): (Setting(2, 6, 4), Setting(2, 5, 5))}}
    made = bank(grid, ["u_xxyy"], plans=plans)
    y, x = (own[0] for own in made.kernels)
    assert y.carry.max() > 1.1
    first = y.bias[:, None] + y.carry[:, None] * x.bias[None]
    second = x.bias[None] + x.carry[None] * y.bias[:, None]
    shaken = made.bound(lambda orders: float(sum(orders) > 4), rounding=0.0)[0]
    moved = (y.jitter + x.jitter) * 1.0
    assert np.allclose(shaken, np.minimum(first, second) + moved, rtol=1e-10)


@pytest.mark.parametrize("half", [3, 9])
def test_rounding_of_float32_is_counted(half: int) -> None:
    """Random readings of at most 1: what the op in float32 is off by, of taps rounded to float32."""
    grid = Grid.of(y=np.linspace(0, 1, 25), x=np.linspace(0, 1, 30))
    made = bank(grid, ["u_x", "u_xx", "u_xxyy", "laplacian"], degree=4, half=half, smooth=True)
    field = np.random.default_rng(half).uniform(-1, 1, (40, 25, 30)).astype(np.float32)
    taps = [part.astype(np.float32) for part in made.taps]
    narrow = run([field[:, None], *taps, made.orders, made.combine.astype(np.float32)], {})[0]
    error = np.abs(narrow.reshape(40, 4, 25, 30) - made.apply(field.astype(np.float64))).max(0)
    bound = made.bound(lambda orders: float(not any(orders)), rounding=2.0**-24)
    assert (error <= bound).all()
    assert (error > 0.01 * bound).any()
