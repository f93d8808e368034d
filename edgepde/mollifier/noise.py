"""How noisy readings are, from the readings alone."""

from __future__ import annotations

import math

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.moments import weights

Floats = NDArray[np.float64]
HIGHEST = 8
FEWEST = 8
"""Differences a level is read from, at least."""
NEAR = 1.1
OUTLIER = 6.0


def estimate(values: Floats, grid: Grid) -> float:
    """Standard deviation of white noise in fields [..., n_1..n_d], from differences along axes and pairs of axes.

    Differences of order m vanish for polynomials below m and leave the deviation of unit noise as it is. What the field
    itself leaves in them only adds: the first is taken that is within NEAR of the least that is sure (levels of few
    differences are not), low orders before high ones since they vary less. A level is the root mean square of
    differences, cut off beyond OUTLIER medians. NaN readings are left out. InputError where nothing can be said.
    """
    field = grid.fits(values)
    found = []
    d = len(grid.axes)
    for order in range(2, HIGHEST + 1):
        for a, axis in enumerate(grid.axes):
            if axis.size > order:
                once = differences(field, axis, order, a - d)
                found.append(_level(once, order + 1))
                others = [b for b in range(a + 1, d) if grid.axes[b].size > order]
                found += [_level(differences(once, grid.axes[b], order, b - d), (order + 1) ** 2) for b in others]
    least = min((level * doubt for level, doubt in found), default=math.inf)
    if not math.isfinite(least):
        raise InputError(f"noise: expected {FEWEST} differences along an axis, got a field of {list(grid.shape)}")
    return next(level for level, _ in found if level <= NEAR * least)


def differences(field: Floats, axis: Axis, order: int, at: int) -> Floats:
    """sum_j w_j u_(i + j) with sum w^2 = 1, zero for polynomials below `order`; NaN where a reading is missing."""
    lines = np.moveaxis(field, at, -1)
    windows = np.lib.stride_tricks.sliding_window_view(lines, order + 1, axis=-1)
    near = np.lib.stride_tricks.sliding_window_view(axis.values, order + 1)
    near = near[:1] if axis.uniform else near
    scaled = ((near - near.mean(1, keepdims=True)) / np.ptp(near, axis=1)[:, None]).astype(np.longdouble)
    w = np.asarray(weights(scaled, np.ones_like(scaled), order, order)[:, 0], np.float64)
    w /= np.sqrt((w**2).sum(1, keepdims=True))
    made = windows @ w[0] if len(w) == 1 else (windows * w).sum(-1)
    return np.asarray(np.moveaxis(made, -1, at))


def _level(found: Floats, reads: int) -> tuple[float, float]:
    """The level, and the factor within which one deviation of it lies if so many samples make one difference."""
    known = np.abs(found[np.isfinite(found)])
    if known.size < FEWEST:
        return math.inf, 1.0
    level = float(np.sqrt(np.mean(np.minimum(known, OUTLIER * np.median(known)) ** 2)))
    return level, 1.0 + math.sqrt(reads / (2 * known.size))
