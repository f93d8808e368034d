"""Inputs of solution operators, drawn by seed as half spectra: [N, m + 1] complex, see fourier.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from .fourier import Complex, wavenumbers

FOURIER_MODES = 4
MEAN_SQUARE = sum(1.0 / (12.0 * k * k) for k in range(1, FOURIER_MODES + 1))
"""Of `fourier`, and about that of `mixture`."""
GRF_LENGTH = 0.2
GAUSSIANS = 2
WIDTHS = 0.12, 0.3
MODES: Final = 48
"""Of mixtures and random fields: what is left out is below 1e-15."""


def fourier(count: int, rng: np.random.Generator, _: float) -> Complex:
    """s = sum_{k=1..4} (a_k cos + b_k sin) / k of 2 pi k x / period, a and b uniform in [-1/2, 1/2]."""
    drawn = rng.uniform(-0.5, 0.5, (count, FOURIER_MODES, 2))
    made = np.zeros((count, FOURIER_MODES + 1), dtype=np.complex128)
    made[:, 1:] = 0.5 * (drawn[..., 0] - 1j * drawn[..., 1]) / np.arange(1, FOURIER_MODES + 1)
    return made


def mixture(count: int, rng: np.random.Generator, period: float) -> Complex:
    """Two bumps h exp(-(x - p)^2 / 2 w^2) repeated with the period: h in [-1, 1], w in [0.12, 0.3], p anywhere."""
    drawn = rng.uniform(size=(count, GAUSSIANS, 3))
    height, place = 2.0 * drawn[..., 0] - 1.0, period * drawn[..., 1]
    width = WIDTHS[0] + (WIDTHS[1] - WIDTHS[0]) * drawn[..., 2]
    k = wavenumbers(MODES, period)
    shape = np.exp(-0.5 * (k * width[..., None]) ** 2 - 1j * k * place[..., None])
    made: Complex = ((height * width)[..., None] * shape).sum(1) * np.sqrt(2.0 * np.pi) / period
    return made


def random_field(count: int, rng: np.random.Generator, period: float) -> Complex:
    """A Gaussian random field without mean: covariance exp(-d^2 / 2 0.2^2), of the mean square of `fourier`."""
    drawn = rng.standard_normal((count, MODES, 2))
    k = wavenumbers(MODES, period)[1:]
    power = np.exp(-0.5 * (k * GRF_LENGTH) ** 2)
    size = np.sqrt(MEAN_SQUARE / power.sum())
    made = np.zeros((count, MODES + 1), dtype=np.complex128)
    made[:, 1:] = 0.5 * size * np.sqrt(power) * (drawn[..., 0] - 1j * drawn[..., 1])
    return made


KINDS: dict[str, Callable[[int, np.random.Generator, float], Complex]] = {
    "fourier": fourier,
    "porous": fourier,
    "mixture": mixture,
    "grf": random_field,
}
