"""Savitzky-Golay derivatives of the readings and their pointwise ratio: what everything else is held against."""

from __future__ import annotations

from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from scipy.signal import savgol_filter

from ...grid import Axis
from ..bases import Basis
from ..smoothing import smooth
from ..spline import fields
from ..task import Array, Estimate, Method, Task

DEGREE = 4
MOST = 25


@final
class SavitzkyGolay(Method):
    """Filters of degree 4 (that of the derivative where it is higher), their windows by cross-validation."""

    def estimate(self, task: Task) -> Estimate:
        """lambda = sum f D / sum D^2. InputError where an axis is not even, which the filter needs."""
        for axis in task.grid.axes:
            if not axis.uniform:
                raise InputError(f"savgol: axis {axis.name}: expected even spacing")
        smoothed = smooth(task.values, task.grid, "", [choices(axis) for axis in task.grid.axes])
        made = fields(smoothed, task.grid, task.statement)
        f, d = made.target, made.operator
        lam = (f * d).sum(task.pooled) / np.maximum((d * d).sum(task.pooled), np.finfo(float).tiny)
        return Estimate(lam, np.full_like(lam, np.nan), smoothed.description)


def choices(axis: Axis) -> list[Basis]:
    """Filters of all windows an axis has room for."""
    last = min(MOST, axis.size - (axis.size + 1) % 2)
    return [_filters(axis, window) for window in range(min(DEGREE + 3, last), last + 1, 4)]


def _filters(axis: Axis, window: int) -> Basis:
    eye = np.eye(axis.size)

    def derivative(order: int) -> Array:
        degree = min(max(DEGREE, order), window - 1)
        made = savgol_filter(eye, window, degree, order, axis.spacing, 0, "interp")
        return np.asarray(made, dtype=np.float64)

    return Basis(f"window {window}", eye, derivative, False)


METHOD = SavitzkyGolay()
