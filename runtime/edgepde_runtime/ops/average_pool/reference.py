"""Means over windows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present
from .._windows import Array, Windows, windows


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """x [N, C, n_1 ..] -> [N, C, m_1 ..]: sums over windows by the number of cells, those of pads counted or not."""
    (x,) = present(inputs)
    found = windows(x.shape[2:], attributes)
    sums = found.gathered(x, 0.0).reshape(math.prod(found.kernel), *x.shape[:2], *found.outputs).sum(0, dtype=x.dtype)
    return (sums / counts(found, padded=bool(attributes["count_include_pad"])).astype(x.dtype),)


def counts(found: Windows, *, padded: bool) -> Array:
    """Cells that each mean is taken over [m_1, ..]."""
    total = np.ones((), np.int64)
    for axis in range(len(found.sizes)):
        total = total[..., None] * found.cells(axis, padded=padded)
    return total
