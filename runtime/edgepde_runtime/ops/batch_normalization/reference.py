"""Every channel shifted and scaled by constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Array, Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """x [N, C, ...] -> (x - mean) slope + B, all of them [C]."""
    x, scale, shift, mean, variance = present(inputs)
    if x.ndim < 2 or x.shape[1] != len(scale):
        raise ValueError(f"expected a map [N, {len(scale)}, ...], got {list(x.shape)}")
    wide = (-1, *(1,) * (x.ndim - 2))
    a = slope(scale, variance, attributes["epsilon"])
    return ((x - mean.reshape(wide)) * a.reshape(wide) + shift.reshape(wide),)


def slope(scale: Array, variance: Array, epsilon: float) -> Array:
    """scale / sqrt(variance + epsilon), computed in float64 and rounded once."""
    exact = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    return np.asarray(exact.astype(scale.dtype))
