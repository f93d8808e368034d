"""Which samples a row reads, and where they lie around it."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.ops.mollified_derivative.reference import windows
from numpy.typing import NDArray

Wide = NDArray[np.longdouble]


def starts(samples: int, width: int) -> NDArray[np.int64]:
    """First column of every row's window of N samples, as the op has it: clip(i - half, 0, N - W)."""
    return windows(samples, samples, width)[0].astype(np.int64)


def offsets(places: NDArray[np.float64], at: float) -> tuple[Wide, float]:
    """Samples [W] around a place, scaled to the radius delta: s [W] in (-1, 1), and delta in the places' unit.

    delta reaches half a spacing beyond the farthest sample, so that no weight is zero.
    """
    window = places.astype(np.longdouble) - np.longdouble(at)
    gap = float(places[-1] - places[0]) / max(len(places) - 1, 1)
    delta = (float(np.abs(window).max()) + 0.5 * gap) or 1.0
    return window / np.longdouble(delta), delta
