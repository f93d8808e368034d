"""Readings that are missing, filled in for estimates over the whole field."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.mollifier.grid import Grid
from edgepde.mollifier.holes import patched
from edgepde.mollifier.kernels import kernel

Floats = NDArray[np.float64]
DEGREE, HALF = 4, 5


def filled(field: Floats, grid: Grid) -> Floats:
    """NaN in fields [..., n_1..n_d] replaced by local polynomials along the axis of most samples.

    Where too few readings are near, by straight lines; in empty lines by the mean. InputError where nothing is there.
    """
    missing = np.isnan(field)
    if not missing.any():
        return field
    if missing.all():
        raise InputError("field: expected readings, got NaN everywhere")
    a = int(np.argmax(grid.shape))
    axis = grid.axes[a]
    lines = np.moveaxis(field, a - len(grid.axes), -1)
    flat = lines.reshape(-1, axis.size).copy()
    half = min(HALF, (axis.size - 1) // 2)
    smooth = patched(flat, kernel(axis, 0, min(DEGREE, 2 * half), half), 1)
    flat = np.where(np.isnan(flat), smooth, flat)
    whole = float(np.nanmean(field))
    for i in np.flatnonzero(np.isnan(flat).any(-1)):
        line = flat[i]
        there = ~np.isnan(line)
        line[~there] = np.interp(axis.values[~there], axis.values[there], line[there]) if there.any() else whole
    return np.asarray(np.moveaxis(flat.reshape(lines.shape), -1, a - len(grid.axes)))
