"""Axes, grids and names: what is one, and what is refused with its place."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.errors import InputError

from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.names import canonical, combination, multi_index


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.0, 1.0, np.nan], r"axis x: values\[2\]: expected finite values, got nan"),
        ([0.0, np.inf, 2.0], r"axis x: values\[1\]: expected finite"),
        ([0.0, 1.0, 1.0], r"axis x: values\[2\]: expected increasing values, got 1.0"),
        ([2.0, 1.0], r"axis x: values\[1\]: expected increasing"),
        ([], r"axis x: values: expected \[N\], N > 0"),
        ([[0.0, 1.0]], r"axis x: values: expected \[N\]"),
    ],
)
def test_an_axis_names_the_place_that_is_wrong(values: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Axis("x", np.array(values))


def test_uneven_spacing_is_no_spacing() -> None:
    even = np.linspace(0, 1, 11)
    assert Axis("x", even).uniform
    assert Axis("x", even).spacing == pytest.approx(0.1)
    uneven = even.copy()
    uneven[4] += 3e-7
    axis = Axis("x", uneven)
    assert not axis.uniform
    with pytest.raises(InputError, match=r"axis x: expected even spacing .* after values\[[34]\]"):
        _ = axis.spacing


def test_a_spacing_that_drifts_is_uneven() -> None:
    assert not Axis("x", np.linspace(0, 1, 2001) ** 1.000001).uniform


def test_a_grid_has_one_to_three_axes_of_different_names() -> None:
    line = np.linspace(0, 1, 4)
    grid = Grid.of({"t": "s"}, t=line, y=line, x=2 * line)
    assert (grid.letters, grid.shape, grid.points) == ("tyx", (4, 4, 4), 64)
    assert grid.axis("t").unit == "s"
    assert grid.mesh()["x"][0, 0, -1] == 2.0
    with pytest.raises(InputError, match="1 to 3"):
        Grid.of(a=line, b=line, c=line, d=line)
    with pytest.raises(InputError, match="x twice"):
        Grid((Axis("x", line), Axis("x", line)))
    with pytest.raises(InputError, match="one letter"):
        Axis("xy", line)
    with pytest.raises(InputError, match="axis of t, y, x, got 'z'"):
        grid.axis("z")


def test_fields_of_another_shape_or_infinite_are_refused() -> None:
    grid = Grid.of(y=np.arange(3.0), x=np.arange(4.0))
    with pytest.raises(InputError, match=r"expected shape \[..., 3, 4\], got \[4, 3\]"):
        grid.fits(np.zeros((4, 3)))
    field = np.zeros((2, 3, 4))
    field[1, 2, 0] = -np.inf
    with pytest.raises(InputError, match=r"field\[1, 2, 0\]: expected finite"):
        grid.fits(field)


def test_names() -> None:
    assert multi_index("u", "tyx") == (0, 0, 0)
    assert multi_index("u_xyx", "tyx") == (0, 1, 2)
    assert canonical((0, 1, 2), "tyx") == "u_yxx"
    assert combination("laplacian", "tyx") == ((1.0, (0, 2, 0)), (1.0, (0, 0, 2)))
    assert combination("biharmonic", "yx") == ((1.0, (4, 0)), (2.0, (2, 2)), (1.0, (0, 4)))
    assert len(combination("biharmonic", "zyx")) == 6
    for wrong in ("v_x", "u_", "u_q", "ux", "u_" + 9 * "x", ""):
        with pytest.raises(InputError, match="derivative"):
            multi_index(wrong, "tyx")
    with pytest.raises(InputError, match="axis of space"):
        combination("laplacian", "t")
