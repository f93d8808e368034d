"""The part `hosts` of the study of mollifiers: every entrant by every derivative, what needs no network beside."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mollifier_parts import hosts


def test_every_entrant_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = {"mlp": {"width": 8, "depth": 1}, "siren": {"width": 8, "depth": 1}, "separable": {"width": 8, "rank": 4}}
    entrants = tuple(replace(e, settings=tiny[e.host]) for e in hosts.ENTRANTS)
    monkeypatch.setattr(hosts, "ENTRANTS", entrants)
    monkeypatch.setattr(hosts, "SMALL", replace(hosts.SMALL, points=11, frames=7, fine=41))
    monkeypatch.setattr(hosts, "SMALL_RANKS", [4, 6, 6])
    monkeypatch.setattr(hosts, "QUICK_SECONDS", 0.05)
    rows = hosts.rows(quick=True)
    rivals = {row.rival for row in rows}
    wanted = {f"{e.host}, {e.optimizer}, {kind}" for e in entrants for kind in e.derivators}
    assert rivals == wanted | {
        "tucker, Gauss-Newton, kernels",
        "tucker, Gauss-Newton, exact 1-D jets",
        *(f"no network, {method}" for method in hosts.WITHOUT),
    }
    correlations = [row.measured for row in rows if row.case.endswith("correlation")]
    assert len(correlations) == len(rivals)
    assert all(value is not None and -1.0 <= value <= 1.0 for value in correlations)
