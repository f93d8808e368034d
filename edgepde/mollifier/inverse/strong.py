"""The pieces of a statement at every sample of a smoothed field, and how they move with its derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from ..names import Index, combination
from .smoothing import Smoothed
from .statement import Piece

Array = NDArray[np.float64]
Slopes = dict[Index, Array]


@final
class Strong:
    """Pieces by the chain rule: D g(u) = g' D u + g'' (products of first derivatives), D of an order up to two."""

    def __init__(self, smoothed: Smoothed, grid: Grid) -> None:
        self.smoothed, self.grid = smoothed, grid
        self.mesh = grid.mesh()
        self._known: dict[Index, Array] = {}

    def at(self, orders: Index) -> Array:
        """A derivative of the fit [n_1..n_d]."""
        if orders not in self._known:
            self._known[orders] = self.smoothed.derivative(orders)
        return self._known[orders]

    def of(self, pieces: Sequence[Piece]) -> tuple[Array, Slopes]:
        """Their sum, and its derivative by every derivative of u that it uses."""
        total, slopes = np.zeros(self.grid.shape), dict[Index, Array]()
        for piece in pieces:
            for factor, orders in combination(piece.derivative, self.grid.letters):
                total = total + factor * self._one(piece, orders, factor, slopes)
        return total, slopes

    def _one(self, piece: Piece, orders: Index, factor: float, slopes: Slopes) -> Array:
        zero = (0,) * len(orders)
        if piece.linear:
            _add(slopes, orders, factor * float(piece.powers[1]))  # type: ignore[arg-type]
            return float(piece.powers[1]) * self.at(orders)  # type: ignore[arg-type]
        g = _Power(piece.coefficients(self.mesh), self.at(zero))
        if not any(orders):
            _add(slopes, zero, factor * g.derivative(1))
            return g.derivative(0)
        first, second, whole = g.derivative(1), g.derivative(2), self.at(orders)
        _add(slopes, orders, factor * first)
        _add(slopes, zero, factor * second * whole)
        value = first * whole
        if sum(orders) == 2:
            a, b = _halves(orders)
            ua, ub = self.at(a), self.at(b)
            value = value + second * ua * ub
            _add(slopes, zero, factor * g.derivative(3) * ua * ub)
            _add(slopes, a, factor * second * ub)
            _add(slopes, b, factor * second * ua)
        return value


@final
class _Power:
    """g(u) = sum_k c_k u^k and its derivatives."""

    def __init__(self, coefficients: Sequence[float | Array], u: Array) -> None:
        self.coefficients, self.u = coefficients, u

    def derivative(self, order: int) -> Array:
        """g^(order)(u)."""
        total = np.zeros_like(self.u)
        for k in reversed(range(order, len(self.coefficients))):
            total = total * self.u + float(np.prod(range(k - order + 1, k + 1))) * self.coefficients[k]
        return total


def joined(parts: Sequence[tuple[float | Array, Mapping[Index, Array]]]) -> Slopes:
    """sum of factor * slopes."""
    total: Slopes = {}
    for factor, slopes in parts:
        for orders, slope in slopes.items():
            _add(total, orders, factor * slope)
    return total


def _add(slopes: Slopes, orders: Index, value: float | Array) -> None:
    slopes[orders] = slopes.get(orders, np.zeros(())) + value


def _halves(orders: Index) -> tuple[Index, Index]:
    letters = [axis for axis, k in enumerate(orders) for _ in range(k)]
    one, two = (tuple(int(axis == a) for axis in range(len(orders))) for a in letters)
    return one, two
