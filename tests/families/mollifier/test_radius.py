"""The choice of radius, degree and smoothing from readings alone, against the best one that knows the answer."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.mollifier.bank import bank
from edgepde.mollifier.candidates import candidates
from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.radius import Choice, choose

Floats = NDArray[np.float64]
LINE = np.linspace(0, 1, 40)
GRID = Grid.of(y=np.linspace(0, 1, 16), x=LINE)


def smooth(x: Floats, order: int) -> Floats:
    return np.asarray(7.0**order * np.sin(7 * x + order * np.pi / 2))


def narrow(x: Floats, order: int) -> Floats:
    z = (x - 0.55) / 0.08
    return np.asarray((-1 / 0.08) ** order * np.polynomial.hermite.hermval(z, [0.0] * order + [1.0]) * np.exp(-z * z))


def error(made: Floats, exact: Floats) -> float:
    return float(np.sqrt(np.square(made - exact)[2:-2, 5:-5].mean()))


@pytest.mark.parametrize("shape", [smooth, narrow])
@pytest.mark.parametrize("level", [1e-4, 1e-2, 5e-2])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_choice_is_near_the_best(shape: object, level: float, order: int) -> None:
    """Within 2.5 of the least error of all candidates along x, smoothed along y as chosen."""
    of = smooth if shape is smooth else narrow
    u = np.outer(1 + GRID.axes[0].values, of(LINE, 0))
    exact = np.outer(1 + GRID.axes[0].values, of(LINE, order))
    y = u + level * np.random.default_rng(order).standard_normal(u.shape)
    name = "u_" + "x" * order
    chosen = choose(y, GRID, [name])[name]
    found = error(bank(GRID, [name], plans={name: chosen.plan}).apply(y)[0], exact)
    along = chosen.plan[0, order][0]
    other = y if along is None else along.on(GRID.axes[0]).matrix(16) @ y
    best = min(error(other @ m.T, exact) for m in candidates(GRID.axes[1], order).matrices)
    assert found <= 2.5 * best


def test_clean_fields_get_kernels_of_high_degree() -> None:
    u = np.outer(np.cos(2 * GRID.axes[0].values), smooth(LINE, 0))
    names = ["u_x", "u_xx", "laplacian"]
    chosen = choose(u, GRID, names)
    made = bank(GRID, names, plans={name: choice.plan for name, choice in chosen.items()}).apply(u)
    exact = np.outer(np.cos(2 * GRID.axes[0].values), smooth(LINE, 2))
    assert error(made[1], exact) < 1e-9 * exact.std()
    assert error(made[2], exact - 4 * u) < 1e-8 * exact.std()
    assert not any(choice.refused for choice in chosen.values())


def test_more_noise_makes_more_smoothing() -> None:
    u = np.outer(1 + GRID.axes[0].values, smooth(LINE, 0))
    rng = np.random.default_rng(0).standard_normal(u.shape)
    spreads = []
    for level in (1e-5, 1e-3, 1e-1):
        chosen = choose(u + level * rng, GRID, ["u_xx"])["u_xx"]
        spreads.append(bank(GRID, ["u_xx"], plans={"u_xx": chosen.plan}).spread[0, 8, 20])
        assert 1 / 4 < chosen.noise / (level * spreads[-1]) < 4
        assert chosen.bound >= chosen.noise
    assert spreads[0] > spreads[1] > spreads[2]
    assert "y" in chosen.smoothing


def test_what_is_stated_of_the_error_is_about_right() -> None:
    u = np.outer(1 + GRID.axes[0].values, smooth(LINE, 0))
    exact = np.outer(1 + GRID.axes[0].values, smooth(LINE, 2))
    for seed in range(3):
        y = u + 1e-2 * np.random.default_rng(seed).standard_normal(u.shape)
        chosen = choose(y, GRID, ["u_xx"])["u_xx"]
        found = error(bank(GRID, ["u_xx"], plans={"u_xx": chosen.plan}).apply(y)[0], exact)
        assert chosen.bound / 3 < found < 3 * chosen.bound
        assert chosen.scale == pytest.approx(exact[2:-2, 5:-5].std(), rel=0.5)


def test_noise_alone_is_refused_with_the_reason() -> None:
    y = np.random.default_rng(0).standard_normal(GRID.shape)
    chosen = choose(y, GRID, ["u_xxxx"])["u_xxxx"]
    assert isinstance(chosen, Choice)
    small = choose(0.2 * y + smooth(LINE, 0) / 7**4, GRID, ["u_xxxx"], noise=0.2)["u_xxxx"]
    assert chosen.refused or small.refused
    assert "noise exceeds the derivative" in (chosen if chosen.refused else small).reason


def test_one_axis_uneven_axes_and_missing_readings() -> None:
    rng = np.random.default_rng(1)
    for x in (LINE, LINE**1.2):
        grid = Grid.of(x=x)
        y = smooth(x, 0) + 1e-3 * rng.standard_normal(40)
        y[11] = np.nan
        chosen = choose(y, grid, ["u", "u_xx"])
        made = bank(grid, ["u", "u_xx"], plans={name: choice.plan for name, choice in chosen.items()}).apply(y)
        assert np.sqrt(np.mean((made[1] - smooth(x, 2))[5:-5] ** 2)) < 0.1 * 49
        assert chosen["u"].half["x"] != 0


def test_a_largest_half_width_is_kept() -> None:
    u = np.outer(1 + GRID.axes[0].values, smooth(LINE, 0)) + 0.1 * np.random.default_rng(2).standard_normal(GRID.shape)
    chosen = choose(u, GRID, ["u_xx", "laplacian"], widest=5)
    for choice in chosen.values():
        made = bank(GRID, [choice.name], plans={choice.name: choice.plan})
        assert max(one.width for row in made.products for one in row if one) <= 11


def test_candidates_are_the_kernels_they_name() -> None:
    for axis in (Axis("x", LINE[:14]), Axis("x", LINE[:15] ** 1.4)):
        for order in (0, 2):
            own = candidates(axis, order)
            for setting, matrix in zip(own.settings, own.matrices, strict=True):
                expected = np.eye(axis.size) if setting is None else setting.on(axis).matrix(axis.size)
                assert np.allclose(matrix, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def test_long_axes_have_fewer_candidates_and_very_long_ones_none() -> None:
    short, long = (len(candidates(Axis("x", np.arange(float(n))), 2, widest=12).settings) for n in (320, 322))
    assert 0 < long < short
    with pytest.raises(InputError, match="axis x: expected at most 1200 samples to choose kernels for, got 1201"):
        choose(np.zeros(1201), Grid.of(x=np.arange(1201.0)), ["u_x"], noise=1.0)


def test_nothing_to_read_is_refused() -> None:
    with pytest.raises(InputError, match="NaN everywhere"):
        choose(np.full(GRID.shape, np.nan), GRID, ["u"])
    with pytest.raises(InputError, match="expected axes of y, x, got t"):
        choose(np.zeros(GRID.shape), GRID, ["u_t"])
