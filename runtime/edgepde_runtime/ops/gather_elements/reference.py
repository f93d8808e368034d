"""y[i, j] = x[indices[i, j], j] for axis 0, and likewise for any axis and rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, normalised, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """x at the indices along `axis`, at their own position elsewhere; IndexError outside."""
    x, indices = present(inputs)
    (axis,) = normalised([attributes["axis"]], x.ndim)
    if indices.ndim != x.ndim:
        raise ValueError(f"expected indices of rank {x.ndim}, got {indices.ndim}")
    position: list[Any] = list(np.indices(indices.shape, sparse=True))
    position[axis] = indices
    return (x[tuple(position)],)
