"""The part `step` of the study of mollifiers: rows of every way, exact rivals, kernels that are close."""

from __future__ import annotations

import pytest
import torch
from _harness import OURS
from mollifier_parts import _steps, step

POINTS = 20


def test_every_way_has_time_memory_and_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "QUICK_POINTS", POINTS)
    monkeypatch.setattr(step, "_memory", lambda name, *_: 1e6 * (1.0 + len(name)))
    rows = step.rows(quick=True)
    for unit in ("ms", "MB", "relative"):
        found = {row.rival for row in rows if row.unit == unit}
        assert found == set(_steps.WAYS)
    assert all(row.measured is not None and row.measured > 0 for row in rows if row.unit in ("ms", "x"))
    ratios = [row for row in rows if row.unit == "x"]
    assert len(ratios) == 4
    assert all(row.rival == OURS and row.target is None for row in ratios)


def test_rivals_are_exact_and_kernels_close() -> None:
    net = _steps.model(_steps.Layer, 0, torch.float64)
    grid = _steps.grid(POINTS)
    exact = _steps.Nested(grid, torch.float64).biharmonic(net).detach()
    jets = _steps.Jets(grid, torch.float64).biharmonic(net).detach()
    assert torch.allclose(jets, exact, rtol=1e-9, atol=1e-9 * float(exact.abs().max()))
    ours = _steps.Layer(grid, torch.float64).biharmonic(net).detach()
    assert float((ours - exact).norm() / exact.norm()) < 0.2


def test_the_separable_host_is_exact() -> None:
    net = step.fitted(_steps.Separable, 12, 5, 0)
    grid = _steps.grid(12)
    exact = _steps.Nested(grid, torch.float64).biharmonic(net).detach()
    found = _steps.Separable(grid, torch.float64).biharmonic(net).detach()
    assert torch.allclose(found, exact, rtol=1e-9, atol=1e-9 * float(exact.abs().max()))


def test_memory_is_that_of_a_process_of_its_own() -> None:
    assert step._memory(_steps.Nested.name, 2 * POINTS, 1, 0) > 1e6
