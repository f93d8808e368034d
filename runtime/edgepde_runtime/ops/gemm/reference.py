"""Y = alpha A' B' + beta C; A' is A or its transpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, optional, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """[M, K] [K, N] -> [M, N] after transposing; C broadcasts to [M, N]."""
    a, b = present(inputs[:2])
    c = optional(inputs, 2)
    a, b = a.T if attributes["transA"] else a, b.T if attributes["transB"] else b
    y = a.dtype.type(attributes["alpha"]) * (a @ b)
    if c is None:
        return (y,)
    return (y + np.broadcast_to(a.dtype.type(attributes["beta"]) * c, y.shape),)
