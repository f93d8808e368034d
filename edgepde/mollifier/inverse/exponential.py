"""Exponential time differencing of order four for a diagonal linear part."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

Array = NDArray[np.float64]
POINTS = 16
LARGEST = 200.0


@final
class Exponential:
    """v' = L v + N(v), L diagonal [m_y, m_x], steps of dt (Cox and Matthews 2002).

    Coefficients are means over a circle around dt L (Kassam and Trefethen 2005), which no cancellation touches.
    InputError where L grows by more than a float holds in one step.
    """

    def __init__(self, linear: Array, dt: float) -> None:
        if dt * linear.max() > LARGEST:
            raise InputError(f"solver: expected a decay, got growth by exp({dt * linear.max():.3g}) in a step")
        z = dt * linear[..., None] + np.exp(1j * np.pi * (np.arange(POINTS) + 0.5) / POINTS)
        e = np.exp(z)
        self.whole, self.half = np.exp(dt * linear), np.exp(0.5 * dt * linear)
        self.middle = _mean(dt * (np.exp(0.5 * z) - 1.0) / z)
        self.first = _mean(dt * (-4.0 - z + e * (4.0 - 3.0 * z + z**2)) / z**3)
        self.second = _mean(dt * (2.0 + z + e * (z - 2.0)) / z**3)
        self.third = _mean(dt * (-4.0 - 3.0 * z - z**2 + e * (4.0 - z)) / z**3)

    def step(self, v: Array, rest: Callable[[Array], Array]) -> Array:
        """v one step later; v [.., m_y, m_x]."""
        n0 = rest(v)
        a = self.half * v + self.middle * n0
        na = rest(a)
        nb = rest(self.half * v + self.middle * na)
        nc = rest(self.half * a + self.middle * (2.0 * nb - n0))
        made: Array = self.whole * v + self.first * n0 + 2.0 * self.second * (na + nb) + self.third * nc
        return made


def _mean(x: NDArray[np.complex128]) -> Array:
    made: Array = x.mean(-1).real
    return made
