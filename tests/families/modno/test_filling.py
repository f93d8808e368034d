"""Filling made from training inputs: few directions for few modes, true inputs back, other inputs found out."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.errors import InputError

from edgepde.modno.filling import filling
from edgepde.problems.operator_data import OperatorData, generate


def of(name: str, split: str, count: int = 60) -> OperatorData:
    return generate(name, count, 0, split=split, points=8, times=2)  # type: ignore[arg-type]


def torn(data: OperatorData, share: float, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    gone = np.argsort(np.random.default_rng(seed).random(data.sensors.shape), 1) < round(share * data.sensors.shape[1])
    return np.where(gone, np.nan, data.sensors)


def test_four_modes_are_eight_directions() -> None:
    how = filling(of("wave", "train").sensors)
    assert how.factor.shape == (32, 8)
    covariance = np.cov(of("wave", "train").sensors.T)
    assert np.abs(how.factor @ how.factor.T - covariance).max() < 1e-9


@pytest.mark.parametrize(("name", "close"), [("wave", 1e-6), ("mix_klein_gordon", 0.03)])
def test_a_tenth_of_fresh_inputs_is_filled(name: str, close: float) -> None:
    how, fresh = filling(of(name, "train", 300).sensors), of(name, "test")
    found = how.fill(torn(fresh, 0.1))
    wrong = np.linalg.norm(found.sensors - fresh.sensors, axis=1) / np.sqrt((how.factor**2).sum())
    assert wrong.max() < close
    assert (found.flags.sum(1) == 3).all()


def test_other_inputs_are_expected_to_be_filled_worse() -> None:
    how = filling(of("wave", "train").sensors)
    known, other = (how.fill(torn(of("wave", split), 0.03)).expected for split in ("test", "grf"))
    assert np.median(other) > 1e4 * np.median(known)


def test_inputs_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(InputError, match="expected inputs that differ"):
        filling(np.ones((20, 8)))


@pytest.mark.parametrize("count", [2, 3])
def test_few_inputs_give_few_directions(count: int) -> None:
    how = filling(of("wave", "train").sensors[:count])
    assert how.factor.shape[1] == count - 1
    assert np.isfinite(how.fill(of("wave", "train").sensors[:1]).sensors).all()
