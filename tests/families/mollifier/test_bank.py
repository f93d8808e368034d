"""Banks: what the op gets, sums and products, missing readings, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.mollifier.bank import bank
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.settings import Setting

Floats = NDArray[np.float64]
Y, X = np.linspace(0, 1, 26), np.linspace(0, 2, 30)
GRID = Grid.of(y=Y, x=X)


def polynomial(grid: Grid) -> tuple[Floats, dict[str, Floats]]:
    """u = x^3 y^4 + x y - 2 and its derivatives."""
    mesh = grid.mesh()
    x, y = mesh["x"], mesh["y"]
    return x**3 * y**4 + x * y - 2, {
        "u": x**3 * y**4 + x * y - 2,
        "u_x": 3 * x**2 * y**4 + y,
        "u_xxyy": 72 * x * y**2,
        "laplacian": 6 * x * y**4 + 12 * x**3 * y**2,
        "biharmonic": 24 * x**3 + 144 * x * y**2,
    }


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("half", [5, "line", {"y": 4, "x": 7}])
def test_polynomials_are_differentiated_exactly(smooth: bool, half: int | str | dict[str, int]) -> None:
    for grid in (GRID, Grid.of(y=Y**1.5, x=X), Grid.of(y=1e-3 * Y, x=X)):
        u, exact = polynomial(grid)
        made = bank(grid, list(exact), degree=6, half=half, smooth=smooth)
        found = made.apply(np.stack([u, 2 * u]))
        assert found.shape == (2, 5, 26, 30)
        for o, name in enumerate(exact):
            gains = [math.prod(one.gain.max() for one in row if one) for row in made.products]
            allowed = 1e-11 * float(np.abs(made.combine[o]) @ gains) + 1e-12
            assert np.abs(found[0, o] - exact[name]).max() <= allowed, name
            assert np.allclose(found[1, o], 2 * found[0, o])


def test_axes_a_name_does_not_differentiate_by_stay_as_they_are() -> None:
    noise = np.random.default_rng(0).standard_normal(GRID.shape)
    plain = bank(GRID, ["u", "u_x"], degree=4, half=4)
    smooth = bank(GRID, ["u", "u_x"], degree=4, half=4, smooth=True)
    assert np.array_equal(plain.apply(noise)[0], noise)
    assert np.array_equal(plain.orders, [[-1, -1, -1], [-1, -1, 0]])
    assert (smooth.orders[:, 1:] >= 0).all()
    assert smooth.apply(noise)[1].std() < 0.8 * plain.apply(noise)[1].std()


def test_the_grid_s_axes_are_the_op_s_last_ones() -> None:
    line = bank(Grid.of(x=X), ["u_xx", "u_xxxx"], degree=6, half=5)
    assert [t.shape for t in line.taps] == [(1, 1, 1), (1, 1, 1), (2, 11, 11)]
    assert np.array_equal(line.orders, [[-1, -1, 0], [-1, -1, 1]])
    box = bank(Grid.of(t=Y, y=Y, x=X), ["u_t", "laplacian"], degree=4, half=3)
    assert np.array_equal(box.orders, [[0, -1, -1], [-1, 0, -1], [-1, -1, 0]])
    assert np.array_equal(box.combine, [[1, 0, 0], [0, 1, 1]])


def test_kernels_of_different_widths_share_an_axis() -> None:
    plans = {
        "u_x": {(0, 1): (None, Setting(1, 4, 3))},
        "u_xx": {(0, 2): (Setting(0, 2, 2), Setting(2, 6, 9, edge=Setting(2, 3, 5), rows=3))},
    }
    for grid in (GRID, Grid.of(y=Y, x=X**1.2)):
        made = bank(grid, ["u_x", "u_xx", "u"], plans=plans)
        assert made.taps[2].shape[2] == 19
        noise = np.random.default_rng(1).standard_normal(grid.shape)
        inner = Setting(1, 4, 3).on(grid.axis("x")).matrix(30)
        assert np.allclose(made.apply(noise)[0], noise @ inner.T, rtol=1e-9, atol=1e-9 * np.abs(inner).sum(1).max())


@settings(max_examples=8)
@given(st.integers(0, 2**20), st.integers(1, 12), st.booleans())
def test_missing_readings_do_not_spread(seed: int, missing: int, even: bool) -> None:
    grid = GRID if even else Grid.of(y=Y, x=X**1.2)
    u, exact = polynomial(grid)
    rng = np.random.default_rng(seed)
    gone = np.zeros(u.shape, bool)
    gone[rng.integers(0, 26, missing), rng.integers(0, 30, missing)] = True
    made = bank(grid, list(exact), degree=5, half=6)
    whole, holed = made.apply(u), made.apply(np.where(gone, np.nan, u))
    untouched = ~gone.any(1)
    assert np.array_equal(np.isnan(holed[0]), gone)
    assert np.allclose(whole[1][untouched], holed[1][untouched], rtol=1e-9, atol=1e-7)
    for o, name in enumerate(exact):
        known = ~np.isnan(holed[o])
        assert np.allclose(holed[o][known], exact[name][known], rtol=1e-6, atol=1e-4), name
        assert name == "u" or known.mean() > 0.85


def test_a_row_with_too_few_readings_is_refused_and_only_that() -> None:
    grid = Grid.of(x=np.linspace(0, 1, 25))
    u = np.linspace(0, 1, 25) ** 2
    u[8:12] = np.nan
    found = bank(grid, ["u_xx"], degree=4, half=3).apply(u)[0]
    assert np.isnan(found[9:11]).all()
    assert not np.isnan(found[:5]).any()
    assert not np.isnan(found[15:]).any()
    assert np.allclose(found[~np.isnan(found)], 2.0, rtol=1e-6)
    assert np.isnan(bank(grid, ["u_xx"], degree=4, half=3).apply(np.full(25, np.nan))).all()


def test_defaults_fit_short_and_long_axes() -> None:
    for n in (5, 6, 9, 16, 17, 40, 64):
        grid = Grid.of(x=np.linspace(0, 1, n))
        made = bank(grid, ["u_x", "u_xx"])
        error = np.abs(made.apply(grid.axes[0].values ** 2) - np.stack([2 * grid.axes[0].values, np.full(n, 2.0)]))
        assert error.max() < 1e-7


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "names: expected one or more"),
        (["u_x", "u_x"], {}, "names: expected one or more different"),
        (["u_t"], {}, "expected axes of y, x, got t"),
        (["u_x"], {"half": 20}, "axis x: expected a window of at most its 30 samples, got 41"),
        (["u_x"], {"half": -1}, "axis x: half: expected a number"),
        (["u_x"], {"degree": "line"}, "axis x: degree: expected a number"),
        (["u_x"], {"half": "wide"}, "axis x: half: expected a number"),
        (["u_xxxx"], {"degree": 3, "half": 5}, "axis x: expected a degree of at least the order 4"),
        (["u_xx"], {"degree": 8, "half": 3}, "axis x: degree 8: expected a window of 9 samples, got 7"),
    ],
)
def test_what_does_not_fit_is_refused(names: list[str], options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        bank(GRID, names, **options)  # type: ignore[arg-type]


def test_a_grid_too_small_for_any_kernel_is_refused() -> None:
    with pytest.raises(InputError, match="axis x: expected a degree of at least the order 4, got 2"):
        bank(Grid.of(x=np.arange(3.0)), ["u_xxxx"])


def test_anisotropic_grids_count_each_axis_in_its_own_unit() -> None:
    u, exact = polynomial(Grid.of(y=Y, x=X))
    stretched = Grid.of(y=1e4 * Y, x=1e-3 * X)
    found = bank(stretched, ["u_xxyy"], degree=6, half=6).apply(u)[0]
    assert np.allclose(found * (1e4 * 1e-3) ** 2, exact["u_xxyy"], rtol=1e-6, atol=1e-4)
