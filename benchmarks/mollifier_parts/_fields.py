"""Fields on the unit square whose derivatives are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgepde.mollifier.grid import Grid
from edgepde.mollifier.names import Index, combination

Floats = NDArray[np.float64]
Line = Callable[[Floats, int], Floats]


@final
@dataclass(frozen=True)
class Field:
    """u = sum of f(y) g(x); a line is called with places and an order."""

    name: str
    terms: tuple[tuple[Line, Line], ...]

    def product(self, grid: Grid, orders: Index) -> Floats:
        """D^orders u at all samples."""
        y, x = (axis.values for axis in grid.axes)
        parts = [f(y, orders[0])[:, None] * g(x, orders[1]) for f, g in self.terms]
        return np.asarray(np.sum(parts, axis=0))

    def derivative(self, grid: Grid, name: str) -> Floats:
        """A name's exact values."""
        parts = [c * self.product(grid, orders) for c, orders in combination(name, grid.letters)]
        return np.asarray(np.sum(parts, axis=0))


def wave(halves: float) -> Line:
    """sin(halves pi s)."""
    f = halves * math.pi
    return lambda s, order: np.asarray(f**order * np.sin(f * s + order * np.pi / 2))


def bumps(width: float, *places: float) -> Line:
    """Sum of exp(-z^2), z = (s - place) / width; the k-th derivative is (-1)^k H_k(z) exp(-z^2) / width^k."""

    def line(s: Floats, order: int) -> Floats:
        z = (s[None] - np.array(places)[:, None]) / width
        shape = np.polynomial.hermite.hermval(z, [0.0] * order + [1.0])
        return np.asarray((-1 / width) ** order * (shape * np.exp(-z * z)).sum(0))

    return line


WAVES_OF = ((3.0, 2.0), (4.0, 1.3))
WAVES = Field("waves", tuple((wave(a), wave(b)) for a, b in WAVES_OF))
BUMPS = Field("narrow bumps", ((wave(1.0), bumps(0.06, 0.3, 0.55)),))


def largest(orders: Index) -> float:
    """max |D^orders u| of WAVES, or more."""
    return sum((a * math.pi) ** orders[0] * (b * math.pi) ** orders[1] for a, b in WAVES_OF)
