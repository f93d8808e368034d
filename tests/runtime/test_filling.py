"""Missing sensors: filled by the conditional mean, flagged, refused where the rest does not say what they were."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime import filling as module
from edgepde_runtime.errors import BundleError, InputError
from edgepde_runtime.filling import Filling
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Floats = NDArray[np.float64]
seeds = st.integers(0, 2**31)


def made(seed: int, sensors: int = 24, rank: int = 5, floor: float = 1e-6) -> Filling:
    """Smooth inputs on a circle of sensors."""
    rng = np.random.default_rng(seed)
    angle = np.outer(2.0 * np.pi * np.arange(sensors) / sensors, np.arange(1, rank // 2 + 2))
    directions = np.concatenate([np.cos(angle), np.sin(angle)], 1)[:, :rank]
    return Filling(rng.standard_normal(sensors), directions * rng.uniform(0.5, 1.5, rank), floor)


def draws(how: Filling, count: int, seed: int) -> Floats:
    z = np.random.default_rng(seed).standard_normal((count, how.factor.shape[1]))
    return np.asarray(how.mean + z @ how.factor.T)


def holes(shape: tuple[int, int], count: int, seed: int) -> NDArray[np.bool_]:
    order = np.argsort(np.random.default_rng(seed).random(shape), axis=1)
    return np.asarray(order < count)


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(0, 7))
def test_inputs_of_the_trained_kind_come_back(seed: int, missing: int) -> None:
    how = made(seed)
    inputs = draws(how, 4, seed + 1)
    gone = holes(inputs.shape, missing, seed + 2)
    found = how.fill(np.where(gone, np.nan, inputs))
    assert np.abs(found.sensors - inputs).max() < 1e-6
    assert np.array_equal(found.flags, gone)
    assert np.array_equal(found.sensors[~gone], inputs[~gone]), "what is there stays to the last bit"
    assert found.expected.max() < 1e-4


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 7), st.floats(0.01, 0.1))
def test_it_is_the_conditional_mean(seed: int, missing: int, noise: float) -> None:
    how = made(seed)
    rng = np.random.default_rng(seed + 3)
    row = draws(how, 1, seed)[0] + noise * rng.standard_normal(24)
    gone = holes((1, 24), missing, seed)[0]
    found = how.fill(np.where(gone, np.nan, row)[None], noise).sensors[0]
    covariance = how.factor @ how.factor.T
    seen = covariance[np.ix_(~gone, ~gone)] + noise**2 * np.eye(24 - missing)
    wanted = how.mean + covariance[:, ~gone] @ np.linalg.solve(seen, (row - how.mean)[~gone])
    assert np.abs(found - wanted).max() < 1e-9


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_what_is_expected_is_what_happens(noise: float) -> None:
    how = made(0)
    rng = np.random.default_rng(1)
    inputs = draws(how, 2000, 2)
    gone = np.zeros(inputs.shape, dtype=bool)
    gone[:, :3] = True
    given_ = np.where(gone, np.nan, inputs + noise * rng.standard_normal(inputs.shape))
    found = how.fill(given_)
    size = np.sqrt((how.factor**2).sum())
    true = np.sqrt((((found.sensors - inputs) * gone) ** 2).sum(1).mean()) / size
    expected = np.sqrt((found.expected**2).mean())
    left_in = np.sqrt(3.0) * noise / size
    assert np.hypot(true, left_in) == pytest.approx(expected, rel=0.1)
    assert true < expected


def test_noise_that_is_known_is_damped() -> None:
    how = made(0)
    inputs = draws(how, 500, 1)
    noisy = inputs + 0.1 * np.random.default_rng(2).standard_normal(inputs.shape)
    found = how.fill(noisy, 0.1)
    assert not found.flags.any()
    assert np.abs(found.sensors - inputs).std() < 0.6 * np.abs(noisy - inputs).std()
    assert np.array_equal(how.fill(noisy).sensors, noisy), "without a level, whole rows stay as they are"


def test_too_much_missing_is_refused_with_row_and_share() -> None:
    how = made(0)
    inputs = draws(how, 3, 1)
    inputs[1, :9] = np.nan
    with pytest.raises(InputError, match=r"row 1: 9 of 24 sensors are missing: at most 8 can be filled \(1 such"):
        how.fill(inputs)
    with pytest.raises(InputError, match=r"row 0: 24 of 24 sensors are missing"):
        how.fill(np.full((1, 24), np.nan))


def test_what_the_rest_does_not_tell_is_refused() -> None:
    how = made(0)
    inputs = draws(how, 1, 1) + 2.0 * np.random.default_rng(0).standard_normal((1, 24))
    inputs[0, :6] = np.nan
    with pytest.raises(InputError, match=r"row 0: 6 of 24 sensors are missing: filling them is expected to change"):
        how.fill(inputs)
    wide = Filling(np.zeros(6), np.eye(6)[:, :5], 1e-6)
    with pytest.raises(InputError, match="is expected to change"):
        wide.fill(np.array([[1.0, np.nan, 0.0, 0.0, 0.0, 0.0]]))


@pytest.mark.parametrize(
    ("sensors", "noise", "said"),
    [
        (np.zeros(24), None, r"expected \[N, 24\], got \[24\]"),
        (np.zeros((2, 23)), None, r"expected \[N, 24\], got \[2, 23\]"),
        (np.full((1, 24), np.inf), None, r"sensors\[0, 0\]: expected numbers or NaN, got infinite"),
        (np.zeros((1, 24)), 0.0, "noise: expected a standard deviation above 0, got 0.0"),
        (np.zeros((1, 24)), np.nan, "noise: expected"),
    ],
)
def test_bad_input(sensors: Floats, noise: float | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        made(0).fill(sensors, noise)


@pytest.mark.parametrize(
    ("mean", "factor", "floor", "said"),
    [
        (np.zeros(4), np.ones((5, 2)), 1.0, "expected .S. and .S, r., got .4. and .5, 2."),
        (np.zeros(4), np.ones((4, 4)), 1.0, "1 <= r < S"),
        (np.zeros(4), np.ones((4, 0)), 1.0, "1 <= r < S"),
        (np.full(4, np.nan), np.ones((4, 2)), 1.0, "finite numbers"),
        (np.zeros(4), np.ones((4, 2)), 0.0, "a floor above 0"),
        (np.zeros(4), np.zeros((4, 2)), 1.0, "inputs that differ"),
    ],
)
def test_what_cannot_fill(mean: Floats, factor: Floats, floor: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Filling(mean, factor, floor)


def test_it_is_kept_in_float32() -> None:
    how = made(0)
    back = Filling.from_arrays(how.arrays(), "here", BundleError)
    assert {a.dtype for a in how.arrays().values()} == {np.dtype(np.float32)}
    row = np.where(np.arange(24) % 8 == 0, np.nan, draws(how, 1, 0))
    assert np.abs(back.fill(row).sensors - how.fill(row).sensors).max() < 1e-5
    with pytest.raises(BundleError, match="here: filling: mean, factor"):
        Filling.from_arrays({**how.arrays(), "mean": np.zeros(3, np.float32)}, "here", BundleError)
    with pytest.raises(BundleError, match=r"here: member floor expected \[1\], got \[2\]"):
        Filling.from_arrays({**how.arrays(), "floor": np.zeros(2, np.float32)}, "here", BundleError)


def test_limits_are_those_stated() -> None:
    assert (module.LIMIT, module.MOST_MISSING) == (0.05, 1.0 / 3.0)
