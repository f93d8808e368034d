"""The splines lambda is looked for in: cubic, on one or two axes, curvature as penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from ..grid import Axis, Grid

Array = NDArray[np.float64]
CUBIC = 3


@final
@dataclass(frozen=True, eq=False)
class Space:
    """lambda = sum_ij c_ij B_i B_j at the samples of the axes `over`.

    lines: [n_a, k_a] per axis; rough [K, K]: the integral of the squared second derivatives, c' rough c, along unit
    axes; places: which axes of the grid, of `dimension`.
    """

    lines: tuple[Array, ...]
    rough: Array
    places: tuple[int, ...]
    dimension: int

    @property
    def count(self) -> int:
        """K."""
        return len(self.rough)

    def at(self, c: Array) -> Array:
        """lambda on its own axes, of coefficients [K] or [K, m]: [n.., ] or [n.., m]."""
        sizes = [line.shape[1] for line in self.lines]
        x = c.reshape(*sizes, *c.shape[1:])
        for axis, line in enumerate(self.lines):
            x = np.moveaxis(np.tensordot(line, x, (1, axis)), 0, axis)
        return np.asarray(x)

    def load(self, field: Array) -> Array:
        """sum_n B_i B_j field: a field on lambda's own axes to [K]."""
        for axis, line in enumerate(self.lines):
            field = np.moveaxis(np.tensordot(line.T, field, (1, axis)), 0, axis)
        return np.asarray(field).ravel()

    def normal(self, weight: Array) -> Array:
        """sum_n B_k weight B_l: [K, K]."""
        pairs = [line[:, :, None] * line[:, None, :] for line in self.lines]
        if len(pairs) == 1:
            return np.asarray(np.tensordot(weight, pairs[0], 1))
        inner = np.tensordot(weight, pairs[1], 1)
        made = np.tensordot(pairs[0], inner, (0, 0))
        return np.asarray(made.transpose(0, 2, 1, 3).reshape(self.count, self.count))

    def spread(self, field: Array) -> Array:
        """A field of lambda's own axes, broadcast against the whole grid's [n_1..n_d]."""
        shape = [1] * self.dimension
        for place, size in zip(self.places, field.shape, strict=True):
            shape[place] = size
        return field.reshape(shape)


def space(grid: Grid, over: str, most: int = 0) -> Space:
    """Splines on every axis of `over`: a third of the samples, 4 to `most` (else 10 on two axes, 64 on one)."""
    axes = [grid.axis(name) for name in over]
    high = most or (10 if len(axes) > 1 else 64)
    sizes = [max(4, min(high, axis.size // 3)) for axis in axes]
    lines = tuple(cubic(axis, size, axis.values) for axis, size in zip(axes, sizes, strict=True))
    grams = [[gram(size, k) for k in range(3)] for size in sizes]
    if len(axes) == 1:
        rough = grams[0][2]
    else:
        (m, g, h), (n, p, q) = grams
        rough = np.kron(h, n) + 2.0 * np.kron(g, p) + np.kron(m, q)
    return Space(lines, rough, tuple(grid.letters.index(name) for name in over), len(grid.axes))


def cubic(axis: Axis, count: int, places: Array) -> Array:
    """Clamped cubic splines with equal knots on an axis at places [n]: [n, count]."""
    low, high = axis.values[0], axis.values[-1]
    return np.asarray(BSpline.design_matrix(np.clip(places, low, high), knots(low, high, count), CUBIC).toarray())


def gram(count: int, order: int) -> Array:
    """int_0^1 B_i^(order) B_j^(order): [count, count], exact by Gauss points."""
    line_knots = knots(0.0, 1.0, count)
    points, weights = np.polynomial.legendre.leggauss(CUBIC + 1)
    edges = np.unique(line_knots)
    half = 0.5 * np.diff(edges)
    s = (edges[:-1, None] + half[:, None] * (points + 1.0)).ravel()
    line = np.asarray(BSpline(line_knots, np.eye(count), CUBIC)(s, nu=order))
    return np.asarray(line.T @ (line * np.outer(half, weights).ravel()[:, None]))


def knots(low: float, high: float, count: int) -> Array:
    """Equal knots of `count` clamped cubic splines."""
    inner = np.linspace(low, high, count - CUBIC + 1)
    return np.concatenate([[low] * CUBIC, inner, [high] * CUBIC])
