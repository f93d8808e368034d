"""y = the largest of the inputs, broadcast; NaN where one is NaN."""

from __future__ import annotations

import functools

import numpy as np

from .._numpy import Array, elementwise


def folded(*arrays: Array) -> Array:
    """Maximum over all arrays."""
    return functools.reduce(np.maximum, arrays)


run = elementwise(folded)
