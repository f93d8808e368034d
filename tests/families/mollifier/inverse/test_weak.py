"""The weak form: integration by parts, rows against quadrature of the strong form, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.errors import InputError

from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.inverse.smoothing import smooth
from edgepde.mollifier.inverse.space import space
from edgepde.mollifier.inverse.statement import Piece, Statement
from edgepde.mollifier.inverse.weak import Probes, _Rows, fit

FINE = Axis("x", np.linspace(0.0, 2.0, 401))


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("count", [0, 6])
def test_derivatives_move_onto_the_test_functions(order: int, count: int) -> None:
    tests = Probes(FINE, count)
    u = np.sin(2.0 * FINE.values + 0.3)
    slope = 2.0**order * np.sin(2.0 * FINE.values + 0.3 + 0.5 * np.pi * order)
    wanted = tests.product(0) @ slope
    np.testing.assert_allclose(tests.product(order) @ u, wanted, atol=2e-3 * np.abs(wanted).max())


def test_tests_vanish_outside_their_radius_and_cover_the_axis() -> None:
    tests = Probes(FINE, 0)
    plain = tests.plain(0)[:, 0]
    assert tests.centres[0] - tests.radius == pytest.approx(0.0)
    assert tests.centres[-1] + tests.radius == pytest.approx(2.0)
    far = np.abs(FINE.values - tests.centres[:, None]) > tests.radius
    assert not plain[far].any()
    assert (plain.sum(0)[20:-20] > 0.0).all()


def test_rows_hold_for_the_truth() -> None:
    """u = sin(x) exp(-y) on an even grid, a smooth lambda in the splines: int psi lambda Lap(u^2) of both forms."""
    grid = Grid.of(y=np.linspace(0.0, 1.0, 41), x=np.linspace(0.0, 1.0, 41))
    m = grid.mesh()
    u = np.sin(m["x"]) * np.exp(-m["y"])
    own = space(grid, "yx")
    c = np.add.outer(np.arange(10.0), 0.1 * np.arange(10.0) ** 2).ravel()
    tests = [Probes(axis, line.shape[1]) for axis, line in zip(grid.axes, own.lines, strict=True)]
    rows = _Rows(tests, u, 0.0, grid, own).sum((Piece("laplacian", (0.0, 0.0, 1.0)),), True)
    laplacian = np.exp(-2.0 * m["y"]) * (2.0 * np.cos(2.0 * m["x"]) + 4.0 * np.sin(m["x"]) ** 2)
    plain = [probe.plain(0)[:, 0] for probe in tests]
    wanted = np.einsum("my,nx,yx->mn", *plain, own.at(c) * laplacian).ravel()
    np.testing.assert_allclose(rows @ c, wanted, atol=5e-3 * np.abs(wanted).max())


def test_the_mean_of_squared_noise_is_taken_off() -> None:
    grid = Grid.of(x=np.linspace(0.0, 1.0, 4001))
    noisy = 0.5 + 0.3 * np.random.default_rng(0).standard_normal(4001)
    row = _Rows([Probes(grid.axes[0], 0)], noisy, 0.3, grid, space(grid, "x"))
    whole = Probes(grid.axes[0], 0).plain(0)[:, 0].sum(1)
    got = row.sum((Piece("u", (0.0, 0.0, 1.0)),), False)[:, 0]
    assert np.mean(got / whole) == pytest.approx(0.25, abs=0.01)


def test_an_operator_of_order_four_is_refused() -> None:
    grid = Grid.of(y=np.linspace(0.0, 1.0, 30), x=np.linspace(0.0, 1.0, 30))
    stated = Statement("plate", (Piece("u"),), (Piece("biharmonic"),))
    values = np.random.default_rng(0).standard_normal(grid.shape)
    with pytest.raises(InputError, match="order 2 or less"):
        fit(values, smooth(values, grid, ""), grid, stated, space(grid, "yx"))
