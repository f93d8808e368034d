"""The level of noise from readings alone, and the samples that it leaves nothing of."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.mollifier.bank import bank
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.masks import mask
from edgepde.mollifier.noise import estimate

LINE = np.linspace(0, 1, 48)
GRID = Grid.of(y=LINE, x=LINE)
FIELD = np.sin(5 * LINE)[:, None] * np.cos(7 * LINE)


@settings(max_examples=12)
@given(st.integers(0, 2**20), st.sampled_from([1e-6, 1e-4, 1e-2, 0.2]), st.sampled_from(["even", "uneven", "holes"]))
def test_the_level_is_found_within_a_fifth(seed: int, level: float, case: str) -> None:
    rng = np.random.default_rng(seed)
    grid = Grid.of(y=LINE, x=LINE**1.3) if case == "uneven" else GRID
    mesh = grid.mesh()
    u = np.sin(5 * mesh["y"]) * np.cos(7 * mesh["x"]) + level * rng.standard_normal((48, 48))
    if case == "holes":
        u[rng.random((48, 48)) < 0.02] = np.nan
    assert estimate(u, grid) == pytest.approx(level, rel=0.2)


def test_a_field_without_noise_has_that_of_its_numbers() -> None:
    assert estimate(FIELD, GRID) < 1e-14
    assert estimate(FIELD.astype(np.float32), GRID) == pytest.approx(2e-8, rel=1.0)


def test_a_few_outliers_do_not_count() -> None:
    rng = np.random.default_rng(0)
    u = FIELD + 1e-3 * rng.standard_normal(FIELD.shape)
    u[rng.integers(0, 48, 4), rng.integers(0, 48, 4)] += 5.0
    assert estimate(u, GRID) < 3e-3


def test_a_short_line_says_nothing() -> None:
    with pytest.raises(InputError, match="noise: expected 8 differences"):
        estimate(np.zeros(6), Grid.of(x=np.arange(6.0)))


def test_samples_that_noise_drowns_are_masked_with_the_reason() -> None:
    rng = np.random.default_rng(3)
    made = bank(GRID, ["u_x", "u_xxxx"], degree=6, half=8, smooth=True)
    clean = mask(made, FIELD)
    assert clean.keep.all()
    assert not clean.reasons
    noisy = mask(made, FIELD + 1e-3 * rng.standard_normal(FIELD.shape))
    assert noisy.keep[0].all()
    ends = np.minimum(np.arange(48), np.arange(48)[::-1]) < 1
    assert not noisy.keep[1][:, ends].any()
    assert noisy.keep[1][8:-8, 8:-8].all()
    assert "noise exceeds the derivative" in noisy.reasons["u_xxxx"]
    drowned = mask(made, FIELD + 0.3 * rng.standard_normal(FIELD.shape))
    assert not drowned.keep[1].any()
    assert "in all samples" in drowned.reasons["u_xxxx"]


def test_what_is_kept_is_less_wrong_than_the_derivative_is_large() -> None:
    rng = np.random.default_rng(4)
    exact = 7**4 * FIELD
    made = bank(GRID, ["u_xxxx"], degree=6, half=10, smooth=True)
    for level in (1e-4, 1e-3, 1e-2):
        u = FIELD + level * rng.standard_normal(FIELD.shape)
        found = mask(made, u)
        error = (made.apply(u)[0] - exact)[found.keep[0]]
        assert not found.keep.any() or np.sqrt(np.mean(error**2)) < exact.std()
        assert (found.keep == (made.spread * found.noise <= found.scale[0])).all()


def test_refused_rows_are_masked_too() -> None:
    u = FIELD.copy()
    u[5, 10:18] = np.nan
    made = bank(GRID, ["u_x"], degree=4, half=3)
    found = mask(made, u, noise=0.0)
    assert not found.keep[0, 5, 13]
    assert found.keep.sum() > 48 * 48 - 10
    assert "miss too many readings" in found.reasons["u_x"]
    with pytest.raises(InputError, match="noise: expected a standard deviation"):
        mask(made, FIELD, noise=-1.0)
