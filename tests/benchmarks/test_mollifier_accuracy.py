"""The part `accuracy` of the study of mollifiers: fields whose derivatives are right, rivals, what is compared."""

from __future__ import annotations

import numpy as np
import pytest
from _harness import OURS
from mollifier_parts import _fields, _rivals, accuracy

from edgepde.mollifier.grid import Grid

LINE = np.linspace(0, 1, 24)
GRID = Grid.of(y=LINE, x=LINE)


@pytest.mark.parametrize("case", [_fields.WAVES, _fields.BUMPS])
def test_derivatives_of_the_fields_are_those_of_finite_differences(case: _fields.Field) -> None:
    step = 1e-5
    for orders in ((0, 1), (0, 3), (2, 0), (2, 2)):
        lower = (orders[0], orders[1] - 1) if orders[1] else (orders[0] - 1, 0)
        moved = [Grid.of(y=LINE + h * (not orders[1]), x=LINE + h * bool(orders[1])) for h in (-step, step)]
        slope = (case.product(moved[1], lower) - case.product(moved[0], lower)) / (2 * step)
        exact = case.product(GRID, orders)
        assert np.allclose(slope, exact, atol=1e-5 * np.abs(exact).max())
        assert case is not _fields.WAVES or np.abs(exact).max() <= _fields.largest(orders)


def test_rivals_differentiate_a_clean_field() -> None:
    u = _fields.WAVES.product(GRID, (0, 0))
    for name in ("u_xx", "laplacian"):
        exact = _fields.WAVES.derivative(GRID, name)
        for found in (
            _rivals.legendre(u, GRID, name),
            _rivals.savitzky_golay(u, GRID, name, exact, 3),
            _rivals.best(u, GRID, name, _fields.WAVES, 3),
        ):
            assert accuracy.errors(found, exact, 3)[0] < 1e-3


def test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "NAMES", ("u_xx", "laplacian"))
    rows = accuracy.rows(quick=True)
    assert all(np.isfinite(row.measured or np.nan) for row in rows)
    assert all(row.met for row in rows if row.target is not None)
    ratios = [row for row in rows if row.unit == "x"]
    assert len(ratios) == 2
    assert all(row.rival == OURS and 0.5 < (row.measured or 0.0) < 3 for row in ratios)
    noisy = [row.rival for row in rows if row.case == "waves, noise 1.0%, u_xx: interior"]
    assert len(noisy) == len(set(noisy)) == 3
    assert any(row.rival.startswith("sampled bump") and (row.measured or 0.0) > 0.1 for row in rows)
