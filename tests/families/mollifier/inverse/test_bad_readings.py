"""Readings that say nothing of a coefficient, or are none: refused, the axis or field named, by every method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edgepde_runtime.errors import InputError

from edgepde.mollifier.grid import Grid
from edgepde.mollifier.inverse.recovering import Recovered, recover
from edgepde.mollifier.inverse.statement import statement
from edgepde.mollifier.inverse.task import methods
from edgepde.mollifier.readings import Readings
from edgepde.problems.heat_field import HeatField

HEAT = HeatField(points=13, frames=8, fine=13, noise=0.01)
GRID = Grid.of(**HEAT.axes)
VALUES = HEAT.case(0).readings
STATED = statement("heat_field")


def without(*place: Any) -> np.ndarray:
    values = VALUES.copy()
    values[place] = np.nan
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full(VALUES.shape, "1"), "readings: expected real numbers, got <U1"),
        (VALUES + 1j, "readings: expected real numbers, got complex128"),
        (VALUES.transpose(2, 1, 0), r"field: expected shape \[..., 8, 13, 13\], got \[13, 13, 8\]"),
        (VALUES[None], r"readings: expected one field \[8, 13, 13\]"),
        (np.where(VALUES > 0.5, np.inf, VALUES), r"field\[.*\]: expected finite values or NaN"),
        (1e70 * VALUES, r"readings: expected numbers up to 1e\+60"),
        (np.nan * VALUES, "readings: expected some at 2 places of axis t or more"),
        (without(slice(1, None)), "some at 2 places of axis t or more, where .* differentiates 1 times, got 1"),
        (without(slice(None), slice(2, None)), "some at 3 places of axis y or more, .* 2 times, got 2"),
        (without(slice(None), slice(None), slice(2, None)), "some at 3 places of axis x or more"),
    ],
)
@pytest.mark.parametrize("method", ["auto", "spline"])
def test_readings_that_do_not_fit(values: Any, message: str, method: str) -> None:
    with pytest.raises(InputError, match=message):
        recover(values, GRID, STATED, method=method)


def tried(values: np.ndarray, grid: Grid, method: str) -> Recovered | str:
    """What is recovered, or why not."""
    try:
        return recover(values, grid, STATED, method=method, baseline=False)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("method", methods())
@pytest.mark.parametrize("scale", [0.0, 1e-200])
def test_a_field_on_which_the_operator_vanishes_says_nothing(method: str, scale: float) -> None:
    found = tried(scale * VALUES, GRID, method)
    if isinstance(found, Recovered):
        assert not found.mask.any()
    else:
        assert any(words in found for words in ("nothing says what lambda is", "expected to determine lambda"))


@pytest.mark.parametrize("noise", [0.0, -1.0, np.nan, np.inf])
def test_noise(noise: float) -> None:
    with pytest.raises(InputError, match="noise: expected a standard deviation above 0"):
        recover(VALUES, GRID, STATED, noise=noise)


@pytest.mark.parametrize("method", methods())
def test_uneven_axes_are_never_taken_for_even(method: str) -> None:
    x = HEAT.axes["x"].copy()
    x[5] += 0.4 * (x[1] - x[0])
    grid = Grid.of(**{**HEAT.axes, "x": x})
    found = tried(VALUES, grid, method)
    if isinstance(found, Recovered):
        even = tried(VALUES, GRID, method)
        assert isinstance(even, Recovered)
        assert not np.array_equal(found.lam, even.lam)
    else:
        assert "axis x: expected even spacing" in found


def test_missing_readings_leave_finite_estimates() -> None:
    values = VALUES.copy()
    values[np.random.default_rng(0).random(values.shape) < 0.3] = np.nan
    for method in methods():
        found = recover(values, GRID, STATED, method=method, baseline=False)
        assert np.isfinite(found.lam).all()


@pytest.mark.parametrize(
    ("points", "values", "message"),
    [
        (np.full((3, 2), "a"), np.zeros(3), "readings: points: expected real numbers"),
        (np.zeros((3, 2)), np.zeros(3) + 1j, "readings: values: expected real numbers"),
        (np.zeros((3, 2)), np.zeros(4), r"readings: expected points \[M, d\] and values \[M\]"),
    ],
)
def test_scattered_readings(points: Any, values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Readings(points, values)
