"""The input with a constant put around it; negative widths cut it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, allocatable, normalised, optional, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """pads = [before axis 0, before axis 1, ..., after axis 0, ...] of the axes named, or of all."""
    x, pads = present(inputs[:2])
    value, axes = optional(inputs, 2), optional(inputs, 3)
    chosen = normalised(range(x.ndim) if axes is None else [int(a) for a in axes], x.ndim)
    if len(pads) != 2 * len(chosen):
        raise ValueError(f"expected {2 * len(chosen)} pads, got {len(pads)}")
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(chosen):
        widths[axis] = (int(pads[i]), int(pads[i + len(chosen)]))
    allocatable([n + before + after for n, (before, after) in zip(x.shape, widths, strict=True)])
    kept = x[tuple(slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(x.shape, widths, strict=True))]
    fill = np.zeros((), x.dtype) if value is None else value
    return (np.pad(kept, [(max(b, 0), max(a, 0)) for b, a in widths], constant_values=fill),)
