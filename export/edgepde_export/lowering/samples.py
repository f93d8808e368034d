"""Points of a box to compare two models on."""

from __future__ import annotations

import itertools

import numpy as np
from edgepde_runtime.box import Box
from numpy.typing import NDArray

MOST_CORNERS = 256


def corners(box: Box) -> NDArray[np.float64]:
    """The corners of the box [min(2^d, MOST_CORNERS), d], the all-low one first."""
    choices = zip(box.low, box.high, strict=True)
    return np.array(list(itertools.islice(itertools.product(*choices), MOST_CORNERS)), dtype=np.float64)


def golden_points(box: Box, n: int, seed: int, dtype: np.dtype[np.floating]) -> NDArray[np.floating]:
    """Corners and n random points as numbers of `dtype` [rows, d]; a bound may round outwards."""
    random = box.sample(n, np.random.default_rng(seed))
    return np.concatenate([corners(box), random]).astype(dtype)
