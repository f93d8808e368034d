"""Means over all axes but the first two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """x [N, C, n_1 ..] -> [N, C, 1 ..]."""
    (x,) = present(inputs)
    if x.ndim < 3 or 0 in x.shape[2:]:
        raise ValueError(f"expected a map [N, C, n_1 ..] with cells, got {list(x.shape)}")
    return (np.asarray(x.mean(tuple(range(2, x.ndim)), keepdims=True, dtype=x.dtype)),)
