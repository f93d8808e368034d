"""Unknown coefficients: least squares, roughness, what depends on which axes; readings that fit or judge."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.mollifier.coefficient import Coefficient, Constant, Network, Spline, design
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.readings import Readings

GRID = Grid.of(t=np.linspace(0.0, 1.0, 6), y=np.linspace(0.0, 2.0, 9), x=np.linspace(-1.0, 1.0, 8))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), axes=st.sampled_from([(), ("t",), ("y", "x"), ("t", "x")]))
def test_least_squares_find_what_made_the_field(seed: int, axes: tuple[str, ...]) -> None:
    draw = torch.Generator().manual_seed(seed)
    factor = 1.0 + torch.rand(GRID.shape, dtype=torch.float64, generator=draw)
    made, found = ((Spline(GRID, axes, 5, 0.0) if axes else Constant(GRID)) for _ in range(2))
    made.move(torch.randn(made.count, dtype=torch.float64, generator=draw))
    with torch.no_grad():
        assert found.solve(made() * factor, factor)
        assert torch.allclose(found(), made(), atol=1e-6)


@pytest.mark.parametrize("axes", [(), ("t",), ("y", "x"), ("t", "y")])
def test_columns_are_the_slope_by_its_numbers(axes: tuple[str, ...]) -> None:
    one: Coefficient = Spline(GRID, axes, 5) if axes else Constant(GRID)
    one.move(torch.randn(one.count, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    assert one.columns().shape == (*GRID.shape, one.count)
    assert torch.allclose(one.columns() @ one.flat(), one().expand(GRID.shape).detach())
    assert one.stiffness().shape == (one.count, one.count)


def test_curvature_pulls_to_planes_and_nothing_else() -> None:
    rough, smooth = (Spline(GRID, ("y", "x"), 6, c) for c in (0.0, 1e4))
    y = torch.from_numpy(GRID.mesh()["y"])
    noisy = y + 0.3 * torch.randn(GRID.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for one in (rough, smooth):
        assert one.solve(noisy, torch.ones_like(y))
    error = [float((one() - y[0]).detach().square().mean()) for one in (rough, smooth)]
    assert error[1] < 0.5 * error[0]
    assert float(smooth.penalty().detach()) >= 0.0


def test_splines_sum_to_one() -> None:
    assert np.allclose(design(np.linspace(0.0, 3.0, 11), 7).sum(1), 1.0)


def test_a_network_is_found_by_its_slope_alone() -> None:
    net = Network(GRID, ("y", "x"), width=4, depth=1, start=2.0)
    assert net().shape == (1, 9, 8)
    assert not net.solve(torch.ones(GRID.shape), torch.ones(GRID.shape))
    assert net.map().shape == (9, 8)
    with pytest.raises(InputError, match="linear in its numbers"):
        net.columns()


@pytest.mark.parametrize(
    ("axes", "given_", "said"),
    [
        (("z",), {}, "axes: expected some of"),
        (("y", "y"), {}, "axes: expected some of"),
        (("t", "y", "x"), {"count": 4}, "expected one or two axes"),
        (("t",), {"count": 7}, "axis t: expected 4 to 6 coefficients, got 7"),
        (("t",), {"count": 3}, "axis t: expected 4 to 6"),
        (("t",), {"count": 4, "curvature": -1.0}, "curvature: expected"),
    ],
)
def test_wrong_splines_are_refused(axes: tuple[str, ...], given_: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Spline(GRID, axes, **given_)  # type: ignore[arg-type]


def test_silent_sensors_are_left_out_and_the_rest_is_split() -> None:
    values = np.arange(float(GRID.points)).reshape(GRID.shape)
    values[:, 0] = np.nan
    readings = Readings.of_grid(GRID, values)
    assert len(readings.values) == GRID.points - 6 * 8
    fitted, held = readings.split(0.25, 3)
    assert len(held.values) == round(0.25 * len(readings.values))
    assert set(fitted.values) | set(held.values) == set(readings.values)
    assert not set(fitted.values) & set(held.values)
    assert np.array_equal(held.values, readings.split(0.25, 3)[1].values)


@pytest.mark.parametrize(
    ("points", "values", "said"),
    [
        (np.zeros((3, 3)), np.zeros(2), r"points \[M, d\] and values \[M\]"),
        (np.full((3, 3), np.nan), np.zeros(3), "points: expected finite numbers, row 0"),
        (np.zeros((3, 3)), np.array([0.0, np.inf, 0.0]), "values: expected finite numbers or NaN, row 1"),
        (np.zeros((3, 3)), np.array([0.0, np.nan, np.nan]), "expected at least 2 numbers, got 1 among 3"),
    ],
)
def test_wrong_readings_are_refused(points: np.ndarray, values: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Readings(points, values)


def test_readings_outside_the_grid_are_refused() -> None:
    with pytest.raises(InputError, match=r"axis y: expected 0 to 2, row 1 is at 2\.5"):
        Readings(np.array([[0.0, 0.0, 0.0], [0.0, 2.5, 0.0]]), np.zeros(2)).inside(GRID)
    with pytest.raises(InputError, match="expected 3 coordinates, got 2"):
        Readings(np.zeros((2, 2)), np.zeros(2)).inside(GRID)
    with pytest.raises(InputError, match="on the grid"):
        Readings.of_grid(GRID, np.zeros((6, 9)))
