"""Where a bundle of many operators has its field: times as fractions of an operator's horizon, places in its period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.modno.cassette import Cassette
from edgepde.modno.store import Shared
from edgepde.mollifier.grid import Grid

TIMES, POINTS = 10, 128
LATEST = 1.25
MOST = 1 << 20


@final
@dataclass(frozen=True, eq=False)
class Places:
    """times [T]: fractions of the horizon; x [n]."""

    times: NDArray[np.float64]
    x: NDArray[np.float64]


def places(shared: Shared, grid: Grid | None) -> Places:
    """The grid asked for, else 10 times, T/10 to T, and 128 places from 0.

    Raises InputError for other axes than t and x, times outside 0 to LATEST, places outside the period, too many.
    """
    period = shared.model.encoding.period
    if grid is None:
        return Places(np.arange(1, TIMES + 1) / TIMES, period * np.arange(POINTS) / POINTS)
    if [axis.name for axis in grid.axes] != ["t", "x"]:
        names = ", ".join(axis.name for axis in grid.axes)
        raise InputError(f"--grid: expected the axes t (fractions of an operator's horizon) and x, got {names}")
    t, x = (axis.values for axis in grid.axes)
    if t[0] < 0.0 or t[-1] > LATEST:
        raise InputError(f"--grid: axis t: expected fractions of the horizon, 0 to {LATEST}, got {t[0]:g} to {t[-1]:g}")
    if x[0] < 0.0 or x[-1] > period:
        raise InputError(f"--grid: axis x: expected places in the period, 0 to {period:g}, got {x[0]:g} to {x[-1]:g}")
    if t.size * x.size > MOST:
        raise InputError(f"--grid: expected at most {MOST} places, got {t.size} x {x.size}")
    return Places(t, x)


def box_of(cassette: Cassette) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The box of a cassette: one range for all sensors where shifts change nothing; no range is empty."""
    low, high = (np.asarray(v, np.float64) for v in (cassette.low, cassette.high))
    if cassette.frame:
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    room = np.where(high > low, 0.0, np.maximum(1e-3, 1e-3 * np.abs(high)))
    return low - room, high + room
