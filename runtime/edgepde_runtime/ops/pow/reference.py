"""z = x^y, broadcast, in x's dtype."""

from __future__ import annotations

import numpy as np

from .._numpy import Array, elementwise


def power(x: Array, y: Array) -> Array:
    """x^y in x's dtype; an integer base goes through float64."""
    return np.asarray(np.power(x, y.astype(x.dtype)) if x.dtype.kind == "f" else np.power(x.astype(np.float64), y))


run = elementwise(power)
