"""Periodic functions as half spectra: c [.., m + 1] complex with u(x) = c_0 + 2 Re sum_k c_k exp(2 pi i k x / P)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Real = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]


def wavenumbers(modes: int, period: float) -> Real:
    """2 pi k / P for k = 0 .. modes."""
    made: Real = 2.0 * np.pi / period * np.arange(modes + 1, dtype=np.float64)
    return made


def grid(points: int, period: float, shift: float = 0.0) -> Real:
    """P (j + shift) / n for j = 0 .. n - 1."""
    made: Real = period * (np.arange(points) + shift) / points
    return made


def spectrum(values: Real) -> Complex:
    """Of values [.., n] at n equal steps from 0; the mode an even n cannot tell from its mirror image is dropped."""
    points = values.shape[-1]
    made: Complex = fft.rfft(values, axis=-1, norm="forward")[..., : (points - 1) // 2 + 1]
    return made


def on_grid(coefficients: Complex, points: int) -> Real:
    """u [.., n] at n equal steps from 0; n > 2 m."""
    made: Real = fft.irfft(coefficients, points, axis=-1, norm="forward")
    return made


def at(coefficients: Complex, x: Real, period: float) -> Real:
    """u [.., n] at any places x [n]."""
    phase = np.outer(wavenumbers(coefficients.shape[-1] - 1, period), x)
    cosine, sine = 2.0 * np.cos(phase), 2.0 * np.sin(phase)
    cosine[0] = 1.0
    made: Real = coefficients.real @ cosine - coefficients.imag @ sine
    return made


def resized(coefficients: Complex, modes: int) -> Complex:
    """The modes 0 .. modes: cut, or zeros behind."""
    held = coefficients[..., : modes + 1]
    made = np.zeros((*held.shape[:-1], modes + 1), dtype=np.complex128)
    made[..., : held.shape[-1]] = held
    return made
