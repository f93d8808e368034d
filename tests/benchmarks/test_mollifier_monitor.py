"""The study of faults: what it counts is what it says, and large faults of a small surrogate are seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from edgepde_runtime.monitor import Monitor
from hypothesis import given
from hypothesis import strategies as st
from mollifier_parts import _roc, _watched, monitor
from torch import nn

MONITOR = Monitor("residual", 0.01, 999, 0, 0, "uniform in the box", (0.5,), (1.0,))
scores = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, np.inf]), min_size=1, max_size=12)


@given(scores, scores)
def test_the_area_is_the_share_of_pairs_in_order(good: list[float], bad: list[float]) -> None:
    pairs = [1.0 if b > g else 0.5 if b == g else 0.0 for g in good for b in bad]
    assert _roc.area(np.array(good), np.array(bad)) == pytest.approx(np.mean(pairs))


def test_exact_solutions_satisfy_their_equations() -> None:
    for case in _watched.cases(quick=False):
        x = case.box.sample(3, np.random.default_rng(0))
        for exact in (case.exact, case.other):
            t, y = (torch.linspace(axis.values[0], axis.values[-1], 400).double().numpy() for axis in case.grid.axes)
            u = exact(x[:, :, None, None], t[:, None], y)
            u_t, u_x = np.gradient(u, t, y, axis=(1, 2), edge_order=2)
            u_xx = np.gradient(u_x, y, axis=2, edge_order=2)
            transport = u * u_x if case.equation.name == "burgers" else 0.0
            inner = (slice(None), slice(4, -4), slice(4, -4))
            residual = (u_t + transport - x[:, :1, None] * u_xx)[inner]
            assert np.abs(residual).max() < 0.02 * np.abs(u_t[inner]).max()
        assert np.abs(case.fields(x) - case.fields(x, case.other)).max() > 0.1


def test_faults_are_as_large_as_they_are_called() -> None:
    module = nn.Sequential(nn.Linear(50, 60), nn.Linear(60, 1))
    rng = np.random.default_rng(0)
    before, after = (
        torch.cat([w.detach().ravel() for w in m.parameters()]) for m in (module, _watched.noisy(module, 0.03, rng))
    )
    assert float((after / before - 1).std()) == pytest.approx(0.03, rel=0.05)
    for bits in (1, 7):
        turned = torch.cat([w.detach().ravel() for w in _watched.flipped(module, bits, rng).parameters()])
        apart = before.numpy().view(np.uint32) ^ turned.numpy().view(np.uint32)
        assert sum(int(v).bit_count() for v in apart) == bits
    case = _watched.cases(quick=True)[0]
    moved = case.outside(np.full((4, 2), 0.2), 0.5)[:, 0] / np.array([0.5, 0.05] * 2)
    np.testing.assert_allclose(moved, [1.5, 1 / 1.5] * 2)


def test_the_wait_for_an_alarm_is_short_for_many_flags_and_endless_at_the_stated_rate() -> None:
    def wait(share: float) -> int:
        flags = np.arange(1000) < 1000 * share
        return monitor._wait(flags, MONITOR, np.random.default_rng(0))

    assert wait(1.0) <= 5
    assert wait(0.5) < wait(0.1) < wait(0.05) < monitor.PATIENCE
    assert wait(0.01) == monitor.PATIENCE


def test_large_faults_are_seen_and_good_calls_are_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(monitor, "cases", lambda quick: _watched.cases(quick)[:1])
    monkeypatch.setattr(monitor, "OUTSIDE", (0.0, 0.5))
    monkeypatch.setattr(monitor, "SHARES", (0.001, 0.3, 1.0))
    monkeypatch.setattr(monitor, "BITS", (10,))
    found = {row.case.partition(": ")[2]: row for row in monitor.rows(True, 0, tmp_path)}
    assert found["weights off by 30 %"].measured == 100.0
    assert "AUC 1.000" in found["weights off by 30 %"].note
    assert found["false alarms"].measured < 5.0
    assert found["false alarms, 200 calibrations"].met
    assert found["error 10 to 100 x own"].measured > 90.0
    assert (tmp_path / "mollifier_monitor.png").stat().st_size > 10_000
    assert found["weights off by 0.1 %"].measured < found["weights off by 100 %"].measured
