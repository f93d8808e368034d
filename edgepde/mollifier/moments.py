"""Weights of a window that differentiate every polynomial up to a degree exactly."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

Wide = NDArray[np.longdouble]
TWICE = 2


def weights(s: Wide, eta: Wide, order: int, degree: int) -> Wide:
    """w [W] with sum_j w_j s_j^i / i! = (i == order) for all i <= degree, the least sum w_j^2 / eta_j of all such.

    s [W] distinct, eta [W] > 0. w_j = eta_j sum_i q_i(s_j) q_i^(order)(0), q_i orthonormal under eta, made by Arnoldi's
    recurrence with derivatives at 0 carried along. InputError where W points do not determine a polynomial.
    """
    q = np.empty((degree + 1, len(s)), np.longdouble)
    at = np.zeros((degree + 1, order + 1), np.longdouble)
    for i in range(degree + 1):
        row = np.ones_like(s) if i == 0 else s * q[i - 1]
        jet = _constant(order) if i == 0 else _times_s(at[i - 1])
        size = np.sqrt((eta * row * row).sum())
        for _ in range(TWICE):
            for j in range(i):
                share = (eta * row * q[j]).sum()
                row, jet = row - share * q[j], jet - share * at[j]
        norm = np.sqrt((eta * row * row).sum())
        if not norm > 1e-12 * size:
            raise InputError(f"window of {len(s)} samples: expected enough for degree {degree}, got degree {i - 1}")
        q[i], at[i] = row / norm, jet / norm
    return np.asarray(eta * (at[:, order] @ q), np.longdouble)


def _constant(order: int) -> Wide:
    jet = np.zeros(order + 1, np.longdouble)
    jet[0] = 1
    return jet


def _times_s(jet: Wide) -> Wide:
    """Derivatives at 0 of s f(s): (s f)^(k) = k f^(k-1)."""
    moved = np.zeros_like(jet)
    moved[1:] = np.arange(1, len(jet)) * jet[:-1]
    return moved
