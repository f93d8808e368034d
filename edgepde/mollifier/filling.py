"""Readings that are missing, filled in for estimates over the whole field."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.mollifier.grid import Grid

Floats = NDArray[np.float64]


def filled(field: Floats, grid: Grid) -> Floats:
    """NaN replaced by straight lines along the axis of most samples, or the mean where a line is empty.

    InputError where nothing is there.
    """
    missing = np.isnan(field)
    if not missing.any():
        return field
    if missing.all():
        raise InputError("field: expected readings, got NaN everywhere")
    a = int(np.argmax(grid.shape))
    places = grid.axes[a].values
    lines = np.moveaxis(field, a - len(grid.axes), -1).copy()
    whole = float(np.nanmean(field))
    for at in np.argwhere(np.isnan(lines).any(-1)):
        line = lines[tuple(at)]
        there = ~np.isnan(line)
        lines[tuple(at)] = np.interp(places, places[there], line[there]) if there.any() else whole
    return np.asarray(np.moveaxis(lines, -1, a - len(grid.axes)))
