"""The input with a constant, or elements of its own, put around it; negative widths cut it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, allocatable, normalised, optional, present
from .places import places


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """pads = [before axis 0, before axis 1, ..., after axis 0, ...] of the axes named, or of all."""
    x, pads = present(inputs[:2])
    value, axes = optional(inputs, 2), optional(inputs, 3)
    chosen = normalised(range(x.ndim) if axes is None else [int(a) for a in axes], x.ndim)
    if len(pads) != 2 * len(chosen):
        raise ValueError(f"expected {2 * len(chosen)} pads, got {len(pads)}")
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(chosen):
        widths[axis] = (int(pads[i]), int(pads[i + len(chosen)]))
    allocatable([max(n + before + after, 0) for n, (before, after) in zip(x.shape, widths, strict=True)])
    fill = np.zeros((), x.dtype) if value is None else value
    y = x
    for axis, (before, after) in enumerate(widths):
        if (before, after) == (0, 0):
            continue
        at = places(x.shape[axis], before, after, attributes["mode"])
        if not x.shape[axis]:
            y = np.full((*y.shape[:axis], len(at), *y.shape[axis + 1 :]), fill, x.dtype)
            continue
        y = np.take(y, at, axis=axis, mode="wrap")
        y[(slice(None),) * axis + (at < 0,)] = fill
    return (y,)
