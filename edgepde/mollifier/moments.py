"""Weights of a window that differentiate every polynomial up to a degree exactly."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

Wide = NDArray[np.longdouble]
TWICE = 2
DEPENDENT = 1e-12


def weights(s: Wide, eta: Wide, order: int, degree: int, at: Wide | None = None) -> Wide:
    """w [T, W]: of all with sum_j w_tj (s_j - a_t)^i / i! = (i == order) for i <= degree, the least sum w_tj^2 / eta_j.

    s [W] distinct, eta [W] > 0, places a = `at` [T], by default only 0. w_tj = eta_j sum_i q_i(s_j) q_i^(order)(a_t),
    q_i orthonormal under eta, made by Arnoldi's recurrence with the derivatives at a carried along. InputError where
    the samples do not determine a polynomial of that degree.
    """
    places = np.zeros(1, np.longdouble) if at is None else at
    q = np.empty((degree + 1, len(s)), np.longdouble)
    jets = np.zeros((degree + 1, order + 1, len(places)), np.longdouble)
    for i in range(degree + 1):
        if i == 0:
            row, jet = np.ones_like(s), np.zeros((order + 1, len(places)), np.longdouble)
            jet[0] = 1
        else:
            row, jet = s * q[i - 1], _times_s(jets[i - 1], places)
        size = np.sqrt((eta * row * row).sum())
        for _ in range(TWICE if i else 0):
            shares = q[:i] @ (eta * row)
            row, jet = row - shares @ q[:i], jet - np.tensordot(shares, jets[:i], 1)
        norm = np.sqrt((eta * row * row).sum())
        if i >= len(s) or not norm > DEPENDENT * size:
            raise InputError(f"window of {len(s)} samples: expected enough for degree {degree}, got degree {i - 1}")
        q[i], jets[i] = row / norm, jet / norm
    return np.asarray(eta * (jets[:, order].T @ q), np.longdouble)


def _times_s(jet: Wide, places: Wide) -> Wide:
    """Derivatives at a of s f(s): (s f)^(k) = a f^(k) + k f^(k-1)."""
    moved = places * jet
    moved[1:] += np.arange(1, len(jet))[:, None] * jet[:-1]
    return np.asarray(moved, np.longdouble)
