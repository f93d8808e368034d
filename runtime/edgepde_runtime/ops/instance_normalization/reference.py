"""Every channel of every row with mean 0 and variance 1, then scaled and shifted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """x [N, C, n_1 ..] -> (x - mean) scale / sqrt(var + epsilon) + B, mean and var over n_1 .. of x itself."""
    x, scale, shift = present(inputs)
    if x.ndim < 3 or x.shape[1] != len(scale) or 0 in x.shape[2:]:
        raise ValueError(f"expected a map [N, {len(scale)}, n_1 ..] with cells, got {list(x.shape)}")
    axes, wide = tuple(range(2, x.ndim)), (-1, *(1,) * (x.ndim - 2))
    apart = x - x.mean(axes, keepdims=True, dtype=x.dtype)
    variance = np.square(apart).mean(axes, keepdims=True, dtype=x.dtype)
    root = np.sqrt(variance + x.dtype.type(attributes["epsilon"]))
    return (apart * (scale.reshape(wide) / root) + shift.reshape(wide),)
