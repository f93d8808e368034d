"""eta(s) = (1 - s^2)^q: q = 2 as a weight of fits, 8 where its derivatives are sampled."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

POWER = 2
SMOOTH = 8


def weight(s: NDArray[np.longdouble]) -> NDArray[np.longdouble]:
    """(1 - s^2)^q, 0 outside (-1, 1)."""
    return np.asarray(np.clip(1 - s * s, 0, None) ** POWER, np.longdouble)


def derivative(s: NDArray[np.float64], order: int, power: int = SMOOTH) -> NDArray[np.float64]:
    """The k-th derivative of (1 - s^2)^power, 0 outside (-1, 1)."""
    shape = Polynomial([1.0, 0.0, -1.0]) ** power
    return np.asarray(np.where(np.abs(s) < 1, (shape.deriv(order) if order else shape)(s), 0.0))
