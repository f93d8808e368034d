"""The fixed form for devices: chosen on simulated cases, right on fresh ones, its taps those of the fit."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from edgepde_runtime.errors import InputError

from edgepde.mollifier.grid import Grid
from edgepde.mollifier.inverse.fixed import Fixed, fixed
from edgepde.mollifier.inverse.statement import statement
from edgepde.problems.heat_field import HeatField

SMALL = HeatField(points=25, frames=9, fine=49)
GRID = Grid.of(**SMALL.axes)


@cache
def made() -> tuple[Fixed, float]:
    return fixed(GRID, statement("heat_field"), [SMALL.case(seed) for seed in (0, 1)], 7)


def test_it_finds_a_diffusivity_it_was_not_chosen_on() -> None:
    one, error = made()
    case = SMALL.case(9)
    lam = one.apply(case.readings, case.noise)
    assert error < 0.15
    assert np.corrcoef(lam.ravel(), case.lam.ravel())[0, 1] > 0.9


def test_taps_are_the_derivatives_of_the_fit() -> None:
    one, _ = made()
    x = SMALL.case(9).readings
    taps, orders, combine = one.taps(("u", "u_t", "laplacian"))
    parts = []
    for row in orders:
        y = x
        for axis in range(3):
            y = np.moveaxis(np.tensordot(taps[axis][row[axis]], y, (1, axis)), 0, axis)
        parts.append(y)
    got = np.tensordot(combine, np.stack(parts), 1)
    fit = one.smoothed(x, 0.0)
    wanted = [
        fit.derivative((0, 0, 0)),
        fit.derivative((1, 0, 0)),
        fit.derivative((0, 2, 0)) + fit.derivative((0, 0, 2)),
    ]
    np.testing.assert_allclose(got, np.stack(wanted), rtol=1e-9, atol=1e-9)


def test_gaps_and_no_cases_are_refused() -> None:
    one, _ = made()
    with pytest.raises(InputError, match="no gaps"):
        one.apply(np.full(GRID.shape, np.nan), 0.1)
    with pytest.raises(InputError, match="at least one simulated case"):
        fixed(GRID, statement("heat_field"), [])
