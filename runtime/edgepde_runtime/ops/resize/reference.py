"""Axes stretched or shrunk: nearest elements, or linear interpolation axis by axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, allocatable, optional
from .positions import linear, nearest, resized


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """x -> y of the sizes given, or of floor(size * scale); the last axis first."""
    x = np.asarray(inputs[0])
    shape, scales = resized(x.shape, optional(inputs, 2), optional(inputs, 3), attributes.get("axes"))
    allocatable(shape)
    y = x
    for axis in reversed(range(x.ndim)):
        size, made, scale = x.shape[axis], shape[axis], scales[axis]
        if size == made and scale == 1:
            continue
        if not size:
            raise ValueError(f"expected elements along axis {axis}, got none")
        if attributes["mode"] == "nearest":
            y = np.take(y, nearest(size, made, scale, attributes), axis=axis)
            continue
        two = linear(size, made, scale, attributes["coordinate_transformation_mode"])
        wide = (-1, *(1,) * (x.ndim - 1 - axis))
        low, high = (w.astype(x.dtype).reshape(wide) for w in (two.low_weight, two.high_weight))
        y = low * np.take(y, two.low, axis=axis) + high * np.take(y, two.high, axis=axis)
    return (y,)
