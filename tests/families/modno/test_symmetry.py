"""Symmetries are found in data where they are, and not where they are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from families.modno.periodic_fields import PERIOD, inputs

from edgepde.modno.spectral import Spectral
from edgepde.modno.symmetry import TESTABLE, TRANSFORMS, errors, symmetries

FORM = Spectral(PERIOD, 6, 1.0, 1)
X = np.arange(16) * PERIOD / 16
Map = Callable[[np.ndarray], np.ndarray]
S = FORM.space_matrix(X)[[0, 1, 2, 7, 8]]


def slope(u: np.ndarray) -> np.ndarray:
    k = np.pi * np.fft.rfftfreq(16, 1.0 / 16)
    k[-1] = 0.0
    return np.fft.irfft(1j * k * np.fft.rfft(u), 16)


CASES: dict[str, tuple[Map, tuple[str, ...]]] = {
    "linear": (lambda u: u + np.roll(u, 1, 1) + np.roll(u, -1, 1), ("shift", "odd", "mirror", "mirror_odd")),
    "drift": (lambda u: np.roll(u, 2, 1), ("shift", "odd")),
    "cubic": (lambda u: u + 0.3 * u**3, ("shift", "odd", "mirror", "mirror_odd")),
    "quadratic": (lambda u: u + 0.5 * u**2, ("shift", "mirror")),
    "burgers": (lambda u: u - 0.2 * u * slope(u), ("shift", "mirror_odd")),
    "place": (lambda u: (1.0 + 0.3 * np.cos(np.pi * X)) * u, ("odd", "mirror", "mirror_odd")),
    "force": (lambda u: u + np.sin(np.pi * X), ("mirror_odd",)),
}


@pytest.mark.parametrize("name", CASES)
def test_all_symmetries_are_found_and_no_other(name: str) -> None:
    made, (operator, wanted) = inputs(120, 2), CASES[name]
    field = np.repeat(operator(made @ S)[:, None], 2, axis=1)
    assert symmetries(made, FORM.coefficients(field, [0.0, 1.0], X)) == wanted


def test_every_transform_has_its_error_and_none_has_its_own() -> None:
    made = inputs(40, 2)
    found = errors(made, made[:, None])
    assert set(found) == {"", *TRANSFORMS}
    assert max(found.values()) < 1e-6


def test_of_few_cases_no_symmetry_is_used() -> None:
    made = inputs(TESTABLE, 2)
    assert "shift" in symmetries(made, made[:, None])
    assert symmetries(made[1:], made[1:, None]) == ()


def test_few_cases_are_refused() -> None:
    with pytest.raises(InputError, match="symmetry: expected at least 32 cases, got 20"):
        errors(inputs(20, 2), inputs(20, 2)[:, None])
