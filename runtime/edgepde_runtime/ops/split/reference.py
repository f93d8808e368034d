"""The input in pieces along an axis: of the sizes given, or as many equal ones as asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Array, Inputs, Outputs, normalised, optional


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """Pieces of `split` sizes, else `num_outputs` of equal size, the last one smaller where it does not divide."""
    x, sizes, count = np.asarray(inputs[0]), optional(inputs, 1), attributes.get("num_outputs")
    (axis,) = normalised([attributes["axis"]], x.ndim)
    if (sizes is None) == (count is None):
        raise ValueError("expected either input split or attribute num_outputs, got both or neither")
    ends = _equal(x.shape[axis], attributes["num_outputs"]) if sizes is None else _given(x.shape[axis], sizes)
    return tuple(np.split(x, ends[:-1], axis=axis))


def _equal(size: int, count: int) -> Array:
    if not 0 < count <= max(size, 1):
        raise ValueError(f"expected num_outputs in 1 ... {size}, got {count}")
    return np.minimum(np.arange(1, count + 1) * -(-size // count), size)


def _given(size: int, sizes: Array) -> Array:
    if np.any(sizes < 0) or sizes.sum() != size:
        raise ValueError(f"expected sizes >= 0 that add up to {size}, got {sizes.tolist()}")
    return np.cumsum(sizes)
