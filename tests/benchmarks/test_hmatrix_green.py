"""Rows of the Green operator on a coarse mesh; what they state is what was computed."""

from __future__ import annotations

import numpy as np
import pytest
from _harness import OURS
from hmatrix_parts import green


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUICK_NODES", "SMALL_NODES"):
        monkeypatch.setattr(green, name, 150)


def test_the_operator_is_held_within_its_error_and_orders_matter() -> None:
    rows = green.rows(True)
    assert {row.target for row in rows if row.unit == green.NUMBERS} == {None}
    errors = [row for row in rows if row.unit == green.RELATIVE]
    assert len(errors) == 4
    assert all(row.met for row in errors)
    best = {(r.case, r.rival): r.measured for r in rows if r.unit == green.NUMBERS}
    coarse = [case for case, rival in best if rival == green.LOST]
    assert len(coarse) == 2
    for case in coarse:
        assert (best[case, OURS] or 0.0) >= (best[case, green.LOST] or 0.0) >= 1.0
    kelvin = [row.measured or 0.0 for row in rows if row.unit == green.KELVIN]
    assert 0.0 < min(kelvin) < max(kelvin) < 0.1


def test_the_target_is_asked_of_the_full_size_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(green, "NODES", 150)
    targets = {(row.rival, row.target) for row in green.rows(False) if row.unit == green.NUMBERS}
    assert {target for rival, target in targets if rival == OURS} == {15.0, 10.0, None}
    assert {target for rival, target in targets if rival != OURS} == {None}


@pytest.mark.parametrize(
    ("sigma", "eps", "smaller", "said"),
    [
        (np.array([1.0, 1e-9, 1e-9, 1e-9]), 1e-3, 2.0, "rank 1"),
        (np.ones(4), 1e-3, 1.0, "kept dense: rank 4"),
        (np.array([1.0, 0.1, 1e-9, 1e-9]), 1e-3, 1.0, "kept dense: rank 2"),
    ],
)
def test_a_global_decomposition_is_counted_as_its_factors(
    sigma: np.ndarray, eps: float, smaller: float, said: str
) -> None:
    assert green.global_svd(sigma, 4, eps) == (smaller, said)
