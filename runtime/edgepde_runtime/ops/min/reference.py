"""y = the smallest of the inputs, broadcast; NaN where one is NaN."""

from __future__ import annotations

import functools

import numpy as np

from .._numpy import Array, elementwise


def folded(*arrays: Array) -> Array:
    """Minimum over all arrays."""
    return functools.reduce(np.minimum, arrays)


run = elementwise(folded)
