"""Readings -> a coefficient without a network: each step against what it must give, the whole against draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.errors import RunError
from edgepde.mollifier.coefficient import design
from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.inverse.statement import statement
from edgepde.mollifier.kernels import taps
from edgepde.mollifier.members import from_json, names
from edgepde.mollifier.members._taps import Derivatives, folded
from edgepde.mollifier.members._terms import Terms
from edgepde.mollifier.members.estimator import Estimator, SplineFit
from edgepde.mollifier.members.refined import Refined
from edgepde.problems.heat_field import HeatField
from edgepde.problems.reaction_diffusion import ReactionDiffusion

HEAT = Estimator("heat_field", (3, 4, 4), (2, 4, 4), count=7, curvature=1e-2, scale=0.012, low=0.0048, high=0.0192)
LINE = np.linspace(0.0, 1.0, 21)
GRID = Grid.of(t=np.linspace(0.0, 0.5, 10), y=LINE, x=LINE)


@given(st.integers(1, 6), st.integers(0, 2))
@settings(max_examples=15, deadline=None)
def test_mirrored_windows_see_even_fields_at_the_edge_as_inside(half: int, order: int) -> None:
    """A field that is even about both ends looks the same to a mirrored window wherever it lies."""
    axis = Axis("x", LINE)
    degree = min(order + 2, 2 * half)
    if degree < order:
        return
    made = folded(taps(axis, order, degree, half))
    n, width = len(LINE), len(made)
    if width > n:
        return
    row = np.arange(n) - np.clip(np.arange(n) - width // 2, 0, n - width)
    start = np.clip(np.arange(n) - width // 2, 0, n - width)
    got = np.array([made[r] @ np.cos(np.pi * LINE[s : s + width]) for r, s in zip(row, start, strict=True)])
    wide = np.cos(np.pi * (LINE[0] + (np.arange(-half, n + half) / (n - 1))))
    want = np.array([taps(axis, order, degree, half)[half] @ wide[i : i + width] for i in range(n)])
    assert np.abs(got - want).max() <= 1e-9 * max(1.0, np.abs(want).max())


def test_windows_that_are_not_mirrored_see_slopes_at_the_edge() -> None:
    half, degree = {"t": 3, "y": 4, "x": 4}, {"t": 2, "y": 4, "x": 4}
    line = torch.from_numpy(np.broadcast_to(LINE, GRID.shape).copy()).float().reshape(1, -1)
    slopes = [Derivatives(GRID, ["u_x"], half, degree, mirrored=m)(line)["u_x"][0] for m in (False, True)]
    assert float((slopes[0] - 1.0).abs().max()) < 1e-4
    assert float(slopes[1][:, :, 0].abs().max()) < 1e-4


@given(st.lists(st.floats(-1.0, 1.0), min_size=6, max_size=6))
@settings(max_examples=25, deadline=None)
def test_terms_are_those_of_the_equation(values: list[float]) -> None:
    u, u_t, u_y, u_x, lap, bi = values
    how = ReactionDiffusion()
    terms = Terms(statement("reaction_diffusion"), GRID)
    known = {"u": u, "u_t": u_t, "u_y": u_y, "u_x": u_x, "laplacian": lap, "biharmonic": bi}
    assert set(terms.names) == set(known)
    fields = {name: torch.full((1, *GRID.shape), v, dtype=torch.float64) for name, v in known.items()}
    wanted, factor = (float(side.flatten()[0]) for side in terms(fields))
    cube = 3.0 * u * u * lap + 6.0 * u * (u_x * u_x + u_y * u_y)
    mu = how.a * (cube / how.w**2 - lap) - how.b * bi
    assert wanted == pytest.approx(u_t - (mu - (how.filled + u)), abs=1e-9)
    assert factor == pytest.approx(how.filled - u, abs=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_a_spline_is_found_again_whatever_the_weights(seed: int) -> None:
    random = np.random.default_rng(seed)
    how = Estimator("heat_field", (1, 1, 1), (2, 2, 2), count=6, curvature=0.0, cells=1, scale=0.5)
    basis = design(LINE, 6)
    lam = basis @ random.uniform(0.1, 1.0, (6, 6)) @ basis.T
    weight = random.uniform(0.1, 10.0, lam.shape)
    s_dd, s_nd = (torch.from_numpy(v)[None] for v in (weight, weight * lam))
    found, _, converged = SplineFit([LINE, LINE], how).double()(s_dd, s_nd)
    assert bool(converged[0])
    assert np.abs(found[0].numpy() - lam).max() < 1e-6


def test_the_equation_of_a_draw_is_recovered() -> None:
    cases = [HeatField(points=21, frames=10, fine=41, noise=0.005).case(seed) for seed in range(3)]
    module = HEAT.build(GRID)
    made = module(torch.from_numpy(np.stack([c.readings for c in cases])).float().flatten(1))
    for case, lam, residual in zip(cases, made.lam, made.residual, strict=True):
        assert np.corrcoef(lam.numpy().ravel(), case.lam.ravel())[0, 1] > 0.9
        assert 0.0 < float(residual) < 0.2


@given(st.integers(0, 1000), st.sampled_from([(-1,), (-2,), (-1, -2)]))
@settings(max_examples=6, deadline=None)
def test_turned_readings_give_a_turned_coefficient(seed: int, flips: tuple[int, ...]) -> None:
    readings = torch.rand(1, *GRID.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    module = replace(HEAT, cells=1).build(GRID).double()
    plain, turned = module(readings.flatten(1)), module(readings.flip(flips).flatten(1))
    assert float((plain.lam.flip(flips) - turned.lam).abs().max()) < 1e-6


def test_readings_that_say_nothing_do_not_converge() -> None:
    module = HEAT.build(GRID)
    flat = torch.full((1, GRID.points), 0.5)
    noisy = torch.from_numpy(HeatField(points=21, frames=10, fine=21).case(0).readings).float().reshape(1, -1)
    made = module(torch.cat([torch.zeros_like(flat), noisy]))
    assert torch.isinf(made.residual[0])
    assert torch.isfinite(made.residual[1])


def test_lambda_stays_in_its_range() -> None:
    made = HEAT.build(GRID)(torch.rand(2, GRID.points, generator=torch.Generator().manual_seed(0)))
    assert float(made.lam.min()) >= 0.0048 - 1e-8
    assert float(made.lam.max()) <= 0.0192 + 1e-8
    assert bool((made.band > 0).all())


def test_a_network_that_was_not_trained_corrects_nothing() -> None:
    readings = torch.from_numpy(HeatField(points=21, frames=10, fine=21).case(1).readings).float().reshape(1, -1)
    plain, refined = HEAT.build(GRID)(readings), Refined(HEAT, width=3).build(GRID)(readings)
    assert float((plain.lam - refined.lam).detach().abs().max()) < 1e-7


@pytest.mark.parametrize("how", [HEAT, Refined(HEAT, width=3, kernel=3)])
def test_an_architecture_is_read_back(how: Estimator | Refined) -> None:
    assert from_json(how.to_json(), "spec.json: architecture") == how
    assert how.kind in names()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "dense"}, "kind: expected one of estimator, refined, got 'dense'"),
        ({"count": "7"}, "count: expected int, got '7'"),
        ({"count": True}, "count: expected int, got True"),
        ({"scale": float("nan")}, "scale: expected float, got nan"),
        ({"half": 3}, "half: expected a list, got 3"),
        ({"more": 1}, r"unknown \['more'\]"),
    ],
)
def test_an_architecture_that_is_none_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(RunError, match=said):
        from_json({**HEAT.to_json(), **changes}, "spec.json: architecture")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"half": (3, 4)}, "half: expected 3 numbers"),
        ({"count": 3}, "count: expected 4 to 21 splines, got 3"),
        ({"count": 99}, "count: expected 4 to 21 splines, got 99"),
        ({"half": (3, 11, 11)}, "axis"),
        ({"cells": 0}, "cells >= 1"),
        ({"scale": 0.0}, "scale > 0"),
        ({"low": 1.0, "high": 0.0}, "low < high"),
        ({"statement": "nothing"}, "statement: expected one of"),
    ],
)
def test_an_estimator_that_does_not_fit_is_refused(changes: dict[str, object], said: str) -> None:
    stated = {k: v for k, v in {**HEAT.to_json(), **changes}.items() if k != "kind"}
    with pytest.raises(InputError, match=said):
        Estimator(**stated).build(GRID)
