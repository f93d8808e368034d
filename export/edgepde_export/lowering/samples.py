"""Points of a box to compare two models on."""

from __future__ import annotations

import itertools

import numpy as np
from edgepde_runtime.box import Box
from numpy.typing import NDArray

MOST_CORNERS, ALL_CORNERS = 256, 8
GOLDEN, DENSE, FEWEST = 256, 4096, 2
GOLDEN_NUMBERS, DENSE_NUMBERS = 1 << 13, 1 << 21


def golden_rows(width: int) -> int:
    """How many random points a bundle keeps; width: numbers of an input and its output together."""
    return max(1, min(GOLDEN, GOLDEN_NUMBERS // width))


def dense_rows(width: int) -> int:
    """How many random points a measurement begins with."""
    return max(FEWEST, min(DENSE, DENSE_NUMBERS // width))


def corners(box: Box, most: int = MOST_CORNERS, seed: int = 0) -> NDArray[np.float64]:
    """Corners of the box [min(2^d, most), d], the all-low one first; of more than `most` also the all-high one."""
    if box.dimension <= ALL_CORNERS and 2**box.dimension <= most:
        choices = zip(box.low, box.high, strict=True)
        return np.array(list(itertools.islice(itertools.product(*choices), MOST_CORNERS)), dtype=np.float64)
    which = np.random.default_rng(seed).integers(0, 2, (max(2, most), box.dimension)).astype(bool)
    which[0], which[1] = False, True
    return np.where(which, np.asarray(box.high), np.asarray(box.low))


def golden_points(box: Box, n: int, seed: int, dtype: np.dtype[np.floating]) -> NDArray[np.floating]:
    """Corners, max(2, n) at most, and n random points as numbers of `dtype`; a bound may round outwards."""
    random = box.sample(n, np.random.default_rng(seed))
    return np.concatenate([corners(box, min(n, MOST_CORNERS), seed), random]).astype(dtype)
