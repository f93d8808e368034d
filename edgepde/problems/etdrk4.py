"""Exponential time differencing, Runge-Kutta of order 4, for c' = L c + N(c) with diagonal L.

S. Cox, P. Matthews, J. Comput. Phys. 176 (2002) 430; coefficients as means over a circle: A. Kassam, L. Trefethen,
SIAM J. Sci. Comput. 26 (2005) 1214.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from .fourier import Complex

CIRCLE = 64
"""Points of the circle of radius 1 around every h L."""


@final
@dataclass(frozen=True, eq=False)
class Step:
    """One step of length h: whole exp(h L), half exp(h L / 2) and the weights, all of the shape of L."""

    whole: Complex
    half: Complex
    inner: Complex
    first: Complex
    middle: Complex
    last: Complex

    @classmethod
    def of(cls, linear: Complex, h: float) -> Step:
        """The step of length h for the diagonal L [..]."""
        z = h * linear
        around = z[..., None] + np.exp(2j * np.pi * (np.arange(CIRCLE) + 0.5) / CIRCLE)
        grown, cube = np.exp(around), around**3
        inner = (np.exp(0.5 * around) - 1.0) / around
        first = (-4.0 - around + grown * (4.0 - 3.0 * around + around**2)) / cube
        middle = (2.0 + around + grown * (around - 2.0)) / cube
        last = (-4.0 - 3.0 * around - around**2 + grown * (4.0 - around)) / cube
        inner, first, middle, last = (h * part.mean(-1) for part in (inner, first, 2.0 * middle, last))
        return cls(np.exp(z), np.exp(0.5 * z), inner, first, middle, last)

    def take(self, c: Complex, nonlinear: Callable[[Complex], Complex]) -> Complex:
        """c after one step."""
        at_c = nonlinear(c)
        half = self.half * c
        a = half + self.inner * at_c
        at_a = nonlinear(a)
        at_b = nonlinear(half + self.inner * at_a)
        at_d = nonlinear(self.half * a + self.inner * (2.0 * at_b - at_c))
        made: Complex = self.whole * c + self.first * at_c + self.middle * (at_a + at_b) + self.last * at_d
        return made
