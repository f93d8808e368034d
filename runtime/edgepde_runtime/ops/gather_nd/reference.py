"""y[b, ...] = x[b, indices[b, ..., 0], indices[b, ..., 1], ...], b over batch_dims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """Slices of x at index tuples in the last axis of `indices`; the first batch_dims axes are shared."""
    x, indices = present(inputs)
    batch = attributes["batch_dims"]
    if not 0 <= batch < min(x.ndim, indices.ndim) or x.shape[:batch] != indices.shape[:batch]:
        raise ValueError(f"expected {batch} shared leading sizes, got {x.shape} and {indices.shape}")
    if not 1 <= indices.shape[-1] <= x.ndim - batch:
        raise ValueError(f"expected index tuples of 1 ... {x.ndim - batch} numbers, got {indices.shape[-1]}")
    shared = np.indices(indices.shape[:batch]).reshape(batch, *indices.shape[:batch], *[1] * (indices.ndim - 1 - batch))
    return (x[(*shared, *np.moveaxis(indices, -1, 0))],)
