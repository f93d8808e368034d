"""Kernels on lines with missing readings: rows are fitted to what is there, or refused; nothing spreads."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import InputError
from edgepde_runtime.ops.mollified_derivative.reference import along, windows
from numpy.typing import NDArray

from edgepde.mollifier.kernels import Kernel
from edgepde.mollifier.moments import weights
from edgepde.mollifier.profiles import profile as shape_of

Floats = NDArray[np.float64]
LOUDEST = 8.0
"""A row that misses readings is refused where it would be so many times as loud (spread) as with all of them."""


def patched(x: Floats, own: Kernel, axis: int) -> Floats:
    """A kernel along one axis of x, in which NaN stands for missing readings.

    Rows that read one are fitted without it, to the same degree (one less where that came of symmetry). NaN where a row
    is refused: too few samples left, or noise would grow more than LOUDEST times.
    """
    lines = np.moveaxis(x, axis, -1)
    missing = np.isnan(lines)
    y = np.moveaxis(along(np.moveaxis(np.where(missing, 0.0, lines), -1, axis), axis, own.taps), axis, -1).copy()
    starts, rows = windows(lines.shape[-1], len(own.taps), own.width)
    fits: dict[tuple[int, bytes], Floats | None] = {}
    for place in np.argwhere(missing.any(-1)):
        line, gone = lines[tuple(place)], missing[tuple(place)]
        reads = np.lib.stride_tricks.sliding_window_view(gone, own.width)[starts]
        for i in np.flatnonzero(reads.any(1)):
            key = (int(rows[i]), reads[i].tobytes())
            if key not in fits:
                fits[key] = refit(own, key[0], ~reads[i])
            found = fits[key]
            window = np.where(reads[i], 0.0, line[starts[i] : starts[i] + own.width])
            y[(*place, i)] = np.nan if found is None else found @ window
    return np.asarray(np.moveaxis(y, -1, axis))


def refit(own: Kernel, row: int, there: NDArray[np.bool_]) -> Floats | None:
    """Taps [W] of a row from the samples of its window that are there; None where it must be refused."""
    s, profile = own.window[row], str(own.profile[row])
    degree = int(own.degree[row]) - int(np.array_equal(s, -s[::-1], equal_nan=True))
    there = there & ~np.isnan(s)
    eta = shape_of(profile).weight(s) if profile else np.ones_like(s)
    if there.sum() <= degree:
        return None
    try:
        w = weights(s[there], eta[there], own.order, degree)[0]
    except InputError:
        return None
    made = np.zeros(len(s))
    made[there] = w * np.longdouble(own.delta[row]) ** -own.order
    return made if np.sqrt((made**2).sum()) <= LOUDEST * own.spread[row] else None
