"""The weak form of a statement: test functions that vanish at the edges take all derivatives off the readings.

int psi (left - source) = sum_j c_j int psi B_j D[u], and int psi B_j d^a g(u) = (-1)^|a| int d^a(psi B_j) g(u).
Sources: arXiv 2409.06751 (a survey of weak-form estimation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import comb
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.polynomial import Polynomial
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from ..grid import Axis, Grid
from ..names import Index, combination
from .regression import Answer, penalised
from .smoothing import Smoothed, along
from .space import CUBIC, Space
from .space import knots as clamped
from .statement import Piece, Statement

Array = NDArray[np.float64]
POWER = 7
REACH = 9
"""Radius of a test function in samples, but between NARROW and WIDE of its axis."""
NARROW, WIDE = 0.05, 0.3
APART = 4
"""Centres are a radius / APART from each other."""


@final
class Probes:
    """psi_m B_j along an axis and its derivatives, times the weights of the trapezoidal rule: [M, k, N]."""

    def __init__(self, axis: Axis, count: int) -> None:
        radius = min(max(REACH / axis.size, NARROW), WIDE) * axis.length
        number = int((axis.length - 2.0 * radius) / radius * APART) + 1
        self.centres = np.linspace(axis.values[0] + radius, axis.values[-1] - radius, number)
        self.axis, self.radius, self.count = axis, radius, count
        self.spline = BSpline(clamped(axis.values[0], axis.values[-1], count), np.eye(count), CUBIC) if count else None
        edges = np.diff(axis.values)
        self.weights = 0.5 * (np.append(edges, 0.0) + np.insert(edges, 0, 0.0))

    def plain(self, order: int) -> Array:
        """(-1)^k psi^(k) [M, 1, N]."""
        return np.asarray((-1) ** order * self.weights * self._bump(order)[:, None])

    def product(self, order: int) -> Array:
        """(-1)^k (psi B_j)^(k) [M, k, N], by the product rule; plain where lambda does not depend on the axis."""
        if self.spline is None:
            return self.plain(order)
        if order > CUBIC - 1:
            raise InputError(f"weak form: axis {self.axis.name}: expected an operator of order 2 or less, got {order}")
        total = 0.0
        for i in range(order + 1):
            spline = np.asarray(self.spline(self.axis.values, nu=order - i)).T
            total = total + comb(order, i) * self._bump(i)[:, None] * spline
        return np.asarray((-1) ** order * self.weights * total)

    def _bump(self, order: int) -> Array:
        s = (self.axis.values - self.centres[:, None]) / self.radius
        shape = (Polynomial([1.0, 0.0, -1.0]) ** POWER).deriv(order)
        return np.where(np.abs(s) < 1.0, shape(s), 0.0) / self.radius**order


def fit(values: Array, smoothed: Smoothed, grid: Grid, statement: Statement, space: Space) -> tuple[Answer, int]:
    """lambda by penalised least squares of the weak form, and the number of its rows; noise by what is left.

    Readings that are missing are those of the smooth fit. Powers of u are corrected for the mean of their noise.
    InputError for an operator of an order above two along an axis.
    """
    u = np.where(smoothed.read, values, along(smoothed.coefficients, [b.synthesis(0) for b in smoothed.bases]))
    sizes = {place: line.shape[1] for place, line in zip(space.places, space.lines, strict=True)}
    tests = [Probes(axis, sizes.get(a, 0)) for a, axis in enumerate(grid.axes)]
    row = _Rows(tests, u, smoothed.sigma, grid, space)
    right = (row.sum(statement.left, False) - row.sum(statement.source, False))[:, 0]
    matrix = row.sum(statement.operator, True)
    return _penalised(matrix, right, space), len(right)


def _penalised(matrix: Array, right: Array, space: Space) -> Answer:
    """Rows of equal noise, of a size that is found from what a first fit leaves."""
    noise = float((right**2).mean()) * 1e-4 + np.finfo(float).tiny
    answer = None
    for _ in range(4):
        hessian, load = matrix.T @ matrix / noise, matrix.T @ right / noise
        answer = penalised(hessian, load, float(right @ right) / noise, len(right), space.rough)
        freedom = min(float(np.einsum("ij,ji->", answer.covariance, hessian)), 0.9 * len(right))
        noise = float(((right - matrix @ answer.c) ** 2).sum()) / (len(right) - freedom) + np.finfo(float).tiny
    assert answer is not None
    return replace(answer, misfit=float("nan"))


@final
class _Rows:
    def __init__(self, tests: Sequence[Probes], u: Array, sigma: float, grid: Grid, space: Space) -> None:
        self.tests, self.u, self.sigma, self.grid, self.space = tests, u, sigma, grid, space
        self.mesh = grid.mesh()

    def sum(self, pieces: Sequence[Piece], splined: bool) -> Array:
        """[R, K] of the pieces with lambda's splines, or [R, 1] without."""
        total = np.zeros((1, 1))
        for piece in pieces:
            powers = piece.coefficients(self.mesh)
            g = np.zeros(self.grid.shape)
            for k, c in enumerate(powers):
                g = g + c * (self.u**k - (0.5 * k * (k - 1) * self.sigma**2 * self.u ** (k - 2) if k > 1 else 0.0))
            for factor, orders in combination(piece.derivative, self.grid.letters):
                total = total + factor * self._one(g, orders, splined)
        return np.asarray(total)

    def _one(self, g: Array, orders: Index, splined: bool) -> Array:
        shape: list[int] = []
        for a, (test, order) in enumerate(zip(self.tests, orders, strict=True)):
            line = test.product(order) if splined else test.plain(order)
            shape += line.shape[:2]
            g = np.moveaxis(np.tensordot(line.reshape(-1, line.shape[2]), g, (1, a)), 0, a)
        d = len(orders)
        turned = g.reshape(shape).transpose([*range(0, 2 * d, 2), *range(1, 2 * d, 2)])
        return np.asarray(turned.reshape(int(np.prod(shape[::2])), -1))
