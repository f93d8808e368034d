"""Data of inverse problems: references against what is known exactly, their convergence, readings by seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgepde.errors import SettingError
from edgepde.problems import heat_field, reaction_diffusion
from edgepde.problems.heat_field import HeatField, StationaryHeat
from edgepde.problems.inverse_case import bumps, read, wave_and_bump
from edgepde.problems.langevin import Langevin
from edgepde.problems.reaction_diffusion import ReactionDiffusion

SMALL_HEAT = HeatField(points=11, frames=5, fine=41)
SMALL_REACTION = ReactionDiffusion(points=11, frames=5, fine=31)
SMALL: list[Any] = [SMALL_HEAT, SMALL_REACTION, StationaryHeat(points=11, fine=41), Langevin(points=40)]


def ratio(solve: Callable[[int], Any], sizes: tuple[int, int, int]) -> float:
    """How many times closer the two finer ones are than the two coarser ones."""
    a, b, c = (solve(n) for n in sizes)
    return float(np.abs(a - b).max() / np.abs(b - c).max())


def test_heat_that_is_even_grows_as_the_logistic_curve() -> None:
    t = np.linspace(0.0, 1.0, 6)
    lam = wave_and_bump(21, 0.005, 0.02, 0)
    got = heat_field.evolve(np.full((21, 21), 0.1), lam, t)
    exact = 0.1 * np.exp(2 * t) / (0.9 + 0.1 * np.exp(2 * t))
    np.testing.assert_allclose(got, np.broadcast_to(exact[:, None, None], got.shape), rtol=1e-3)


def test_heat_converges_with_the_square_of_the_spacing() -> None:
    assert 3.0 < ratio(lambda n: HeatField(points=11, frames=3, fine=n).case(1).field, (21, 41, 81)) < 5.5


def test_default_heat_is_far_closer_to_its_limit_than_the_noise() -> None:
    a, b = (HeatField(points=11, frames=3, horizon=0.1, fine=n).case(2).field for n in (81, 161))
    assert np.sqrt(((a - b) ** 2).mean()) / 3.0 < 0.1 * 0.01 * b.std()


def test_stationary_heat_solves_its_equation_and_converges() -> None:
    assert 3.0 < ratio(lambda n: StationaryHeat(points=11, fine=n, missing=0.0).case(1).field, (21, 41, 81)) < 5.0
    k = np.pi * np.linspace(0.0, 1.0, 41)[1:-1]
    got = heat_field._poisson(2.0 * np.pi**2 * np.outer(np.sin(k), np.sin(k)))
    np.testing.assert_allclose(got, np.outer(np.sin(k), np.sin(k)), atol=1e-3)


def test_a_small_wave_in_the_mixture_grows_at_its_rate() -> None:
    config = ReactionDiffusion(frames=2, horizon=0.2)
    n, k = 17, 4 * np.pi
    wave = 1e-6 * np.cos(np.linspace(0.0, 1.0, n) * k) * np.ones((n, 1))
    got = reaction_diffusion.evolve(config, wave, np.ones((n, n)))[-1]
    rate = config.a * k**2 - config.b * k**4 - 2.0
    np.testing.assert_allclose(got, wave * np.exp(0.2 * rate), atol=1e-11)


def test_an_even_mixture_relaxes_to_the_balance_of_its_reactions() -> None:
    config = ReactionDiffusion(frames=4, horizon=2.0, steps=16)
    lam, c, t = 0.5, config.filled, np.linspace(0.0, 2.0, 4)
    got = reaction_diffusion.evolve(config, np.full((9, 9), 0.3), np.full((9, 9), lam))
    rest = c * (lam - 1.0) / (lam + 1.0)
    exact = rest + (0.3 - rest) * np.exp(-(1.0 + lam) * t)
    np.testing.assert_allclose(got[:, 4, 4], exact, atol=1e-6)


def test_reaction_diffusion_converges_in_space_and_time() -> None:
    assert 3.0 < ratio(lambda n: ReactionDiffusion(points=11, frames=3, fine=n).case(1).field, (31, 61, 121)) < 6.0
    steps = ratio(lambda n: ReactionDiffusion(points=11, frames=5, fine=31, steps=n).case(1).field, (4, 8, 16))
    assert steps > 4.0


def test_the_langevin_path_obeys_its_equation() -> None:
    case = Langevin(points=1024, noise=0.0).case(3)
    t = case.axes["t"]
    slope = np.gradient(case.field, t, edge_order=2)
    np.testing.assert_allclose((slope + case.field)[1:-1], case.lam[1:-1], atol=2e-3)


@pytest.mark.parametrize("make", [lambda n: bumps(n, 5, 0.1, 0.9, 3), lambda n: wave_and_bump(n, 0.1, 0.9, 3)])
def test_random_fields_are_one_function_on_every_grid(make: Callable[[int], Any]) -> None:
    coarse, fine = make(9), make(129)
    np.testing.assert_allclose(coarse, fine[::16, ::16], rtol=1e-12)
    assert fine.min() == pytest.approx(0.1)
    assert fine.max() == pytest.approx(0.9)


def test_first_fields_have_no_flux_at_the_edges() -> None:
    fine = bumps(2049, 8, 0.0, 1.0, 1)
    assert np.abs(fine[1] - fine[0]).max() < 1e-4
    assert np.abs(fine[:, -1] - fine[:, -2]).max() < 1e-4


@pytest.mark.parametrize("config", SMALL)
def test_a_seed_gives_the_same_case_and_another_noise_leaves_the_truth(config: Any) -> None:
    a, b, c = config.case(4), config.case(4), config.case(4, noise_seed=5)
    np.testing.assert_array_equal(a.readings, b.readings)
    np.testing.assert_array_equal(a.field, c.field)
    np.testing.assert_array_equal(a.lam, c.lam)
    assert not np.array_equal(a.readings, c.readings, equal_nan=True)
    assert not np.array_equal(a.lam, config.case(6).lam)


def test_readings_have_the_noise_and_the_gaps_that_were_asked_for() -> None:
    field = np.sin(np.linspace(0.0, 9.0, 40000))
    values, sigma = read(field, 0.05, 0.3, 0)
    assert sigma == pytest.approx(0.05 * field.std())
    assert np.isnan(values).mean() == pytest.approx(0.3, abs=0.01)
    assert np.nanstd(values - field) == pytest.approx(sigma, rel=0.02)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: HeatField(points=1), "points"),
        (lambda: HeatField(frames=5000), "frames"),
        (lambda: HeatField(low=0.0), "low, high"),
        (lambda: HeatField(horizon=np.inf), "horizon"),
        (lambda: HeatField(fine=100), "fine"),
        (lambda: HeatField(bumps=0), "bumps"),
        (lambda: HeatField(noise=np.nan), "noise"),
        (lambda: HeatField(missing=1.0), "missing"),
        (lambda: StationaryHeat(fine=42), "fine"),
        (lambda: ReactionDiffusion(b=0.0), "b:"),
        (lambda: ReactionDiffusion(steps=0), "steps"),
        (lambda: ReactionDiffusion(fine=65), "fine"),
        (lambda: Langevin(waves=0), "waves"),
        (lambda: Langevin(fastest=-1.0), "fastest"),
        (lambda: Langevin(horizon=0.0), "horizon"),
    ],
)
def test_a_wrong_setting_is_named(make: Callable[[], object], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        make()
