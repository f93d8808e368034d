"""Mollifiers as they are often used: a profile's derivative, sampled; right moments only after a correction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgepde.mollifier.moments import weights
from edgepde.mollifier.profiles import profile as shape_of

Floats = NDArray[np.float64]
QUADRATURE = 400


def sampled(order: int, half: int, spacing: float, profile: str = "bump") -> Floats:
    """Taps [2 half + 1] of u * d^k eta_delta by the trapezoidal rule: h eta^(k)(-s_j) / delta^(k + 1).

    eta is scaled to integral 1, delta = half * spacing. Between samples the derivatives of a bump vary too fast for
    this: the row's moments are wrong (arXiv 2505.11682 has these kernels; tests and docs/mollifier.md the consequence).
    """
    eta = shape_of(profile)
    x, gauss = np.polynomial.legendre.leggauss(QUADRATURE)
    mass = float(gauss @ eta.derivative(x, 0))
    s = np.arange(-half, half + 1) / half
    return np.asarray(eta.derivative(-s, order) * spacing / (mass * (half * spacing) ** (order + 1)))


def corrected(order: int, half: int, spacing: float, degree: int, profile: str = "bump") -> Floats:
    """The sampled kernel with the least eta-weighted change that sets its moments right up to a degree.

    w = w_0 + sum_i (delta_ik - m_i) w_i, m_i = sum_j w_0j s_j^i / i!, w_i the kernel of order i and that degree.
    """
    raw = sampled(order, half, spacing, profile).astype(np.longdouble) * np.longdouble(spacing * half) ** order
    s = np.arange(-half, half + 1, dtype=np.longdouble) / half
    eta = shape_of(profile).weight(s * half / (half + np.longdouble(0.5)))
    made, term = raw.copy(), np.ones_like(s)
    for i in range(degree + 1):
        term = term * s / i if i else term
        made = made + (float(i == order) - (raw * term).sum()) * weights(s, eta, i, degree)[0]
    return np.asarray(made * np.longdouble(spacing * half) ** -order, np.float64)
