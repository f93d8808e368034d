"""recover: every method finds lambda, gaps and NaN stay where they are, the choice has its reason, input is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.mollifier.grid import Grid
from edgepde.mollifier.inverse import band
from edgepde.mollifier.inverse.recovering import Recovered, recover
from edgepde.mollifier.inverse.statement import Piece, statement
from edgepde.mollifier.inverse.task import Task, find, methods
from edgepde.problems.heat_field import HeatField, StationaryHeat
from edgepde.problems.inverse_case import Case
from edgepde.problems.langevin import Langevin
from edgepde.problems.reaction_diffusion import ReactionDiffusion

HEAT = statement("heat_field")
SMALL = HeatField(points=25, frames=9, fine=73)


@cache
def case(missing: float = 0.0, noise: float = 0.005) -> Case:
    return replace(SMALL, missing=missing, noise=noise).case(3)


@cache
def solved(method: str, missing: float = 0.0, noise: float = 0.005) -> tuple[Recovered, Case]:
    one = case(missing, noise)
    return recover(one.readings, Grid.of(**one.axes), HEAT, method, baseline=method == "auto"), one


def correlation(lam: np.ndarray, truth: np.ndarray) -> float:
    return float(np.corrcoef(lam.ravel(), truth.ravel())[0, 1])


@pytest.mark.parametrize(
    ("method", "least"),
    [("pooled", 0.85), ("ratio", 0.7), ("savgol", 0.3), ("spline", 0.98), ("auto", 0.99)],
)
def test_every_method_finds_the_diffusivity_of_quiet_readings(method: str, least: float) -> None:
    made, one = solved(method)
    assert made.method == (method if method != "auto" else "solver")
    assert correlation(made.lam, one.lam) > least
    assert made.sigma == pytest.approx(one.noise, rel=0.2)


def test_all_methods_are_tested() -> None:
    assert set(methods()) == {"pooled", "ratio", "savgol", "solver", "spline", "weak"}


@pytest.mark.parametrize("method", ["spline", "solver"])
def test_sparse_readings_are_enough_and_never_spread(method: str) -> None:
    made, one = solved(method, missing=0.4)
    assert np.isfinite(made.lam).all()
    assert correlation(made.lam, one.lam) > 0.97


def test_the_solver_is_better_than_the_spline_it_starts_from() -> None:
    spline, one = solved("spline")
    solver, _ = solved("auto")
    errors = [np.abs(made.lam - one.lam).mean() for made in (spline, solver)]
    assert errors[1] < 0.8 * errors[0]


def test_the_band_holds_most_of_the_truth_and_grows_with_the_level() -> None:
    made, one = solved("auto")
    assert band.coverage(one.lam, made.low, made.high) > 0.6
    grid = Grid.of(**one.axes)
    wide = recover(one.readings, grid, HEAT, "spline", widening=3.0, baseline=False)
    narrow = recover(one.readings, grid, HEAT, "spline", baseline=False)
    np.testing.assert_allclose(wide.high - wide.lam, 3.0 * (narrow.high - narrow.lam), rtol=1e-9)
    less = recover(one.readings, grid, HEAT, "spline", level=0.5, baseline=False)
    assert ((narrow.high - narrow.low) > 2.0 * (less.high - less.low)).all()


def test_methods_without_a_deviation_state_no_band() -> None:
    made, _ = solved("pooled")
    assert np.isnan(made.low).all()
    assert np.isnan(made.high).all()


def test_auto_takes_the_solver_where_it_explains_the_readings_and_keeps_the_baseline() -> None:
    made, _ = solved("auto")
    assert made.method == "solver"
    assert "misfit" in made.reason
    assert {"savgol", "solver"} <= set(made.figures)
    assert set(made.seconds) == set(made.figures)


def test_auto_leaves_a_solver_of_the_wrong_equation() -> None:
    one = case()
    wrong = replace(HEAT, source=(Piece("u", (0.0, 2.0, 3.0)),))
    made = recover(one.readings, Grid.of(**one.axes), wrong, baseline=False)
    assert made.method != "solver"
    assert made.reason.startswith("solver: misfit") or "settle" in made.reason


def test_auto_says_why_there_is_no_solver() -> None:
    one = Langevin(points=101).case(0)
    made = recover(one.readings, Grid.of(**one.axes), statement("langevin"))
    assert made.method == "spline"
    assert "boundary zero-flux" in made.reason
    assert correlation(made.lam, one.lam) > 0.99


@pytest.mark.parametrize(("method", "least"), [("spline", 0.98), ("weak", 0.95)])
def test_the_rate_of_a_fourth_order_mixture_is_found(method: str, least: float) -> None:
    one = ReactionDiffusion(points=43, fine=43, frames=9, noise=0.005).case(0)
    made = recover(one.readings, Grid.of(**one.axes), statement("reaction_diffusion"), method, baseline=False)
    assert correlation(made.lam, one.lam) > least


@pytest.mark.parametrize(("method", "missing"), [("spline", 0.3), ("weak", 0.0), ("weak", 0.3), ("savgol", 0.0)])
def test_the_force_on_a_particle_is_found(method: str, missing: float) -> None:
    one = Langevin(missing=missing).case(1)
    made = recover(one.readings, Grid.of(**one.axes), statement("langevin"), method, baseline=False)
    assert correlation(made.lam, one.lam) > 0.98


def test_stationary_readings_give_the_reciprocal() -> None:
    one = StationaryHeat(points=33, fine=129, noise=0.002, missing=0.2).case(4)
    made = recover(one.readings, Grid.of(**one.axes), statement("stationary_heat"), "spline", baseline=False)
    assert correlation(made.lam, 1.0 / one.lam) > 0.95


def test_where_nothing_bends_the_mask_says_so() -> None:
    grid = Grid.of(**SMALL.axes)
    random = np.random.default_rng(0)
    flat = 0.5 + 1e-3 * random.standard_normal(grid.shape)
    assert not recover(flat, grid, HEAT, "spline", baseline=False).mask.any()
    assert solved("spline")[0].mask.mean() > 0.7


def test_uneven_axes_do_without_the_baseline() -> None:
    one = case()
    axes = {**one.axes, "x": one.axes["x"] ** 1.001}
    made = recover(one.readings, Grid.of(**axes), HEAT, "spline")
    assert "savgol" not in made.figures
    assert "uneven" in made.reason


def test_a_noise_that_is_given_is_used() -> None:
    one = case()
    made = recover(one.readings, Grid.of(**one.axes), HEAT, "spline", noise=0.1, baseline=False)
    assert made.sigma == 0.1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda r: {"values": r[0]}, "expected shape"),
        (lambda r: {"values": r[None]}, "expected one field"),
        (lambda r: {"values": np.where(np.arange(25) == 3, np.inf, r)}, "inf"),
        (lambda r: {"values": np.full_like(r, np.nan)}, "readings: expected"),
        (lambda r: {"method": "magic"}, "auto or one of pooled, ratio"),
        (lambda r: {"noise": -1.0}, "noise"),
        (lambda r: {"level": 1.0}, "level"),
        (lambda r: {"widening": 0.0}, "widening"),
    ],
)
def test_wrong_input_is_named(change: Callable[[np.ndarray], dict[str, object]], named: str) -> None:
    one = case()
    sound = {"values": one.readings, "grid": Grid.of(**one.axes), "statement": HEAT, "method": "spline"}
    with pytest.raises(InputError, match=named):
        recover(**{**sound, **change(one.readings)})  # type: ignore[arg-type]


def test_an_estimate_is_made_once() -> None:
    one = case()
    task = Task(one.readings, Grid.of(**one.axes), HEAT)
    assert task.estimate("pooled") is task.estimate("pooled")
    assert find("pooled") is find("pooled")


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.floats(0.3, 3.0))
def test_widening_makes_bands_hold_what_they_should(seed: int, factor: float) -> None:
    random = np.random.default_rng(seed)
    sizes = np.exp(0.3 * random.standard_normal(200))
    errors = [factor * size * random.standard_normal(50) for size in sizes]
    one, zero = np.ones(50), np.zeros(50)
    wider = band.widening(errors[:100], [zero] * 100, [one] * 100, 0.9)
    half = 1.645 * wider
    held = np.mean([band.coverage(e, zero - half, zero + half) >= 0.9 for e in errors[100:]])
    assert held > 0.7


def test_widening_refuses_too_few_cases_and_missing_deviations() -> None:
    zero, one = np.zeros(5), np.ones(5)
    with pytest.raises(InputError, match="needs at least"):
        band.widening([zero] * 3, [zero] * 3, [one] * 3, 0.9)
    with pytest.raises(InputError, match="case 0: deviation"):
        band.widening([zero], [zero], [np.nan * one], 0.9)
