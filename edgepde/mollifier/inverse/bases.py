"""Functions along one axis that readings are fitted with, and their derivatives at the samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.linalg import qr

from ..grid import Axis
from ..kernels import kernel

Array = NDArray[np.float64]
QUINTIC = 5


@final
@dataclass(frozen=True, eq=False)
class Basis:
    """A linear fit along an axis: coefficients analysis.T v [p], k-th derivative at the samples synthesis(k) @ them.

    analysis [N, p], synthesis(k) [N, p]. nested: the columns are orthonormal, and the first q of them are a fit too.
    """

    name: str
    analysis: Array
    synthesis: Callable[[int], Array]
    nested: bool

    @property
    def count(self) -> int:
        """p."""
        return self.analysis.shape[1]

    @property
    def trace(self) -> float:
        """Degrees of freedom of the fit."""
        return float(np.einsum("np,np->", self.analysis, self.synthesis(0)))

    def first(self, count: int) -> Basis:
        """The first `count` columns of a nested basis."""
        return Basis(self.name, self.analysis[:, :count], lambda k: self.synthesis(k)[:, :count], self.nested)


def cosines(axis: Axis, count: int) -> Basis:
    """cos(pi k s), k < count: functions whose odd derivatives vanish at both ends."""
    s, k = _unit(axis), np.pi * np.arange(count)
    phase = np.outer(s, k)

    def derivative(order: int) -> Array:
        made: Array = np.cos(phase + 0.5 * np.pi * order) * (k / axis.length) ** order
        return made

    return _orthonormal("cosine", derivative)


def polynomials(axis: Axis, count: int, pinned: bool = False) -> Basis:
    """Polynomials of degree < count; pinned: times s (1 - s), which vanishes at both ends."""
    s = 2.0 * _unit(axis) - 1.0
    bubble = [1.0, 0.0, -1.0]

    def derivative(order: int) -> Array:
        columns = []
        for k in range(count):
            c = np.eye(count)[k]
            c = legendre.legmul(c, legendre.poly2leg(bubble)) if pinned else c
            columns.append(legendre.legval(s, legendre.legder(c, order)))
        return np.asarray(np.stack(columns, axis=1) * (2.0 / axis.length) ** order, dtype=np.float64)

    return _orthonormal("pinned polynomial" if pinned else "polynomial", derivative)


def splines(axis: Axis, count: int) -> Basis:
    """Quintic splines with equal knots, `count` of them."""
    low, high = axis.values[0], axis.values[-1]
    inner = np.linspace(low, high, count - QUINTIC + 1)
    knots = np.concatenate([[low] * QUINTIC, inner, [high] * QUINTIC])
    whole = BSpline(knots, np.eye(count), QUINTIC)

    def derivative(order: int) -> Array:
        return np.asarray(whole(axis.values, nu=order), dtype=np.float64)

    made = _orthonormal("spline", derivative)
    return Basis(made.name, made.analysis, made.synthesis, False)


def windows(axis: Axis, degree: int, half: int) -> Basis:
    """Local fits of `degree` in windows of 2 half + 1 samples; every reading is its own coefficient."""

    def derivative(order: int) -> Array:
        return kernel(axis, order, max(degree, order), half).matrix(axis.size)

    return Basis(f"window {half}, degree {degree}", np.eye(axis.size), _kept(derivative), False)


def _unit(axis: Axis) -> Array:
    made: Array = (axis.values - axis.values[0]) / axis.length
    return made


def _orthonormal(name: str, derivative: Callable[[int], Array]) -> Basis:
    q, r = qr(derivative(0), mode="economic")
    turned = np.linalg.inv(r)
    return Basis(name, np.asarray(q), _kept(lambda order: derivative(order) @ turned), True)


def _kept(derivative: Callable[[int], Array]) -> Callable[[int], Array]:
    known: dict[int, Array] = {}

    def of(order: int) -> Array:
        if order not in known:
            known[order] = derivative(order)
        return known[order]

    return of
