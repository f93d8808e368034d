"""c = a / b, broadcast; integers are cut towards zero."""

from __future__ import annotations

import numpy as np

from .._numpy import Array, elementwise


def quotient(a: Array, b: Array) -> Array:
    """a / b; ZeroDivisionError where integers are divided by 0."""
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if np.any(b == 0):
        raise ZeroDivisionError("expected a divisor other than 0")
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


run = elementwise(quotient)
