"""Places of a grid that count in a residual: not those at edges where one-sided kernels amplify errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bank import Bank

# Rows whose kernel sums up errors of its readings so many times more than the best row's are left out.
NOISY = 10.0


def counted(made: Bank) -> tuple[NDArray[np.float64], str]:
    """Weights [n_1 .. n_a], 0 for what is left out and 1 else, and the same in words."""
    grid = made.grid
    keep = np.ones(grid.shape)
    left = []
    for place, (axis, kernels) in enumerate(zip(grid.axes, made.kernels, strict=True)):
        rows = np.ones(axis.size, dtype=bool)
        for kernel in kernels:
            gain = np.abs(kernel.matrix(axis.size)).sum(axis=1)
            rows &= gain <= NOISY * gain.min()
        if 2 * rows.sum() < axis.size:
            continue  # a short axis has no rows to spare
        shape = [1] * len(grid.axes)
        shape[place] = axis.size
        keep = keep * rows.reshape(shape)
        if not rows.all():
            left.append(f"{int((~rows).sum())} of {axis.size} along {axis.name}")
    words = "root of the mean square of the residual over the grid"
    return keep, f"{words}, without edge rows ({', '.join(left)})" if left else words
