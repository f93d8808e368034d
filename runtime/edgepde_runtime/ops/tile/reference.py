"""The input repeated along each axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, allocatable, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """Axis i has repeats[i] copies; ValueError unless there is one number per axis."""
    x, repeats = present(inputs)
    if len(repeats) != x.ndim or np.any(repeats < 0):
        raise ValueError(f"expected {x.ndim} repeats >= 0, got {repeats.tolist()}")
    allocatable([n * int(r) for n, r in zip(x.shape, repeats, strict=True)])
    return (np.tile(x, repeats),)
