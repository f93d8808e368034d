"""lambda as a spline by generalised least squares of left - source against the operator, noise carried through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from ..grid import Grid
from .regression import Answer, regress
from .smoothing import Smoothed
from .space import Space
from .statement import Statement
from .strong import Slopes, Strong, joined

Array = NDArray[np.float64]
ROUNDS = 2
FLOOR = 0.3
"""Errors of the fit itself, white over the samples, as a share of what the readings' noise does to the equations."""


@final
@dataclass(frozen=True, eq=False)
class Fields:
    """left - source (`target`) and the operator at all samples, with their slopes by the derivatives of u."""

    target: Array
    operator: Array
    target_slopes: Slopes
    operator_slopes: Slopes


def fields(smoothed: Smoothed, grid: Grid, statement: Statement) -> Fields:
    """Both sides of the statement of a smoothed field."""
    strong = Strong(smoothed, grid)
    left, by_left = strong.of(statement.left)
    source, by_source = strong.of(statement.source)
    operator, by_operator = strong.of(statement.operator)
    return Fields(left - source, operator, joined([(1.0, by_left), (-1.0, by_source)]), by_operator)


def fit(made: Fields, smoothed: Smoothed, space: Space) -> Answer:
    """Normal equations of (target - lambda operator) operator, their noise to first order, products of noise removed.

    right_i = sum B_i operator (target - ..); its noise is linear in that of the fit's coefficients, sigma each. The
    product of the noises of operator and residual has a mean, which is taken off: without it lambda is too small.
    """
    gone = tuple(a for a in range(made.operator.ndim) if a not in space.places)
    normal = space.normal((made.operator**2).sum(gone))
    if not np.trace(normal) > 0.0:
        raise InputError("operator: 0 at all readings, so that nothing says what lambda is")
    right = space.load((made.operator * made.target).sum(gone))
    by_target = _carried(made.operator, made.target_slopes, smoothed, space)
    lam = np.asarray((made.operator * made.target).sum() / max((made.operator**2).sum(), 1e-300))
    for _ in range(ROUNDS):
        by_operator = {orders: -lam * slope for orders, slope in made.operator_slopes.items()}
        rows = by_target + _carried(made.operator, by_operator, smoothed, space)
        slopes = joined([(1.0, made.target_slopes), (1.0, by_operator)])
        drift = smoothed.sigma**2 * space.load(_product(made.operator_slopes, slopes, smoothed).sum(gone))
        noise = smoothed.sigma**2 * rows @ rows.T
        noise += FLOOR * np.trace(noise) / np.trace(normal) * normal
        answer = regress(normal, right - drift, noise, space.rough)
        lam = space.spread(space.at(answer.c))
    return answer


def noise_of_operator(made: Fields, smoothed: Smoothed) -> Array:
    """Variance that the readings' noise gives the operator at every sample [n_1..n_d]."""
    return smoothed.sigma**2 * _product(made.operator_slopes, made.operator_slopes, smoothed)


def _carried(weight: Array, slopes: Slopes, smoothed: Smoothed, space: Space) -> Array:
    """[K, p]: what a unit of every coefficient of the fit does to sum B_i weight (slopes . derivatives)."""
    total: Array | None = None
    for orders, slope in slopes.items():
        x = np.broadcast_to(weight * slope, weight.shape)
        k_axes = []
        for a, basis in enumerate(smoothed.bases):
            line = basis.synthesis(orders[a])
            if a in space.places:
                b = space.lines[space.places.index(a)]
                line = (b[:, :, None] * line[:, None, :]).reshape(len(line), -1)
            k_axes.append(line)
        for a, line in enumerate(k_axes):
            x = np.moveaxis(np.tensordot(line.T, x, (1, a)), 0, a)
        total = x if total is None else total + x
    assert total is not None
    return _split(total, smoothed, space)


def _split(x: Array, smoothed: Smoothed, space: Space) -> Array:
    shape: list[int] = []
    splines, fits = [], []
    for a, basis in enumerate(smoothed.bases):
        if a in space.places:
            splines.append(len(shape))
            shape.append(space.lines[space.places.index(a)].shape[1])
        fits.append(len(shape))
        shape.append(basis.count)
    return x.reshape(shape).transpose(splines + fits).reshape(space.count, -1)


def _product(one: Slopes, two: Slopes, smoothed: Smoothed) -> Array:
    """Mean of (one . noise) (two . noise) at every sample for coefficients with noise 1."""
    total = np.zeros(tuple(len(basis.analysis) for basis in smoothed.bases))
    for i, a in one.items():
        for j, b in two.items():
            both = np.ones(())
            for basis, k, m in zip(smoothed.bases, i, j, strict=True):
                both = np.multiply.outer(both, (basis.synthesis(k) * basis.synthesis(m)).sum(1))
            total = total + a * b * both
    return total
