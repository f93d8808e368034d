"""Statements of inverse problems: what is refused, what is listed, the chain rule of their pieces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.errors import ProblemError
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.inverse.bases import polynomials
from edgepde.mollifier.inverse.smoothing import Smoothed, along
from edgepde.mollifier.inverse.statement import Piece, Statement, statement, statements
from edgepde.mollifier.inverse.strong import Strong

LINE = np.linspace(0.0, 1.0, 9)
GRID = Grid.of(t=np.linspace(0.0, 0.5, 6), y=LINE, x=np.linspace(0.0, 2.0, 8))
D = (Piece("laplacian"),)


def fitted(c: np.ndarray) -> Smoothed:
    bases = tuple(polynomials(axis, n) for axis, n in zip(GRID.axes, c.shape, strict=True))
    return Smoothed(bases, c, 0.1, np.ones(GRID.shape, dtype=bool))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Piece("u", ()), "powers"),
        (lambda: Piece("u_x", (lambda c: c["x"],)), "u_x"),
        (lambda: Statement("s", (Piece("u_t"),), ()), "operator"),
        (lambda: Statement("s", (), D), "left, source"),
        (lambda: Statement("s", (Piece("u_t"),), D, over="yy"), "over"),
        (lambda: Statement("s", (Piece("u_t"),), D, over=""), "over"),
        (lambda: Statement("s", (Piece("u_t"),), D, boundary="open"), "boundary"),  # type: ignore[arg-type]
    ],
)
def test_a_statement_that_contradicts_itself_is_refused(make: Callable[[], object], named: str) -> None:
    with pytest.raises(ProblemError, match=named):
        make()


@pytest.mark.parametrize(
    ("over", "left", "named"),
    [("xy", "u_t", "over"), ("z", "u_t", "over"), ("yx", "u_z", "u_z")],
)
def test_a_grid_that_lacks_an_axis_is_refused(over: str, left: str, named: str) -> None:
    with pytest.raises(InputError, match=named):
        Statement("s", (Piece(left),), D, over=over).check(GRID)


def test_a_product_under_four_derivatives_is_refused() -> None:
    with pytest.raises(InputError, match="biharmonic of a product"):
        Statement("s", (Piece("u_t"),), (Piece("biharmonic", (0.0, 0.0, 1.0)),)).check(GRID)


def test_every_statement_is_listed_by_its_name_and_others_are_refused() -> None:
    known = statements()
    assert {"heat_field", "reaction_diffusion", "langevin", "stationary_heat"} <= set(known)
    assert all(name == one.name for name, one in known.items())
    with pytest.raises(InputError, match="heat_field"):
        statement("nonsense")


def test_the_laplacian_of_a_cube_is_that_of_calculus() -> None:
    y, x = GRID.mesh()["y"], GRID.mesh()["x"]
    u = 1.0 + y * x + 0.5 * y**2
    c = along(u, [polynomials(axis, n).analysis.T for axis, n in zip(GRID.axes, (2, 3, 3), strict=True)])
    value, _ = Strong(fitted(c), GRID).of((Piece("laplacian", (0.0, 0.0, 0.0, 2.0)),))
    gradient = (x + y) ** 2 + y**2
    np.testing.assert_allclose(value, 2.0 * (3.0 * u**2 * 1.0 + 6.0 * u * gradient), rtol=1e-9)


PIECES = [
    Piece("u_t"),
    Piece("laplacian", (0.0, -1.0, 0.3, 0.7)),
    Piece("u_xy", (0.0, 0.0, 1.0)),
    Piece("u_x", (0.2, 0.0, 0.5)),
    Piece("u", (lambda c: c["x"], 1.0, -2.0)),
    Piece("biharmonic", (0.0, 0.1)),
]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), piece=st.sampled_from(PIECES))
def test_slopes_are_the_derivative_of_the_value(seed: int, piece: Piece) -> None:
    random = np.random.default_rng(seed)
    c, way = random.standard_normal((2, 3, 5, 5))
    _, slopes = Strong(fitted(c), GRID).of((piece,))
    h = 1e-5
    apart = [Strong(fitted(c + s * h * way), GRID).of((piece,))[0] for s in (1.0, -1.0)]
    moved = fitted(way)
    linear = sum((slope * moved.derivative(orders) for orders, slope in slopes.items()), np.zeros(GRID.shape))
    wanted = (apart[0] - apart[1]) / (2.0 * h)
    np.testing.assert_allclose(linear, wanted, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(wanted).max()))
