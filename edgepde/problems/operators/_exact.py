"""Operators that multiply every Fourier mode by a known function of time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from ..fourier import Complex, Real, wavenumbers
from ._operator import Operator


@final
@dataclass(frozen=True, kw_only=True)
class Exact(Operator):
    """c_k(t) = multiplier(k, t) c_k(0); multiplier takes wavenumbers [m + 1] and times [T, 1]."""

    multiplier: Callable[[Real, Real], Real | Complex]
    is_linear: bool = True

    def evolve(self, coefficients: Complex, times: Real) -> Complex:
        """Exact."""
        times = self.checked(coefficients, times)
        k = wavenumbers(coefficients.shape[-1] - 1, self.period)
        made: Complex = coefficients[:, None, :] * self.multiplier(k, times[:, None])
        return made
