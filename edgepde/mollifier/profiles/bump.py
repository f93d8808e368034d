"""eta(s) = exp(-1 / (1 - s^2)), the smooth bump of arXiv 2505.11682."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray


def weight(s: NDArray[np.longdouble]) -> NDArray[np.longdouble]:
    """exp(1 - 1 / (1 - s^2)), 1 at 0 and 0 outside (-1, 1)."""
    room = np.clip(1 - s * s, np.longdouble(1e-3), None)
    return np.asarray(np.where(np.abs(s) < 1, np.exp(1 - 1 / room), 0), np.longdouble)


def derivative(s: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """The k-th derivative of exp(1 - 1 / (1 - s^2)), 0 outside (-1, 1).

    eta^(k) = P_k(s) eta / (1 - s^2)^(2 k) with P_0 = 1, P_k+1 = P_k' (1 - s^2)^2 + (4 k s (1 - s^2) - 2 s) P_k.
    """
    room = Polynomial([1.0, 0.0, -1.0])
    top = Polynomial([1.0])
    for k in range(order):
        top = top.deriv() * room**2 + (Polynomial([0.0, 4.0 * k]) * room - Polynomial([0.0, 2.0])) * top
    inside = np.abs(s) < 1
    gap = np.where(inside, 1.0 - s * s, 1.0)
    value = top(s) * np.exp(1.0 - 1.0 / gap - 2 * order * np.log(gap))
    return np.asarray(np.where(inside, value, 0.0))
